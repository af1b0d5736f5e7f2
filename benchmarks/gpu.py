"""What a GPU does with the paper's game: the same numbers, how fast, and how far it comes in the minutes left.

`python -m benchmarks gpu` takes at most eight minutes of one GPU, and needs nothing but torch, torchvision and what the
package itself is made of. First the same work on the CPU and on the device, whose results have to agree. Then a pair of
steps at the published size, in the release's order and in ours. Last the paper's preset on Marionette, as long as the
time lasts; started again in the same folder, it goes on. Without a GPU everything runs on the CPU at a hundredth of the
size, which shows that the script works, and nothing about a GPU."""
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks.race import Ratio, absent, clock, list_lines, one_value
from benchmarks.steps import GPU_WAYS, WAYS, count_pair, make_batch, make_pair, measure_peak, share_views
from spact.attackers import attack_action, attack_attributes, score_action, score_attributes
from spact.bank import anonymize_bank
from spact.baselines import train_noisy_features
from spact.config import AttackConfig, EngineConfig, GameConfig
from spact.core import seeded
from spact.errors import BadInput
from spact.files import get_provenance
from spact.game import make_game
from spact.marionette import draw_split
from spact.minimax import step_a, step_tb
from spact.person_boxes import Coco
from spact.precision import Precision
from spact.runs import read_log
from spact.unet import make_anonymizer


class Check(NamedTuple):
    "The same work on the CPU and on a device."
    name: str     # what was done
    off: float    # largest distance of what came out
    limit: float  # what is allowed
    note: str = '' # of what the distance is


# --- the same numbers -------------------------------------------------------------------------------------------------
def place(split, device): return split._replace(bank=split.bank.to(device)) # its clips are handed out there


def both(work: Callable, device: str): # of a device -> a tensor; here and there, both on the CPU
    "Do some work twice."
    return [work(d).detach().double().cpu() for d in ('cpu', device)]


def distance(a, b): return ((a-b).norm()/a.norm().clamp(min=1e-12)).item() # relative


def check_step(device: str) -> Check:
    "Take the gradients of a step A and a step TB, in float64."
    def work(d):
        cfg = GameConfig.tiny(clips=3, pairs=4)
        game = make_game(cfg, 5, engine=Precision(EngineConfig(device=d)))
        nets = game.fa, game.ft, game.fb
        game.opt_a, game.opt_t, game.opt_b = (torch.optim.SGD(n.double().parameters(), lr=0) for n in nets)
        with seeded('gpu'): (x, y), views = make_batch(cfg, 32, 'cpu', torch.float64)
        clips, views = (x.to(d), y.to(d)), views._replace(v0=views.v0.to(d), v1=views.v1.to(d))
        step_a(game, clips, views, cfg)
        fa = [w.grad.clone() for w in game.fa.parameters()]
        step_tb(game, [clips], [views], cfg)
        return torch.cat([g.flatten().cpu() for g in (*fa, *(w.grad for n in nets[1:] for w in n.parameters()))])
    return Check('one step', distance(*both(work, device)), 1e-6, 'relative, of all gradients, float64')


def check_attack(device: str) -> Check:
    "Train an attacker of each kind by two updates, and score the videos."
    cfg, split = AttackConfig.tiny(steps_t=2, steps_b=2, lr=1e-5), draw_split(12)
    def work(d):
        s = place(split, d)
        t = attack_action(s.bank, s.y, 8, cfg)[1]
        b = attack_attributes(s.bank, s.p, cfg)[1]
        return torch.cat([score_action(t, s.bank, cfg).flatten(), score_attributes(b, s.bank, cfg).flatten()])
    a, b = both(work, device)
    return Check('one attack', (a-b).abs().max().item(), 1e-3, 'largest difference of a probability')


def check_anonymizing(device: str) -> Check:
    "Send videos through an f_A, to bytes."
    with seeded('gpu'): fa = make_anonymizer('small').eval()
    bank = draw_split(6).bank
    a, b = both(lambda d: anonymize_bank(bank.to(d), fa.to(d)).frames.float(), device)
    return Check('anonymizing', (a-b).abs().max().item(), 1., 'largest difference, grey levels')


