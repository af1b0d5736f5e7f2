"""Hands each input to the program, and says what happens: python -m tests.corpus FOLDER [--few] [PART ...]"""
import gc
import os
import re
import resource
import select
import shlex
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from importlib import import_module
from pathlib import Path

from spact import cli
from spact.files import read_json
from spact.video import scan_video
from tests.corpus.models import begun, models
from tests.corpus.places import places
from tests.corpus.tables import tables
from tests.corpus.videos import videos

for name in ('demo', 'export', 'anonymize_folder', 'official_marionette', 'official'):
    import_module(f'spact.{name}') # takes seconds: once, and not in each process
MEMORY, CPU, WALL = 2 << 30, 60, 600 # bytes and seconds that a process may take; the first beyond the program itself
PARTS = {f.__name__: f for f in (videos, tables, models, begun, places)}


def kill_in(where):
    "Let the process be killed when 'module.function', or a method that is patched there, is called"
    module, name = where.rsplit('.', 1)
    place = import_module(module)
    classes = [c for c in vars(place).values() if isinstance(c, type) and name in vars(c)]
    def die(*a, **kw): os.kill(os.getpid(), signal.SIGKILL)
    for owner in [place] if place.__dict__.get(name) else classes: setattr(owner, name, die)


def become_program(jobs, done):
    "In a process of its own: limit it, be `spact` for one case after another, and write each exit code into `done`"
    used = int(Path('/proc/self/statm').read_text().split()[0])*resource.getpagesize()
    limits = {resource.RLIMIT_AS: used+MEMORY, resource.RLIMIT_CPU: CPU, resource.RLIMIT_CORE: 0}
    for what, most in limits.items(): resource.setrlimit(what, (most, most))
    for case, argv, log in jobs:
        for fd in (1, 2): os.dup2(log[fd-1], fd)
        resource.setrlimit(resource.RLIMIT_FSIZE, (case.grow, resource.RLIM_INFINITY))
        if case.dies: kill_in(case.dies)
        sys.argv, code = ['spact', *argv], 0
        try: cli.main()
        except SystemExit as e: code = e.code or 0
        except BaseException:
            traceback.print_exc()
            code = 99
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(done, bytes([code]))
    os._exit(0)


def find_unfinished(case, code, out):
    "'', or what should not be there: a file under its name is whole, a refused input leaves none; drawn ones are kept"
    files = [p for p in out.rglob('*') if p.is_file()]
    hidden, named = ([p for p in files if (p.name[0] == '.') == h] for h in (True, False))
    for p in named:
        if p.suffix in ('.mp4', '.mkv', '.mov'): scan_video(p)
        if p.suffix == '.json': read_json(p)
    left = hidden*(code >= 0) + named*(code not in (0, 1) and case.argv[0] != 'data')
    return f'left {left}' if left else ''


def judge(case, code, err, out):
    "'' if all is well, or what went wrong"
    made = [p for p in out.rglob('*') if p.is_file() and p.name[0] != '.']
    lines = [line for line in re.split('[\r\n]+', err) if line.startswith('spact: ')]
    if code not in case.codes or 'Traceback' in err: return f'code {code}: {err[-1500:]}'
    if code in (1, 2) and case.argv[0] != 'data' and not lines: return f'no line: {err[-500:]}'
    is_one = len(lines) == 1 and lines[0].isprintable() and case.names.replace('OUT', str(out)) in lines[0]
    if code == 2 and not is_one: return f'the line does not name {case.names}: {err[-500:]}'
    if code == 1 and case.kind == 'folders' and case.names not in [p.name for p in made]: return f'no {case.names}'
    return find_unfinished(case, code, out)


def hand_over(jobs):
    "Exit codes of cases that share a process; where it ends before the last of them, what ended it is the last code"
    (r, w), codes, end = os.pipe(), b'', time.monotonic() + WALL
    if not (pid := os.fork()): become_program(jobs, w)
    os.close(w)
    while len(codes) < len(jobs) and select.select([r], [], [], max(0, end-time.monotonic()))[0]:
        if not (part := os.read(r, 99)): break
        codes += part
    if time.monotonic() > end: os.kill(pid, signal.SIGKILL)
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(r)
    return [*codes] + [ended]*(len(codes) < len(jobs))


def handle(cases, root):
    "Run some cases, a process for all of them, and judge each"
    jobs, codes = [], []
    for i, case in enumerate(cases):
        out = root/f'{i}'/'out'
        out.mkdir(parents=True)
        log = [os.open(root/f'{i}'/name, os.O_RDWR | os.O_CREAT) for name in ('stdout', 'stderr')]
        jobs.append((case, [a.replace('OUT', str(out)) for a in case.argv], log))
    while len(codes) < len(jobs): codes += hand_over(jobs[len(codes):]) # one that dies does not take others along
    for fd in (fd for *_, log in jobs for fd in log): os.close(fd)
    for i, (case, code) in enumerate(zip(cases, codes, strict=True)):
        folder = root/f'{i}'
        yield case, judge(case, code, (folder/'stderr').read_text(errors='replace'), folder/'out')
    shutil.rmtree(root)


def share(cases, n=8):
    "Cases that may share a process; one that is killed, or meets a full disk, has its own"
    group = []
    for case in cases:
        is_alone = case.dies or case.grow < 1 << 30
        if group and (is_alone or len(group) == n):
            yield group
            group = []
        group.append(case)
        if is_alone:
            yield group
            group = []
    if group: yield group


def pick_few(cases, least=4):
    "A quarter of each kind, evenly spread over it, or `least` of a small one"
    kinds, few = {}, []
    for case in cases: kinds.setdefault(case.kind, []).append(case)
    for found in kinds.values():
        n = min(len(found), max(least, -(-len(found)//4)))
        few += [found[i*len(found)//n] for i in range(n)]
    return few


def run(root, *parts, few=False):
    "Make the corpus, or some of its parts, and see what happens: kind -> number, and a line for each that went wrong"
    counts, wrong = Counter(), []
    gc.freeze() # what is here before a process is split off stays one copy
    for part in parts or PARTS:
        room = root/part
        room.mkdir(parents=True)
        cases = list(PARTS[part](room))
        for i, group in enumerate(share(pick_few(cases) if few else cases)):
            for case, why in handle(group, root/'runs'/f'{part}{i}'):
                if why: wrong.append(f'{case.kind}: {shlex.join(case.argv)}: {why}')
                counts[case.kind] += 1
    return counts, wrong


if __name__ == '__main__':
    parts = [a for a in sys.argv[2:] if a != '--few']
    counts, wrong = run(Path(sys.argv[1]).absolute(), *parts, few=len(parts) < len(sys.argv[2:]))
    for w in wrong: print(w, '\n')
    kinds = ', '.join(f'{k} {n}' for k, n in counts.items())
    print(f'{sum(counts.values())} damaged and hostile inputs, {len(wrong)} handled badly: {kinds}')
    sys.exit(bool(wrong))
