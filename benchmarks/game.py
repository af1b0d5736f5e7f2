"""The game that the page Explore shows: played once on Marionette, attacked at some of its steps, kept small.

`python -m benchmarks game --folder RUN --out data/explore` plays the game of the preset `cpu` in RUN, or `--quick` that
of `quick`, and goes on with what is there. Then it trains fresh attackers on what f_A makes at every second
kept step, and on methods that need no training: linear ones, which take seconds, or, by `--attack`, networks with so
many updates. `--minutes` ends the game early; what was played until then is kept. It writes a run folder whose
checkpoints hold weights alone, in half precision: f_A of every kept step, f_T and f_B of the first, the middle and the
last. `explore.json` says what the attackers read, how long everything took, and on what machine."""
import json
import math
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from tqdm import tqdm

from spact.bank import Data, Split, anonymize_data
from spact.baselines import make_baseline
from spact.config import AttackConfig, EngineConfig, preset
from spact.evaluation import evaluate_action, evaluate_privacy
from spact.files import atomic, get_provenance, read_json, write_json
from spact.game import Engine
from spact.marionette import draw_split, list_columns
from spact.runs import PLAYERS, load_games, read_log, train
from spact.synth import ACTIONS

METHODS = 'raw', 'motion', 'blur', 'downsample4' # beside the game: what needs no training
ASKED = {'hat': 'a.hat', 'glasses': 'b.glasses'} # what a visitor guesses; and the scene
STUDY = dict(study='../results/marionette.json', # beside `data/explore`
             note='Marionette, drawn figures, at 32 px, three seeds. The clip of SPAct is by the game kept here.')
LINEAR = ('linear readers of the mean and the deviation of a clip’s frames, fitted by ridge regression; '
          'a network would read more')
SHOWN = 24 # test clips whose answers are kept one by one


def draw_data(
    size: int,                 # px
    n: tuple,                  # clips to learn from, to choose on, to test on
    seed: int = 0,             # of the benchmark
) -> Data:
    "Draw Marionette in memory."
    splits = [draw_split(k, size, seed, s) for k, s in zip(n, ('train', 'val', 'test'), strict=True)]
    columns = list_columns()
    of = {g: [c for c in columns if c.split('.')[0] == g] for g in dict.fromkeys(c.split('.')[0] for c in columns)}
    return Data(*splits, sorted(ACTIONS), columns, of)


# --- what fresh attackers read ----------------------------------------------------------------------------------------
def ask(scores, p, columns): # what a visitor is asked -> name -> a network's answers, and how often it is right
    found = {}
    for name, c in ASKED.items():
        s, truth = scores[:, columns.index(c)], p[:, columns.index(c)] > .5
        share = truth.float().mean().item()
        found[name] = dict(answers=[round(v, 3) for v in s[:SHOWN].tolist()], chance=max(share, 1-share),
                           right=((s > .5) == truth).float().mean().item())
    at = [i for i, c in enumerate(columns) if c.startswith('scene.kind=')]
    s, truth = scores[:, at], p[:, at].argmax(1)
    names = [columns[i].partition('=')[2] for i in at]
    found['scene'] = dict(answers=[names[k] for k in s.argmax(1)[:SHOWN].tolist()],
                          right=(s.argmax(1) == truth).float().mean().item(),
                          chance=truth.bincount(minlength=len(at)).max().item()/len(truth))
    return found


def read_shown(
    shown: Data,         # as it is shared
    cfg: AttackConfig,   # the same for every step and method
    seed: int = 0,       # of the attackers
) -> dict: # `action` and `privacy` as in a metrics.json, `asked`, `seconds`
    "Train both fresh attackers, and test them."
    began, kept = time.time(), []
    action = evaluate_action(shown, cfg, seed).to_dict()
    privacy = evaluate_privacy(shown, cfg, seed, keep=lambda s, p, video: kept.append((s, p))).to_dict()
    return dict(action=action, privacy=privacy, asked=ask(*kept[0], shown.columns), seconds=round(time.time()-began))