def check_noisy(device: str) -> Check:
    "Train Noisy Features by two updates."
    cfg, split = GameConfig.tiny(steps=2, lr_a=1e-5, init_lr=1e-5), draw_split(8)
    def work(d):
        fa = train_noisy_features(place(split, d), place(split, d), cfg)
        at = next(fa.parameters()).device
        return fa(split.bank.frames[:8].to(at).float()/255)
    a, b = both(work, device)
    return Check('noisy features', (a-b).abs().max().item(), 1e-3, 'largest difference of a pixel in [0,1]')


def check_detector(device: str) -> Check:
    "Look for people, with random weights that take anything for one."
    frames = draw_split(2).bank.frames[:4]
    with seeded('gpu'): see = Coco(score=0., weights='none')
    def work(d):
        see.net.to(d)
        with torch.no_grad(): return torch.cat([f['scores'] for f in see.net([f.to(d) for f in frames.float()/255])])
    a, b = both(work, device)
    if a.shape != b.shape: return Check('detector', float('inf'), 1e-3, 'not as many boxes')
    return Check('detector', (a-b).abs().max().item() if len(a) else 0., 1e-3, 'largest difference of a score')


CHECKS = check_step, check_attack, check_anonymizing, check_noisy, check_detector


# --- how fast ---------------------------------------------------------------------------------------------------------
class Size(NamedTuple):
    "How much is measured."
    cfg: GameConfig # of the step
    px: int         # of its frames
    rows: int       # of the matrices whose product is the peak
    rounds: int     # of a step pair, behind one that warms up
    drawn: tuple    # options of the drawn data sets
    played: tuple   # options of the paper's preset


def choose_size(device: str) -> Size:
    "All of it for a GPU, a hundredth for a CPU."
    if device != 'cpu':
        drawn = '--train', '480', '--val', '48', '--test', '48', '--size', '112', '--frames', '48'
        return Size(GameConfig.paper(augment='none'), 112, 8192, 5, drawn, ('--precision', 'bf16'))
    cfg = GameConfig.paper(augment='none', clips=2, pairs=2, n_frames=4)
    drawn = '--train', '24', '--val', '2', '--test', '8', '--size', '32', '--frames', '8' # fewer cannot be divided
    few = '--game.steps 2 --init-steps-a 1 --init-steps-t 1 --init-steps-b 1 --attack.steps-t 2 --attack.steps-b 2 '
    few += '--game.clips 2 --game.pairs 2 --game.n-frames 4 --game.short clamp --reading.size 32 '
    few += '--attack.n-frames 4 --attack.batch-t 2 --attack.batch-b 2 --attack.views 1'
    return Size(cfg, 64, 1024, 1, drawn, tuple(few.split()))


