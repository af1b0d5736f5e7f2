"""What shared video is good for that nobody trained for, and a method that shows why one has to ask.

Top-1 on the actions that f_T knows can be had for nothing: `label_only` shares, in the place of each video, a random
training clip of the action that a recognizer names in it. Its top-1 is that of the recognizer, and what it leaks of the
look is chance. It is also worthless, because the video that was filmed is not in it. Two questions show that, and they
are asked of every method of a finished study of Marionette:

1. What does a recognizer that was trained on raw video see in what is shared, without being trained again?
2. How well does a fresh network read from it how the figure moves: how fast (tempo, cycles a clip), where in its swing
   it begins (phase) and how far it swings (amplitude)? No player of any game has seen these numbers. R² is 1 for
   all of it and 0 for a guess."""
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from spact.action import make_action_net
from spact.attackers import attack_action, fit_attacker, score_action
from spact.bank import Data, anonymize_data
from spact.config import AttackConfig
from spact.core import generator, seeded
from spact.evaluation import evaluate_action, evaluate_privacy
from spact.files import get_provenance, read_json, write_json
from spact.game import channels_last
from spact.metrics import top1
from spact.models import load_model
from spact.protocols import OWN, load_data
from spact.study import load_study, open_method
from spact.synth import SPLITS, write_script

TARGETS = dict(tempo=[0], phase=[1, 2], amplitude=[3]) # columns of `read_movement`


# --- how a figure moves -----------------------------------------------------------------------------------------------
def read_movement(
    seed: int,    # of the benchmark
    rows: list,   # of its videos: `path` says which clip of which split
    t: int = 16,  # frames of a clip
) -> Tensor: # (N,4) float: tempo, sine and cosine of the phase, amplitude; each of mean 0 and spread 1 as it is drawn
    "Draw again what a clip's movement was drawn from, in the order in which the clip was."
    def one(path):
        split, i = Path(path).parts[-2], int(Path(path).stem)
        rng = np.random.default_rng([seed, SPLITS.index(split), i])
        write_script(rng)
        rng.normal(size=(2, t, 2)) # the camera's shake
        rng.uniform()              # the size of the figure
        tempo, phase, amplitude = (rng.uniform(-1, 1) for _ in range(3)) # as shares of their ranges
        around = math.pi*(phase+1)
        spread = math.sqrt(3), math.sqrt(2) # of a uniform number, of a sine
        return tempo*spread[0], math.sin(around)*spread[1], math.cos(around)*spread[1], amplitude*spread[0]
    return torch.tensor([one(r['path']) for r in rows])


def see_movement(bank): # (N,3,8,H,W): every second frame, from the first on
    idx = torch.arange(0, int(bank.n_frames.min()), 2)
    return lambda i: bank.take(i, idx.expand(len(i), -1))


@torch.no_grad()
def guess_movement(net, bank): # (N,4)
    see = see_movement(bank)
    return torch.cat([net(see(i)) for i in torch.arange(len(bank)).split(32)])


def explain(guess, truth): # target -> R², at most 1; 0 for the mean
    def r2(j): return 1-float((guess[:, j]-truth[:, j]).square().sum()/(truth[:, j]-truth[:, j].mean(0)).square().sum())
    return {k: r2(j) for k, j in TARGETS.items()}


def evaluate_movement(
    data: Data,          # as it is shared
    seed_drawn: int,     # of the benchmark
    cfg: AttackConfig,   # `steps_t`, `batch_t`, `lr`
    seed: int = 0,       # of weights and batches
) -> dict: # `r2` of each target on test videos; `half`, `full`: mean R² on validation videos
    "Train a fresh network to read how the figure moves, and test it."
    train, val, test = (read_movement(seed_drawn, s.bank.rows) for s in data[:3])
    with seeded(seed, 'movement'): net = channels_last(make_action_net(cfg.ft, 4))
    see = see_movement(data.train.bank)
    def draw(k):
        i = torch.randint(len(train), (cfg.batch_t,), generator=generator(seed, 'movement', k))
        return see(i), train[i]
    def loss(net, xy): return (net(xy[0])-xy[1]).square().mean()
    nets = fit_attacker(net, loss, cfg.count_updates('t', len(train)), cfg, None, draw)
    half, full = (sum(explain(guess_movement(n, data.val.bank), val).values())/len(TARGETS) for n in nets)
    return dict(r2=explain(guess_movement(nets[full >= half], data.test.bank), test), half=half, full=full)