# --- what is kept of a run --------------------------------------------------------------------------------------------
def thin_log(lines, steps): # of `read_log` -> every tenth, and those of `steps`
    def short(d): return {k: v if v is None else round(v, 3) for k, v in d.items()}
    return [dict(step=r['step'], seen=short(r['seen'])) for r in lines if r['step'] % 10 == 0 or r['step'] in steps]


def keep_run(
    run: Path,  # of `train`, with checkpoints
    out: Path,  # a folder
    players: int = 3, # steps whose f_T and f_B are kept, from the first to the last
) -> None:
    "Keep of a run what looking back at it takes."
    games = load_games(run)
    steps = list(games)
    whole = {steps[round(k)] for k in torch.linspace(0, len(steps)-1, players).tolist()}
    for step, game in games.items():
        nets = {n: getattr(game, n) for n in PLAYERS if n == 'fa' or step in whole}
        held = {f'{n}.{k}': v.half() if v.is_floating_point() else v for n, net in nets.items()
                for k, v in net.state_dict().items()}
        with atomic(out/f'checkpoints/{step:06}.safetensors') as tmp:
            save_file({k: v.contiguous() for k, v in held.items()}, tmp, metadata=dict(step=json.dumps(step)))
    write_json(out/'run.json', read_json(run/'run.json'))
    with atomic(out/'metrics.jsonl') as tmp:
        tmp.write_text(''.join(json.dumps(r)+'\n' for r in thin_log(read_log(run), steps)))


class _Enough(Exception): "The time of the game is over."


# --- the run ----------------------------------------------------------------------------------------------------------
def run_game(
    folder: Path,          # of the run and of what attackers read; resumes
    out: Path,             # what is kept of it
    size: int = 48,        # px
    steps: int = 600,      # of the game
    attack: int = 0,       # updates of each attacker; 0: linear ones
    minutes: float = math.inf, # after which no step of the game begins; what was played is kept
    quick: bool = False,   # the game of the preset `quick` instead, on fewer clips
    seed: int = 0,         # of everything
) -> dict: # explore.json
    "Play, attack, keep."
    n, told = ((384, 96, 192), 384) if quick else ((2048, 128, 256), 768) # clips; and those attackers learn from
    cfg = replace(preset('quick' if quick else 'cpu').study.game, steps=steps)
    folder, out, data = Path(folder), Path(out), draw_data(size, n, seed)
    began, kept = time.time(), folder/'seconds.json'
    with tqdm(total=100, desc='game') as bar:
        def show(stage, share):
            bar.set_description(stage)
            bar.n = round(100*share, 1)
            bar.refresh()
            if stage == 'game' and time.time()-began > 60*minutes: raise _Enough
        engine = Engine(EngineConfig(keep_every=steps//10, save_every=20))
        source = dict(size=size, drawn='Marionette')
        with suppress(_Enough):
            train(folder/'run', *data[:2], cfg, seed, engine=engine, source=source, on_progress=show)
    if not kept.exists(): write_json(kept, dict(game=round(time.time()-began)))
    keep_run(folder/'run', out)
    usual = dict(steps_t=attack, steps_b=attack) if attack else dict(ft='linear', fb='linear')
    games, recipe = load_games(folder/'run'), AttackConfig(**usual)
    data = data._replace(train=Split(data.train.bank.subset(range(told)), data.train.y[:told], data.train.p[:told]))
    todo = {f'step {k}': games[k].fa for k in sorted(games)[::-2]} | {m: make_baseline(m) for m in METHODS}
    for name in tqdm(sorted(todo, key=lambda m: m not in (f'step {max(games)}', *METHODS)), 'attackers'):
        file = folder/f'read/{name}.json'
        if not file.exists(): write_json(file, read_shown(anonymize_data(data, todo[name]), recipe, seed))
    read = {name: read_json(folder/f'read/{name}.json') for name in todo}
    clips = dict(zip(('train', 'val', 'test'), n, strict=True)) | dict(told=told)
    who = f'networks with {attack} updates; trained longer, they would read more' if attack else LINEAR
    what = dict(size=size, steps=max(games), of=steps, preset='quick' if quick else 'cpu', clips=clips, seed=seed,
                attackers=who)
    result = dict(what=what, **STUDY, read=read, seconds=read_json(kept), provenance=get_provenance(seed))
    write_json(out/'explore.json', result)
    return result
