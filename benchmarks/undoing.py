"""How far can what is shared be undone, with how many pairs, and what is the result good for?

`spact.auditing` undoes a method with a decoder of single frames that saw every training video shared and raw. Here the
same is asked as a curve, of a finished study of Marionette:

1. How many pairs does it take? The decoder learns from the first 32, 128, 512 and all training videos.
2. Which decoder? `frame` is that of the audit. `clip` sees a whole clip at once, by convolutions in space and time, and
   `features` is rewarded, beside for each pixel, for what a network of raw video sees in the result.
3. What is the result good for? Decibels (PSNR); the cMAP of a reader that was trained on raw video alone; and whether a
   raw video finds what was restored of it among all test videos, by encoders that were trained on raw video alone.

Of each decoder's two budgets the one counts whose validation videos came closer."""
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.uses import show
from spact.attackers import Standardize, attack_attributes, fit_attacker, score_attributes
from spact.auditing import (
    _attack_links,
    _attack_pixels,
    _embed,
    _measure_closeness,
    _rank_answers,
    _restore_bank,
    _Undo,
    _with_interval,
)
from spact.bank import Bank, Data
from spact.config import AttackConfig
from spact.core import fold_time, generator, seeded, unfold_time
from spact.files import get_provenance, read_json, write_json
from spact.game import channels_last
from spact.metrics import cmap, cmap_chance, interval, resamples, weighted_cmap
from spact.protocols import OWN, load_data
from spact.results import has_converged
from spact.sampler import sample_clip
from spact.study import load_study

CURVE = (32, 'frame'), (128, 'frame'), (512, 'frame'), (2048, 'frame'), (2048, 'clip'), (2048, 'features')


# --- decoders ---------------------------------------------------------------------------------------------------------
class ClipUndo(nn.Module):
    "The decoder of the audit, with convolutions in space and time in the place of its U-Net."
    def __init__(self, shown: Bank, raw: Bank, width: int = 24): # banks of the same training videos
        super().__init__()
        self.look, self.back = Standardize(shown), Standardize(raw)
        wide = [(3, 1), (width, 2), (width, 4), (width, 2)] # channels in, and how far apart the pixels are
        def look(c, d): return nn.Conv3d(c, width, 3, padding=(1, d, d), dilation=(1, d, d)), nn.ReLU()
        layers = [m for c, d in wide for m in look(c, d)]
        self.net = nn.Sequential(*layers, nn.Conv3d(width, 3, 3, padding=1))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x: Tensor) -> Tensor: # (B,3,T,H,W) in [0,1] to a guess at the raw clip, about [0,1]
        z, t = self.look(fold_time(x)), x.shape[2]
        return unfold_time(z*self.back.spread + self.back.mean, t) + self.net(unfold_time(z, t))


def _miss(a, b): return ((a-b).abs()-.5/255).clamp(min=0).square().mean() # less than half a grey level is none


def learn_clips(
    shown: Bank,       # anonymized training videos
    raw: Bank,         # the same videos, raw
    cfg: AttackConfig, # `steps_b`, `batch_t` and `n_frames` of a batch
    seed: int = 0,     # of weights and batches
) -> tuple[nn.Module, nn.Module]: # half and full budget
    "Train the decoder of clips."
    with seeded(seed, 'undo clips'): net = channels_last(ClipUndo(shown, raw))
    def loss(net, k):
        g = generator(seed, 'undo clips', k)
        i = torch.randint(len(raw), (cfg.batch_t,), generator=g)
        j = sample_clip(raw.n_frames[i], cfg.n_frames, 1, g)
        return _miss(net(shown.take(i, j)), raw.take(i, j))
    return fit_attacker(net, loss, cfg.count_updates('b', len(raw)), cfg)


def learn_features(
    shown: Bank,       # anonymized training videos
    raw: Bank,         # the same videos, raw
    eye: nn.Module,    # a reader of raw frames, whose logits are to be the same
    cfg: AttackConfig, # `steps_b`, `batch_b`
    seed: int = 0,     # of weights and batches
    weigh: float = .01, # of a squared logit, against a squared pixel
) -> tuple[nn.Module, nn.Module]: # half and full budget
    "Train the decoder of frames for pixels and for what a network sees in them."
    with seeded(seed, 'undo'): net = channels_last(_Undo(shown, raw))
    eye = eye.eval().requires_grad_(False)
    def loss(net, k):
        g = generator(seed, 'undo', k)
        i = torch.randint(len(raw), (cfg.batch_b,), generator=g)
        j = sample_clip(raw.n_frames[i], 1, 1, g)
        made, truth = net(shown.take(i, j)[:, :, 0]), raw.take(i, j)[:, :, 0]
        return _miss(made, truth) + weigh*(eye(made)-eye(truth)).square().mean()
    return fit_attacker(net, loss, cfg.count_updates('b', len(raw)), cfg)


