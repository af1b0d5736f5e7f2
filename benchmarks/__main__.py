"""`python -m benchmarks NAME [NAME ...]`: measure, print the ratios beside their goals, write JSON.

NAME is one of the benches below, `all` of them, or `rates`: frames per second from file to file, with the options
`--rounds`, `--cores`, `--only` and `--video`; or `gpu`: eight minutes of one GPU, see `benchmarks.gpu`, with
`--folder`; or `game`: the game of the page Explore, see `benchmarks.game`, with `--folder`, `--out`, `--size` and
`--steps`; or `gaps`: what the distance of a pair's frames does, see `benchmarks.gaps`, with `--folder` and `--steps`;
or `uses`: what the methods of a study of Marionette in `--folder` leave of how a figure moves, see `benchmarks.uses`,
with `--methods` and `--steps`; or `undoing`: how far methods of such a study can be undone, see `benchmarks.undoing`.
`data/results/bench.json`, `rates.json` and `gpu.json` were written
by `all`, `rates` and `gpu`, `rates_motion.json` by `rates --only 640x480`, `uses.json` by `uses`,
`undoing.json` by `undoing`, and `gaps.json` by `gaps`."""
import argparse
import math
import sys
from pathlib import Path

from benchmarks.game import run_game
from benchmarks.gaps import run_gaps
from benchmarks.gpu import run_gpu
from benchmarks.race import tabulate
from benchmarks.rates import run_rates
from benchmarks.run import BENCHES, run_bench
from benchmarks.undoing import run_undoing, tabulate_undoing
from benchmarks.uses import run_uses, tabulate_uses
from spact.errors import SpactError
from spact.files import write_json


def parse(argv):
    p = argparse.ArgumentParser('python -m benchmarks', description='Measure ratios against plain ways, in one run.')
    more = 'all; rates; uses; undoing; game; gaps; or gpu'
    p.add_argument('names', nargs='+', metavar='NAME', help=f'out of {", ".join(BENCHES)}; {more}')
    p.add_argument('--quick', action='store_true', help='small sizes, a minute or two: to see that it works')
    p.add_argument('--device', default='cpu', help='of the step and its memory: cpu or cuda')
    p.add_argument('--out', type=Path, metavar='FILE', help='write the result as JSON')
    p.add_argument('--rounds', type=int, default=3, help='of rates')
    p.add_argument('--cores', type=int, default=1, help='that each contestant of rates may use')
    p.add_argument('--only', default='', metavar='SIZE', help='of rates: only what is measured at it, such as 640x480')
    p.add_argument('--video', type=Path, help='what is to be seen in the videos of rates; otherwise a pattern')
    p.add_argument('--folder', type=Path, default=Path('spact-gpu'),
                   help='of gpu: its data; of uses, undoing: the study; of game, gaps: the run')
    p.add_argument('--methods', default='raw,motion,label_only', help='of uses, undoing: its, label_only, light')
    p.add_argument('--steps', type=int, help='of uses, undoing: updates of each network; of game, gaps: of f_A')
    p.add_argument('--size', type=int, default=48, help='of game: px')
    p.add_argument('--attack', type=int, default=0, help='of game: updates of each attacker; 0: linear ones')
    p.add_argument('--minutes', type=float, default=math.inf, help='of game: after which it ends')
    p.add_argument('--seconds', type=float, default=480, help='of gpu: for all of it')
    return p.parse_args(argv)


def main(argv=None):
    o = parse(argv)
    try:
        if o.names == ['rates']: result = run_rates(o.rounds, o.cores, o.video, o.quick, o.only)
        elif o.names == ['uses']: result = run_uses(o.folder, tuple(o.methods.split(',')), o.out, steps=o.steps)
        elif o.names == ['undoing']: result = run_undoing(o.folder, tuple(o.methods.split(',')), o.out, steps=o.steps)
        elif o.names == ['game']:
            run_game(o.folder, o.out or Path('data/explore'), o.size, o.steps or 600, o.attack, o.minutes,
                     o.quick)
            return 0
        elif o.names == ['gaps']:
            run_gaps(o.folder, o.out, o.steps or 60)
            return 0
        elif o.names == ['gpu']: result = run_gpu(o.folder, None if o.device == 'cpu' else o.device, o.seconds)
        else: result = run_bench(None if o.names == ['all'] else tuple(o.names), o.quick, o.device)
    except SpactError as e:
        print(f'benchmarks: {e}', file=sys.stderr)
        return e.exit_code
    if o.names[0] in ('uses', 'undoing'):
        print(*(tabulate_uses if o.names == ['uses'] else tabulate_undoing)(result), sep='\n')
        return 0
    if o.out: write_json(o.out, result)
    print(tabulate(result['lines']).to_markdown(index=False))
    return 0


if __name__ == '__main__': sys.exit(main())
