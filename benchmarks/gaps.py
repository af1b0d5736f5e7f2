"""What the distance of the two frames of a pair does: Table 4 as a curve, in small, for the page Explore.

`python -m benchmarks gaps --folder RUN --out data/results/gaps.json` plays one short game on Marionette for each rule
and seed, and has each f_A read by fresh linear attackers. All games of a seed have the same first f_A and f_T, so that
they differ in their pairs alone. RUN keeps a file for each game, and the command goes on with what is there."""
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

from tqdm import tqdm

from benchmarks.game import LINEAR, draw_data, read_shown
from spact.bank import Data, anonymize_data
from spact.config import AttackConfig, GameConfig, preset
from spact.files import get_provenance, read_json, write_json
from spact.game import Game, make_game
from spact.minimax import play
from spact.starts import init_fa, init_fb, init_ft

FRAMES = 16 # of a clip of Marionette
RULES = {'any two frames': {'min_gap': 1}, **{f'at least {k}': {'min_gap': k} for k in (4, 8, 12)},
         **{f'at most {k}': {'max_gap': k} for k in (2, 4)}}
SHORT = dict(init_steps_a=150, init_steps_t=120, init_steps_b=40) # starts, which the games of a seed share but for f_B


def start_games(data: Data, cfg: GameConfig, seed: int) -> Game: # f_A copies, f_T knows actions
    game = make_game(cfg, len(data.actions), seed)
    init_fa(game, data.train.bank, data.val.bank, cfg, seed)
    init_ft(game, data.train, data.val, cfg, seed)
    return game


def play_rule(
    data: Data,        # of Marionette
    first: Game,       # of `start_games`; left as it is
    cfg: GameConfig,   # with the rule
    seed: int,         # of weights, batches and attackers
) -> dict: # `top1`, `cmap` and what guessing gets, as linear attackers read them; seconds
    "Play from a common start, and attack."
    began = time.time()
    game = make_game(cfg, len(data.actions), seed)
    game.fa.load_state_dict(first.fa.state_dict())
    game.ft.load_state_dict(first.ft.state_dict())
    init_fb(game, data.train, data.val, cfg, seed)
    play(game, data.train, cfg, seed)
    read = read_shown(anonymize_data(data, game.fa), AttackConfig(ft='linear', fb='linear'), seed)
    action, privacy = read['action'], read['privacy']
    return dict(seed=seed, top1=action['top1'], top1_chance=action['top1_chance'], cmap=privacy['cmap'],
                chance=privacy['chance'], seconds=round(time.time()-began))


def run_gaps(
    folder: Path,         # a file for each game
    out: Path | None = None, # the result
    steps: int = 60,      # of each game
    seeds: int = 3,       # games for each rule
    n: tuple = (384, 96, 192), # clips to learn from, to choose on, to test on
    **changes,            # of the game, for tests
) -> dict: # the result: `what`, `rules`, `provenance`
    "Play all games that are not there yet, and gather them."
    cfg = replace(preset('cpu').study.game, **{**SHORT, 'steps': steps, **changes})
    folder, data, found = Path(folder), draw_data(32, n), {name: [] for name in RULES}
    what = json.loads(json.dumps(dict(size=32, frames=FRAMES, clips=n, attackers=LINEAR, game=asdict(cfg))))
    with tqdm(total=seeds*len(RULES), desc='games') as bar:
        for seed in range(seeds):
            first = None
            for name, rule in RULES.items():
                file = folder/f'{seed} {name}.json'
                if not file.exists() or read_json(file)['what'] != what:
                    first = first or start_games(data, cfg, seed)
                    read = play_rule(data, first, replace(cfg, **rule), seed)
                    write_json(file, dict(what=what, read=read))
                found[name].append(read_json(file)['read'])
                bar.update()
    rules = {name: dict(**rule, games=found[name]) for name, rule in RULES.items()}
    result = dict(what=what, rules=rules, provenance=get_provenance(0))
    if out: write_json(out, result)
    return result
