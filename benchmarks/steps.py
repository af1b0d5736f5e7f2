"""A pair of steps of the game against the release's order: gradients, arithmetic, time and memory.

The release's training script, in our words [R]. In its first step, clips and the two views pass through f_A one after
another, the loss is taken back through everything, and gradients are computed for the weights of f_T and f_B too,
which do not move. In its second step f_A stays as it is, but its graph is kept and gone back through, for gradients
that nothing reads. Networks are laid out as torch lays them out, and all is float32."""
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.race import (
    Ratio,
    absent,
    can_measure_memory,
    clock,
    compare,
    measure_memory,
    one_value,
    race,
    race_apart,
)
from spact.batches import Moments, Views
from spact.config import EngineConfig, GameConfig
from spact.core import fold_time, seeded, unfold_time
from spact.game import Engine, Game, make_game
from spact.minimax import step_a, step_tb
from spact.objective import loss_a, loss_t
from spact.precision import PRECISIONS, keep_freed
from spact.streaming import make_engine

CLASSES = 101 # actions, as in UCF101


# --- the release's order ----------------------------------------------------------------------------------------------
def pass_three(fa, x, views, joint):
    "Clips and views through f_A, one after another, or `joint`, in one pass."
    if not joint: return [unfold_time(fa(fold_time(x)), x.shape[2]), *map(fa, views)]
    out = fa(torch.cat([fold_time(x), *views])).split([x.shape[0]*x.shape[2], *map(len, views)])
    return [unfold_time(out[0], x.shape[2]), *out[1:]]


def lay_out_plainly(game):
    "Lay the networks out in memory as torch does by itself."
    for net in (game.fa, game.ft, game.fb): net.to(memory_format=torch.contiguous_format)


def release_a(
    game: Game,          # f_A moves
    clips: tuple,        # x (B,3,T,H,W) and y (B,)
    views: Views,        # for f_B
    omega: float = 1.,   # weight of L_B
    joint: bool = False, # one pass of f_A for all, so that its BatchNorm sees what ours sees
) -> None:
    "Take the release's first step, in its order."
    game.fa.train()
    game.ft.eval()
    game.fb.eval()
    xa, *va = pass_three(game.fa, clips[0], views[:2], joint)
    loss = loss_a(loss_t(game.ft(xa), clips[1]), game.objective(game.fb, *va), omega)
    for opt in (game.opt_a, game.opt_t, game.opt_b): opt.zero_grad()
    loss.backward()
    game.opt_a.step()


def release_tb(
    game: Game,   # f_T and f_B move
    clips: tuple, # as above
    views: Views, # as above
) -> None:
    "Take the release's second step, in its order."
    game.fa.eval()
    game.ft.train()
    game.fb.train()
    xa, *va = pass_three(game.fa, clips[0], views[:2], False)
    for opt in (game.opt_a, game.opt_t, game.opt_b): opt.zero_grad()
    loss_t(game.ft(xa), clips[1]).backward()
    game.opt_t.step()
    game.objective(game.fb, *va).backward()
    game.opt_b.step()


# --- what is measured -------------------------------------------------------------------------------------------------
def make_batch(
    cfg: GameConfig,     # `clips`, `pairs`, `n_frames`, `views`
    size: int = 112,     # px
    device: str = 'cpu', # where the tensors are; 'meta': shapes only
    dtype: torch.dtype = torch.float32, # of the pictures
) -> tuple: # (x, y), and `Views` or `Moments`: noise, which takes as long as video
    "Make a batch to measure with."
    def noise(*shape): return torch.rand(*shape, device=device, dtype=dtype)
    clips = noise(cfg.clips, 3, cfg.n_frames, size, size), torch.arange(cfg.clips, device=device) % CLASSES
    if cfg.views == 'shared': return clips, Moments(torch.tensor([[0, cfg.n_frames-1]]*cfg.clips, device=device))
    return clips, Views(noise(cfg.pairs, 3, size, size), noise(cfg.pairs, 3, size, size))


