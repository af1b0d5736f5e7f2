"""All benches by name, and what of them goes into a JSON file."""
from dataclasses import replace

import torch
from tqdm import tqdm

from benchmarks.losses import bench_ntxent
from benchmarks.race import list_lines, one_thread
from benchmarks.rates import bench_stream, list_ratios, run_rates
from benchmarks.reading import bench_augment, bench_frames, bench_reader
from benchmarks.steps import bench_flops, bench_gradients, bench_memory, bench_step
from spact.config import GameConfig
from spact.errors import BadInput
from spact.files import get_provenance

BENCHES = 'flops', 'step', 'memory', 'gradients', 'ntxent', 'reader', 'frames', 'augment', 'stream', 'files'
SMALL = 'step', 'memory', 'stream', 'files' # their goals are meant for the published size
QUICK = tuple(n for n in BENCHES if n != 'files')


def plan(
    quick: bool, # small sizes
    device: str, # of the step and its memory
    fps: dict,   # gets the frames per second of `files`
    tick,        # called after each run
) -> dict: # name -> () -> list of `Ratio`
    "Give each bench its sizes."
    full = GameConfig.paper() if device != 'cpu' else GameConfig.paper(clips=2, pairs=4)
    cfg, size, rounds = (replace(full, fa='small', n_frames=8), 56, 2) if quick else (full, 112, 5)
    rows = 512 if quick else 2048 if device == 'cpu' else 8192
    few = replace(cfg, clips=2, pairs=4)
    def files():
        result = run_rates(quick=quick, progress=False)
        fps.update(result['fps'])
        return list_ratios(result)
    return dict(
        flops=bench_flops,
        step=lambda: bench_step(cfg, size, rounds, device, rows, on_run=tick),
        memory=lambda: bench_memory(cfg if device != 'cpu' else few, size, device, on_run=tick),
        gradients=lambda: bench_gradients(few, 32, on_run=tick),
        ntxent=lambda: bench_ntxent((64, 256) if quick else (64, 256, 1024), rounds, on_run=tick),
        reader=lambda: bench_reader(rounds, (7,) if quick else (7, 60), on_run=tick),
        frames=lambda: bench_frames(4 if quick else 16, on_run=tick),
        augment=lambda: bench_augment(rounds, 20 if quick else 200, on_run=tick),
        stream=lambda: bench_stream('small' if quick else 'paper', size, rounds, on_run=tick),
        files=files)


def run_bench(
    names: tuple | None = None, # which of `BENCHES`; None: all of them, when `quick` without 'files'
    quick: bool = False,        # small sizes, a minute or two on a CPU; then those in `SMALL` have no goals
    device: str = 'cpu',        # of the step and its memory: 'cpu' or 'cuda'
    progress: bool = True,      # show a bar
) -> dict: # `lines`: `Ratio`s as dicts, with `met`; `fps` of `run_rates`; `quick`, `device`, `provenance`
    "Run benches, on one CPU thread."
    names = names or (QUICK if quick else BENCHES)
    if bad := [n for n in names if n not in BENCHES]:
        raise BadInput(f'no bench {bad[0]!r}; there are {", ".join(BENCHES)}')
    if device != 'cpu' and not torch.cuda.is_available(): raise BadInput(f'device: torch sees no {device}; choose cpu')
    ratios, fps = [], {}
    with one_thread(), tqdm(desc='bench', disable=not progress, unit='run') as bar:
        benches = plan(quick, device, fps, bar.update)
        for n in names:
            bar.set_description(n)
            ratios += [r._replace(goal='') if quick and n in SMALL else r for r in benches[n]()]
    return dict(lines=list_lines(ratios), fps=fps, quick=quick, device=device, provenance=get_provenance(0))
