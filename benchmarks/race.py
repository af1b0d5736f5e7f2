"""Ways to do the same work, timed in turn, and ratios of one run.

A time depends on the machine, and on what else runs there, as much as on the code. A ratio of two times that were
taken in turn depends on the code. So contestants run in turn, round by round, and each round begins with another one:
what a neighbour on the machine takes away, it takes from all of them. On a CPU the time is that of the process, all
its threads together, and not of the clock; benchmarks run on one thread, since threads that wait for each other would
count as work. The value of a `Ratio` is the median over the rounds of each round's ratio to the first contestant."""
import math
import multiprocessing
import os
import signal
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch

from spact.errors import SpactError


class Ratio(NamedTuple):
    "One line of a result."
    name: str      # what was compared
    value: float   # times better than the plain way, or its share; NaN: not measured
    low: float     # smallest over the rounds
    high: float    # largest
    goal: str = '' # such as '>= 1.6'
    note: str = '' # sizes, or why it was not measured

    def met(self) -> bool | None: # None: no goal, or not measured
        "Say whether the goal is reached."
        if not self.goal or math.isnan(self.value): return None
        sign, bar = self.goal.split()
        return self.value >= float(bar) if sign == '>=' else self.value <= float(bar)


def one_value(name, value, goal='', note=''):
    "Make a `Ratio` of a single number, such as a count."
    return Ratio(name, value, value, value, goal, note)


def absent(name, why):
    "Make a `Ratio` that was not measured."
    return one_value(name, math.nan, note=why)


# --- timing -----------------------------------------------------------------------------------------------------------
def clock(
    work: Callable,      # what is timed
    device: str = 'cpu', # where it runs
) -> float: # seconds: of the process on a CPU, of the clock on a GPU
    "Time some work."
    def now():
        if device == 'cpu': return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()
    began = now()
    work()
    return now() - began


@contextmanager
def one_thread():
    "Compute on one CPU thread inside the block."
    was = torch.get_num_threads()
    torch.set_num_threads(1)
    try: yield
    finally: torch.set_num_threads(was)


def race(
    contestants: dict, # name -> work; the first is the plain way
    rounds: int,       # each runs once a round
    device: str = 'cpu',            # see `clock`
    on_run: Callable | None = None, # called after each run
    timed: Callable = clock,        # (work, device) -> seconds
) -> dict: # name -> list of seconds, one a round
    "Time several ways to do the same work, in turn."
    names, seconds = list(contestants), {n: [] for n in contestants}
    for work in contestants.values(): work() # the first time costs more
    for k in range(rounds):
        first = k % len(names)
        for n in names[first:] + names[:first]:
            seconds[n].append(timed(contestants[n], device))
            if on_run: on_run()
    return seconds


def compare(
    seconds: dict,             # of `race`
    goals: dict | None = None, # name -> goal
    label: str = '',           # written before each name
    note: str = '',            # see `Ratio`
) -> list: # a `Ratio` for each contestant but the first: how many times as fast
    "Take the ratios of a race."
    plain, *others = seconds
    def ratio(n):
        found = [a/b for a, b in zip(seconds[plain], seconds[n], strict=True)]
        return Ratio(label + n, statistics.median(found), min(found), max(found), (goals or {}).get(n, ''), note)
    return list(map(ratio, others))


# --- a process for each -----------------------------------------------------------------------------------------------
# Contestants in one process share its memory, and what one leaves behind may cost the next one time: pieces of freed
# memory, another's settings of the C library. `race_apart` gives each a process of its own, which prepares its work,
# does it once to warm up, and then waits for its turn. Only one works at a time.

_here = [] # the work of this process, where `race_apart` started it


@contextmanager
def _ignore_interrupts():
    "Let processes that start inside the block ignore Ctrl-C: this one ends them."
    if threading.current_thread() is not threading.main_thread(): # Python lets no other thread set a handler
        yield
        return
    was = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try: yield
    finally: signal.signal(signal.SIGINT, was)