def make_steps(
    cfg: GameConfig,   # networks and sizes of batches
    size: int,         # px
    engine: Engine,    # what carries out our steps
    release: bool,     # in the release's order; otherwise in ours
    dtype: torch.dtype = torch.float32, # of the pictures
) -> tuple: # (game, step A, step TB), the steps to be called
    "Make a game and its two steps."
    game, (clips, views) = make_game(cfg, CLASSES, engine=engine), make_batch(cfg, size, engine.device, dtype)
    if release:
        lay_out_plainly(game)
        return game, lambda **kw: release_a(game, clips, views, cfg.omega, **kw), lambda: release_tb(game, clips, views)
    return game, lambda: step_a(game, clips, views, cfg), lambda: step_tb(game, [clips], [views], cfg)


# --- gradients --------------------------------------------------------------------------------------------------------
# Ours does the same work: from the same state and in float64, f_A's gradient is that of the plain order when f_A's
# BatchNorm sees the same batch, and so are those of f_T and f_B. In float32 a deep network at its random start
# multiplies rounding, and the distance would mean nothing.

def take_gradients(
    cfg: GameConfig, # networks and sizes of batches; `views` is 'frames'
    size: int,       # px
    release: bool,   # in the release's order; otherwise in ours
    seed: int = 0,   # of weights and batch
    engine: EngineConfig = EngineConfig(), # what carries out our steps
) -> dict: # 'fa', 'ft', 'fb' -> all gradients of that network in a row, float64
    "Compute what a pair of steps would move the players by."
    cfg = replace(cfg, norm_t='running', norm_b='running')
    with seeded('gradients', seed): game, a, tb = make_steps(cfg, size, make_engine(engine), release, torch.float64)
    nets = {n: getattr(game, n).double() for n in ('fa', 'ft', 'fb')}
    if release: lay_out_plainly(game)
    game.opt_a, game.opt_t, game.opt_b = (torch.optim.SGD(n.parameters(), lr=0) for n in nets.values()) # nothing moves
    def keep(*names): return {n: torch.cat([p.grad.flatten() for p in nets[n].parameters()]) for n in names}
    if release: a(joint=True)
    else: a()
    slopes = keep('fa')
    tb()
    return slopes | keep('ft', 'fb')


def bench_gradients(
    cfg: GameConfig, # networks and sizes of batches; `views` is 'frames'
    size: int,       # px
    *, on_run: Callable | None = None, # called after each run
) -> list: # a `Ratio`: the largest relative distance of the three networks
    "Measure how far our gradients are from those of the plain order, in float64."
    slopes = []
    for release in (True, False):
        slopes.append(take_gradients(cfg, size, release))
        if on_run: on_run()
    theirs, ours = slopes
    off = [((ours[n]-g).norm()/g.norm()).item() for n, g in theirs.items()]
    note = f'float64, {cfg.clips} clips of {cfg.n_frames} frames, {cfg.pairs} pairs, {size} px'
    return [Ratio('gradients, relative distance', max(off), min(off), max(off), '<= 1e-6', note)]


# --- arithmetic, counted ----------------------------------------------------------------------------------------------
# FLOPs can be counted without a machine to run them on: on torch's `meta` device tensors have shapes and no numbers,
# and torch's own counter adds up what each product would take. The published sizes are 24 clips of 16 frames of
# 112x112 px and 64 pairs of images; shared views take their pairs from the 24 clips. Most of it is f_A: it sees 16
# frames for every clip, twice in each pair of steps. The release's order spends up to a third of everything on
# gradients that nothing uses.

def count_flops(
    work: Callable, # on tensors of any device
) -> int: # floating point operations: 2 for each multiplication with addition
    "Count the arithmetic of some work (torch's FlopCounterMode)."
    valueless = patch.object(Tensor, 'item', lambda t: 1.) # a meta tensor has no value to log
    with FlopCounterMode(display=False) as counter, valueless: work()
    return counter.get_total_flops()