@torch.no_grad()
def restore(net: nn.Module, shown: Bank) -> Bank: # in bytes; the videos have one length
    "Send every video through a decoder, whichever it is."
    if not isinstance(net, ClipUndo): return _restore_bank(net, shown)
    def decode(i): # the frames of videos `i`
        whole = torch.arange(int(shown.n_frames[0])).expand(len(i), -1)
        return (fold_time(net(shown.take(i, whole))).clamp(0, 1)*255).round().byte()
    return replace(shown, frames=torch.cat([decode(i) for i in torch.arange(len(shown)).split(32)]))


# --- what a result is good for ----------------------------------------------------------------------------------------
def make_judges(
    raw: Data,         # as it was filmed
    cfg: AttackConfig, # budget of readers and encoders
    seed: int = 0,     # of their weights and batches
) -> tuple: # bank of test videos -> its scores; and another reader, to reward a decoder by
    "Train what looks at restored videos: on raw video alone."
    def read_val(net): return cmap(score_attributes(net, raw.val.bank, cfg), raw.val.p)
    reader, eye = (max(attack_attributes(raw.train.bank, raw.train.p, cfg, s), key=read_val) for s in (seed, seed+1))
    each = torch.arange(len(raw.train.bank))
    finder = _attack_links(raw.train.bank, raw.train.bank, each, cfg, seed)[1]
    asked, w = _embed(finder.raw, raw.test.bank, cfg.views), resamples(len(raw.test.p), generator('audit'))
    def judge(bank):
        scores, answers = score_attributes(reader, bank, cfg), _embed(finder.shown, bank, cfg.views)
        read = dict(mean=cmap(scores, raw.test.p), interval=list(interval(weighted_cmap(scores, raw.test.p, w))))
        return dict(psnr=_with_interval(_measure_closeness(bank, raw.test.bank)[0]), read=read,
                    linked=_with_interval(_rank_answers(asked@answers.T, torch.arange(len(bank)))[0]))
    return judge, eye


def undo(
    raw: Data,         # as it was filmed
    shown: Data,       # as it is shared
    pairs: int,        # videos of which both are known: the first of the training videos
    how: str,          # 'frame', 'clip' or 'features'
    cfg: AttackConfig, # budget
    judge,             # of `make_judges`
    eye: nn.Module,    # of `make_judges`
    seed: int = 0,     # of weights and batches
) -> dict: # what `judge` says, and `half` and `full`: dB on validation videos
    "Undo a method with so many pairs."
    few = torch.arange(min(pairs, len(raw.train.bank)))
    banks = shown.train.bank.subset(few), raw.train.bank.subset(few)
    if how == 'clip': nets = learn_clips(*banks, cfg, seed)
    else: nets = learn_features(*banks, eye, cfg, seed) if how == 'features' else _attack_pixels(*banks, cfg, seed)
    half, full = (float(_measure_closeness(restore(n, shown.val.bank), raw.val.bank)[0].mean()) for n in nets)
    found = judge(restore(nets[full >= half], shown.test.bank))
    return dict(pairs=len(few), how=how, half=half, full=full, converged=has_converged(half, full, limit=.5)) | found


# --- the run ----------------------------------------------------------------------------------------------------------
def run_undoing(
    folder: Path,        # a study of Marionette, as `spact demo` leaves it
    methods: tuple,      # of it, a front, or 'light'
    out: Path | None = None, # JSON; what it holds is not measured again
    seed: int = 0,       # of methods and networks
    steps: int | None = None, # updates; None: those of the study's attackers
    curve: tuple = CURVE, # pairs, and the decoder
    progress: bool = True, # show a bar
) -> dict: # `rows`: method -> a list, of which the first is not restored; `raw`; `guess` of a link; `provenance`
    "Undo methods along the curve."
    cfg = load_study(folder)
    attack = cfg.attack if steps is None else replace(cfg.attack, steps_t=steps, steps_b=steps)
    rows = read_json(out)['rows'] if out and Path(out).exists() else {}
    data = load_data(Path(folder)/'cache', OWN.fa)
    judge, eye = make_judges(data, attack, seed)
    result = dict(raw=judge(data.test.bank), guess=1/len(data.test.bank), chance=cmap_chance(data.test.p), rows=rows,
                  seed=seed, steps=attack.steps_b, provenance=get_provenance(seed))
    with tqdm(total=len(methods)*len(curve), desc='undoing', disable=not progress) as bar:
        for m in methods:
            shown = show(Path(folder), m, seed, data)
            held = rows.setdefault(m, [dict(pairs=0, how='none') | judge(shown.test.bank)])
            for pairs, how in curve:
                if not any((r['pairs'], r['how']) == (pairs, how) for r in held):
                    held.append(undo(data, shown, pairs, how, attack, judge, eye, seed))
                if out: write_json(out, result)
                bar.update()
    return result


def tabulate_undoing(result): # lines for a person
    lines = [f'{"method":14}{"pairs":>6} {"decoder":10}{"dB":>6}{"read, cMAP":>12}{"linked, rank-1":>16}']
    return lines + [f'{m:14}{r["pairs"]:6} {r["how"]:10}{r["psnr"]["mean"]:6.1f}{100*r["read"]["mean"]:12.1f}'
                    f'{100*r["linked"]["mean"]:16.1f}' for m, rs in result['rows'].items() for r in rs]