def _leave_with_parent():
    "End this process as soon as the one that started it has ended."
    def wait():
        multiprocessing.parent_process().join()
        os._exit(1)
    threading.Thread(target=wait, daemon=True).start()


def _prepare(prepare, *args):
    signal.signal(signal.SIGINT, signal.SIG_DFL) # Ctrl-C ends it without a traceback
    _leave_with_parent()
    torch.set_num_threads(1)
    _here.append(prepare(*args))


def _time_here(device): return clock(*_here, device)


def race_apart(
    contestants: dict, # name -> (function of a module that returns the work, its arguments ...); plain first
    rounds: int,       # see `race`
    device: str = 'cpu',            # see `clock`
    on_run: Callable | None = None, # called after each run
) -> dict: # as of `race`
    "Race contestants that have a process each, with one thread."
    def start(stack, prepare, *args):
        pool = stack.enter_context(ProcessPoolExecutor(1, multiprocessing.get_context('spawn')))
        with _ignore_interrupts(): prepared = pool.submit(_prepare, prepare, *args)
        return lambda: (prepared.result(), pool.submit(_time_here, device).result())[1]
    try:
        with ExitStack() as stack:
            works = {n: start(stack, *c) for n, c in contestants.items()}
            return race(works, rounds, device, on_run, timed=lambda seconds, _: seconds())
    except BrokenProcessPool: raise SpactError('a contestant died, perhaps for lack of memory') from None


# --- memory -----------------------------------------------------------------------------------------------------------
def can_measure_memory(device='cpu'):
    "Linux keeps the largest resident size of a process, a GPU counts what torch takes."
    return device != 'cpu' or Path('/proc/self/status').exists()


def _get_peak(device): # MiB: the largest so far
    if device != 'cpu': return torch.cuda.max_memory_allocated()/2**20
    line = next(s for s in Path('/proc/self/status').read_text().splitlines() if s.startswith('VmHWM'))
    return int(line.split()[1])/1024


def _measure_here(queue, device, prepare, *args): # in a process of its own
    torch.set_num_threads(1)
    work = prepare(*args)
    before = _get_peak(device)
    work()
    queue.put(_get_peak(device) - before)


def measure_memory(
    prepare: Callable,   # of a module, so that another process finds it; returns the work
    *args,               # for `prepare`
    device: str = 'cpu', # whose memory is meant
) -> float: # MiB
    "Measure what some work needs at its peak, beyond what it is given, in a process of its own."
    spawn = multiprocessing.get_context('spawn')
    queue = spawn.Queue()
    p = spawn.Process(target=_measure_here, args=(queue, device, prepare, *args))
    p.start()
    p.join()
    if p.exitcode: raise SpactError(f'a measurement ended with code {p.exitcode}, perhaps for lack of memory')
    return queue.get()


# --- on paper ---------------------------------------------------------------------------------------------------------
def list_lines(
    ratios: list, # of `Ratio`
) -> list: # dicts, with `met`
    "Write ratios as a JSON file holds them."
    return [r._asdict() | dict(met=r.met()) for r in ratios]


def tabulate(
    lines: list, # of `list_lines`
) -> pd.DataFrame: # a row a ratio, with its smallest and largest value
    "Show ratios beside their goals."
    def number(v): return f'{v:.2f}' if v == 0 or v >= .005 else f'{v:.0e}'
    def value(r):
        if r['value'] is None or math.isnan(r['value']): return 'not measured'
        return number(r['value']) + f" ({number(r['low'])} to {number(r['high'])})"*(r['low'] != r['high'])
    met = {True: 'yes', False: '**no**', None: ''}
    rows = [(r['name'], value(r), r['goal'], met[r['met']], r['note']) for r in lines]
    return pd.DataFrame(rows, columns=['what', 'ratio', 'goal', 'met', 'size'])