@cache
def count_pair(
    cfg: GameConfig,       # networks and sizes of batches
    release: bool = False, # in the release's order; otherwise in ours
    size: int = 112,       # px
) -> int: # FLOP of both steps
    "Count the arithmetic of a pair of steps."
    _, a, tb = make_steps(cfg, size, Engine(EngineConfig(device='meta')), release)
    return count_flops(a) + count_flops(tb)


def bench_flops() -> list: # `Ratio`s
    "Compare the arithmetic of a pair of steps at the published sizes, counted."
    theirs = count_pair(GameConfig.paper(), release=True)
    note = f'24 clips, 64 pairs, 112 px; the release: {theirs/1e12:.1f} TFLOP'
    ways = ('ours', {}, '<= 0.71'), ('shared', dict(views='shared', pairs=24), '<= 0.57')
    return [one_value(f'counted FLOPs, {name}', count_pair(GameConfig.paper(**change))/theirs, goal, note)
            for name, change, goal in ways]


# --- time -------------------------------------------------------------------------------------------------------------
# How long a pair of steps takes, and how much it uses of what the machine can do. That is measured too: the fastest
# product of two large square matrices. Many small operations that wait for memory keep a network from that peak,
# which is why the share, and not only the ratio, shows what is left to gain.
#
# On a CPU every way has a process of its own, so that none profits or suffers from what another leaves in memory.
# Ours keeps its memory from step to step, as it does in a game. On a GPU they share one process, and "fp32" means it:
# torch would otherwise let convolutions round to TF32 without being asked, so that is a way of its own.

@contextmanager
def tf32(
    on: bool, # let a GPU round what it multiplies to 10 bits
):
    "Choose how a GPU multiplies float32; on a CPU it changes nothing."
    places = torch.backends.cuda.matmul, torch.backends.cudnn
    was = [p.allow_tf32 for p in places]
    for p in places: p.allow_tf32 = on
    try: yield
    finally:
        for p, w in zip(places, was, strict=True): p.allow_tf32 = w


def measure_peak(
    way: str = 'fp32',   # begins with one of `PRECISIONS`, or with 'tf32'
    device: str = 'cpu', # where
    n: int = 2048,       # rows of the matrices
    rounds: int = 5,     # the fastest counts
) -> float: # floating point operations a second
    "Measure what the machine can do, by a product of matrices."
    a, b = torch.rand(2, n, n, device=device).to(PRECISIONS.get(way.split()[0]) or torch.float32)
    with tf32(way == 'tf32'): return 2*n**3/min(clock(lambda: a @ b, device) for _ in range(rounds+1))


# a way -> what it changes in an `EngineConfig`; 'shared' views are of the clips that f_T sees
WAYS = {'release': {}, 'fp32': {}, 'bf16': dict(precision='bf16'), 'bf16 shared': dict(precision='bf16')}
GPU_WAYS = {'tf32': {}, 'bf16 compile': dict(precision='bf16', compile=True),
            'bf16 shared compile': dict(precision='bf16', compile=True)}
GOALS = {'fp32': '>= 1.6', 'bf16': '>= 3.4', 'bf16 shared': '>= 4.0', 'bf16 compile': '>= 6'}


def share_views(
    cfg: GameConfig, # `views` is 'frames'
    way: str,        # one of `WAYS`
) -> GameConfig: # with shared views, where the way has them
    "Choose the views of a way."
    return replace(cfg, views='shared', pairs=cfg.clips) if 'shared' in way else cfg