# --- a clip of the right action ---------------------------------------------------------------------------------------
def swap_clips(
    data: Data,          # raw
    net,                 # f'_T, trained on raw video
    cfg: AttackConfig,   # how it looks
    seed: int = 0,       # of the choice
) -> Data: # each video is a training clip of the action that was named in it
    "Share a label, as video."
    def swap(name, s):
        named, g = score_action(net, s.bank, cfg).argmax(1).tolist(), generator(seed, 'label_only', name)
        def find(k):
            found = (data.train.y == k).nonzero().flatten()
            return found if len(found) else torch.arange(len(data.train.y))
        alike = {k: find(k) for k in set(named)}
        pick = [alike[k][torch.randint(len(alike[k]), (1,), generator=g)] for k in named]
        return s._replace(bank=replace(data.train.bank.subset(torch.cat(pick)), rows=s.bank.rows))
    return data._replace(**{n: swap(n, s) for n, s in zip(('train', 'val', 'test'), data)})


# --- the run ----------------------------------------------------------------------------------------------------------
def show(folder, method, seed, data): # the data as a method shares it; 'light': the model that ships with the package
    cfg = load_study(folder)
    fa = load_model('light').fa if method == 'light' else open_method(folder/'runs'/f'{method}-{seed}', method, cfg)
    return anonymize_data(data, fa, folder/'cache'/'shown')


def run_uses(
    folder: Path,        # a study of Marionette, as `spact demo` leaves it
    methods: tuple,      # of it; 'label_only' and 'light' are made here
    out: Path | None = None, # JSON; what it holds is not measured again
    seed: int = 0,       # of methods and networks
    steps: int | None = None, # updates; None: those of the study's attackers
    progress: bool = True, # show a bar
) -> dict: # `rows`: method -> `seen`, top-1 of a recognizer of raw video, and `movement`; `label_only`; `provenance`
    "Ask the two questions of each method."
    cfg, drawn = load_study(folder), read_json(Path(folder)/'data'/'config.json')['seed']
    attack = cfg.attack if steps is None else replace(cfg.attack, steps_t=steps, steps_b=steps)
    held = read_json(out)['rows'] if out and Path(out).exists() else {}
    data = load_data(Path(folder)/'cache', OWN.fa)
    half, full = attack_action(data.train.bank, data.train.y, len(data.actions), attack, seed)
    def seen(s, net): return top1(score_action(net, s.bank, attack), s.y)
    net = max((full, half), key=lambda n: seen(data.val, n))
    for m in tqdm(methods, 'uses', disable=not progress):
        if m in held: continue
        shown = swap_clips(data, net, attack, seed) if m == 'label_only' else show(Path(folder), m, seed, data)
        held[m] = dict(seen=seen(shown.test, net), movement=evaluate_movement(shown, drawn, attack, seed))
        if m == 'label_only':
            held[m] |= dict(action=evaluate_action(shown, attack, seed).to_dict(),
                            privacy=evaluate_privacy(shown, attack, seed).to_dict())
        result = dict(rows=held, seed=seed, steps=attack.steps_t, provenance=get_provenance(seed))
        if out: write_json(out, result)
    return result if methods else dict(rows=held)


def tabulate_uses(result): # lines for a person
    rows = {m: dict(seen=r['seen']) | r['movement']['r2'] for m, r in result['rows'].items()}
    heads = 'raw-trained top-1', 'R² tempo', 'R² phase', 'R² amplitude'
    lines = [f'{"method":14}' + ''.join(f'{h:>19}' for h in heads)]
    return lines + [f'{m:14}' + ''.join(f'{v:19.3f}' for v in r.values()) for m, r in rows.items()]