def time_way(size: Size, way: str, device: str) -> list: # of `Ratio`s: ms, clips a second, share of the peak, memory
    "Measure a pair of steps."
    gpu = device != 'cpu'
    if gpu: torch.cuda.empty_cache()
    pair = make_pair(size.cfg, size.px, way, device)
    pair()
    if gpu: torch.cuda.reset_peak_memory_stats()
    seconds = sorted(clock(pair, device) for _ in range(size.rounds))
    mid, low, high = seconds[len(seconds)//2], seconds[0], seconds[-1]
    flops = count_pair(share_views(size.cfg, way), way == 'release', size.px)
    peak = measure_peak('fp32' if way == 'release' else way, device, size.rows)
    def line(what, f, note=''): return Ratio(f'{what}, {way}', f(mid), f(high), f(low), note=note)
    note = f'{flops/1e12:.3g} TFLOP, {peak/1e12:.3g} TFLOP/s'
    lines = [line('ms a step pair', lambda s: 1000*s), line('clips a second', lambda s: size.cfg.clips/s),
             line('share of the matrix peak', lambda s: flops/s/peak, note)]
    if gpu: return [*lines, one_value(f'GB at the peak, {way}', torch.cuda.max_memory_allocated()/1e9)]
    return lines


def time_ways(size: Size, device: str, until: float) -> list: # of `Ratio`s
    "Measure the release's order and ours, as long as there is time."
    lines, ms = [], {}
    for way in WAYS | GPU_WAYS if device != 'cpu' else ('release', 'fp32'): # few CPUs have units for bfloat16
        if time.monotonic() > until: lines.append(absent(f'ms a step pair, {way}', 'no time was left'))
        else:
            lines += time_way(size, way, device)
            ms[way] = lines[-4 if device != 'cpu' else -3].value
    ours = {w: v for w, v in ms.items() if w != 'release'}
    best = min(ours, key=lambda w: ours[w])
    goal = '>= 6' if device != 'cpu' else '' # a goal for a GPU alone
    return [one_value("times faster than the release's order", ms['release']/ours[best], goal, best), *lines]


# --- how far ----------------------------------------------------------------------------------------------------------
def play_preset(size: Size, folder: Path, seconds: float) -> dict: # `steps`, `seconds`, `lt`, `lb` of the last step
    "Run the paper's preset on drawn data sets until the time is over."
    root, out, began = folder/'root', folder/'out', time.monotonic()
    spact = [sys.executable, '-m', 'spact']
    for name in ('ucf101', 'vispr'):
        if (root/name).exists(): continue
        how = '--format', name, *size.drawn, '--workers', str(os.cpu_count())
        subprocess.run([*spact, 'data', 'synth', root/name, *how], check=True, stdout=subprocess.DEVNULL)
    order = [*spact, 'protocol', 'ucf101-vispr', '--data-root', root, '--out', out, '--preset', 'paper', *size.played,
             '--methods', 'raw,spact', '--workers', '0', *['--resume']*(out/'study.json').exists()]
    p = subprocess.Popen(order, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    left = seconds-(time.monotonic()-began)
    try: rc = (p.wait(max(1, left)), p.stderr.read().strip().splitlines()[-1:])
    except subprocess.TimeoutExpired:
        p.send_signal(signal.SIGINT) # as Ctrl-C does: what is done is kept
        with suppress(subprocess.TimeoutExpired): p.wait(20)
        p.kill()
        rc = None, ['stopped when the time was over; the same command goes on']
    log = [line for f in out.rglob('metrics.jsonl') for line in read_log(f.parent)]
    last = {k: log[-1]['tb'][k] for k in ('lt', 'lb')} if log else {}
    return dict(ended=rc[0], note=''.join(rc[1])[:200], steps=len(log), seconds=round(time.monotonic()-began), **last)


def run_gpu(
    folder: Path,               # for the data sets and the run; one that holds them goes on
    device: str | None = None,  # None: a GPU if there is one
    seconds: float = 480,       # for all of it
) -> dict: # for a JSON file: `lines`, `checks`, `played`, `device`, `is_gpu`, `provenance`
    "Check, measure and play, in a given time."
    device, end = device or ('cuda' if torch.cuda.is_available() else 'cpu'), time.monotonic()+seconds
    if device != 'cpu' and not torch.cuda.is_available(): raise BadInput(f'device: torch sees no {device}; choose cpu')
    size, checks = choose_size(device), [c(device) for c in CHECKS]
    for c in checks: print(f'{c.name}: {c.off:.2g} of {c.limit:g} ({c.note})', flush=True)
    lines = time_ways(size, device, end-seconds/2)
    played = play_preset(size, Path(folder), end-time.monotonic())
    found = [one_value(f'CPU and device, {c.name}', c.off, f'<= {c.limit}', c.note) for c in checks]
    name = torch.cuda.get_device_name() if device != 'cpu' else 'cpu, at a hundredth of the size: says nothing of a GPU'
    return dict(lines=list_lines(found+lines), checks=[c._asdict() for c in checks], played=played, device=name,
                is_gpu=device != 'cpu', provenance=get_provenance(0))