def make_pair(
    cfg: GameConfig,     # networks and sizes of batches; `views` is 'frames'
    size: int,           # px
    way: str,            # one of `WAYS` or `GPU_WAYS`
    device: str = 'cpu', # where
) -> Callable: # both steps, to be run
    "Prepare a pair of steps."
    engine = make_engine(EngineConfig(device=device, **(WAYS | GPU_WAYS)[way]))
    _, a, tb = make_steps(share_views(cfg, way), size, engine, way == 'release')
    if way != 'release' and device == 'cpu': keep_freed(True) # as a game does; on a GPU all share a process
    def work():
        with tf32(way == 'tf32'):
            a()
            tb()
    return work


def share_of_peak(cfg, size, way, seconds, device, rows): # a `Ratio`: of what the machine can do, over the rounds
    flops = count_pair(share_views(cfg, way), way == 'release', size)
    peak = measure_peak('fp32' if way == 'release' else way, device, rows)
    mid, low, high = (flops/s/peak for s in (sorted(seconds)[len(seconds)//2], max(seconds), min(seconds)))
    t = flops/peak/mid
    note = f'{flops/1e12:.3g} TFLOP and {1000*t:.0f} ms a pair of steps, {cfg.clips/t:.3g} clips/s; '
    note += f'the peak is {peak/1e12:.3g} TFLOP/s'
    return Ratio(f'share of the matrix peak, {way}', mid, low, high, '', note)


def bench_step(
    cfg: GameConfig,     # networks and sizes of batches; `views` is 'frames'
    size: int,           # px
    rounds: int,         # see `race`
    device: str = 'cpu', # or 'cuda'
    rows: int = 2048,    # of the matrices whose product is the machine's peak
    *, on_run: Callable | None = None, # called after each run
) -> list: # `Ratio`s
    "Compare the release's order with ours, with more and more switches on."
    if device == 'cpu':
        seconds = race_apart({w: (make_pair, cfg, size, w) for w in WAYS}, rounds, device, on_run)
    else: # several processes would not find room
        seconds = race({w: make_pair(cfg, size, w, device) for w in WAYS | GPU_WAYS}, rounds, device, on_run)
    note = f'{cfg.clips} clips of {cfg.n_frames} frames and {cfg.pairs} pairs, {size} px'
    found = compare(seconds, GOALS, 'step pair, ', note)
    return found + [share_of_peak(cfg, size, w, s, device, rows) for w, s in seconds.items()]


# --- memory -----------------------------------------------------------------------------------------------------------
def make_step(
    cfg: GameConfig, # networks and sizes of batches; `views` is 'frames'
    size: int,       # px
    which: str,      # 'A' or 'TB'
    way: str,        # one of `WAYS`
    device: str = 'cpu', # where
) -> Callable: # the step, to be run once
    "Prepare one step."
    if device == 'cpu': keep_freed(way != 'release') # as a game does
    engine = make_engine(EngineConfig(device=device, **WAYS[way]))
    _, a, tb = make_steps(share_views(cfg, way), size, engine, way == 'release')
    return a if which == 'A' else tb


def bench_memory(
    cfg: GameConfig,     # networks and sizes of batches; `views` is 'frames'
    size: int,           # px
    device: str = 'cpu', # or 'cuda'
    *, on_run: Callable | None = None, # called after each run
) -> list: # `Ratio`s: shares of what the release's order needs
    "Measure the peak memory of each step beyond the networks."
    if not can_measure_memory(device): return [absent(f'memory, step {s}', 'only on Linux') for s in ('A', 'TB')]
    found = []
    for which, goal in (('A', '<= 0.5'), ('TB', '<= 0.3')):
        mib = {}
        for way in ('bf16 shared', 'release'):
            mib[way] = measure_memory(make_step, cfg, size, which, way, device, device=device)
            if on_run: on_run()
        note = f'{mib["bf16 shared"]:.0f} of {mib["release"]:.0f} MiB; '
        note += f'{cfg.clips} clips of {cfg.n_frames} frames and {cfg.pairs} pairs, {size} px'
        found.append(one_value(f'memory, step {which}, bf16 shared', mib['bf16 shared']/mib['release'], goal, note))
    return found
