"""Benchmarks in small: that contestants do the same work, that what is counted is right, that every bench gives its
lines. Nothing here tests a time."""
import json
import math
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('resource', reason='processor time of programs, as Unix counts it')
from benchmarks import films, game, gaps, losses, race, rates, reading, run, steps, undoing, uses
from benchmarks.__main__ import main
from spact.attackers import attack_action
from spact.bank import Data
from spact.config import AttackConfig, EngineConfig, GameConfig, StudyConfig
from spact.core import generator
from spact.errors import BadInput, SpactError
from spact.game import Engine
from spact.marionette import draw_split, list_columns
from spact.ntxent import nt_xent
from spact.runs import load_games, read_log, train
from spact.synth import ACTIONS, _move_limbs, write_script
from spact.video import read_frames, scan_video, write_video

TINY = GameConfig.tiny(clips=3, pairs=4, omega=.7)


@pytest.fixture(autouse=True)
def one_thread():
    with race.one_thread(): yield


# --- races ------------------------------------------------------------------------------------------------------------
def test_ratios_and_goals():
    found = race.compare(dict(plain=[4., 6., 8.], ours=[2., 2., 1.]))
    assert [r[:4] for r in found] == [('ours', 3., 2., 8.)]
    goals = (1.7, '>= 1.6'), (1.5, '>= 1.6'), (.6, '<= 0.5'), (.4, '<= 0.5'), (math.nan, '>= 1'), (2., '')
    assert [race.one_value('', v, g).met() for v, g in goals] == [True, False, False, True, None, None]


def test_contestants_take_turns():
    order = []
    times = race.race(dict(a=lambda: order.append('a'), b=lambda: order.append('b')), 2)
    assert ''.join(order) == 'ab' 'ab' 'ba' # once each to warm up, then in turn
    assert [len(t) for t in times.values()] == [2, 2]


@pytest.mark.slow # a program for each, which loads torch
def test_contestants_apart():
    ways = dict(much=(partial, sum, range(3_000_000)), little=(partial, sum, range(30_000)))
    order = []
    times = race.race_apart(ways, 2, on_run=lambda: order.append(1))
    assert [len(t) for t in times.values()] == [2, 2] and len(order) == 4
    assert race.compare(times)[0].value > 5


def test_a_contestant_that_fails():
    with pytest.raises(SpactError, match='a contestant died, perhaps for lack of memory'):
        race.race_apart(dict(dies=(partial, os._exit, 1)), 1)
    with pytest.raises(ValueError, match='invalid literal for int'):
        race.race_apart(dict(unprepared=(int, 'much')), 1)


def test_contestants_leave_ctrl_c_to_the_one_that_started_them():
    handler = 'import signal; print(signal.getsignal(signal.SIGINT).__class__.__name__)'
    def hears(): return subprocess.check_output([sys.executable, '-c', handler], text=True).strip()
    was = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with race._ignore_interrupts(): assert hears() == 'Handlers' # the system's, which does nothing
        assert hears() == 'builtin_function_or_method'               # Python's own
        thread = threading.Thread(target=lambda: race._ignore_interrupts().__enter__())
        thread.start()
        thread.join()
        assert hears() == 'builtin_function_or_method'
    finally: signal.signal(signal.SIGINT, was)


def test_table():
    lines = [race.Ratio('tiny', 2e-9, 0., 2e-9), race.Ratio('half', .5, .4, .6, '<= 0.5', 'of two'),
             race.one_value('slow', 1.2, '>= 1.6'), race.absent('deface', 'not installed')]
    kept = race.list_lines(lines)
    assert [r['met'] for r in kept] == [None, True, False, None]
    assert list(kept[0]) == ['name', 'value', 'low', 'high', 'goal', 'note', 'met'] # as data/results has them
    table = race.tabulate(kept).to_markdown(index=False, disable_numparse=True)
    for words in ('2e-09 (0.00 to 2e-09)', '0.50 (0.40 to 0.60)', '**no**', 'not measured'): assert words in table


# --- the game ---------------------------------------------------------------------------------------------------------
def test_both_orders_have_the_same_gradients():
    theirs = steps.take_gradients(TINY, 32, release=True)
    for engine in (EngineConfig(), EngineConfig(recompute=True)): # which promises not to change a number
        for n, g in steps.take_gradients(TINY, 32, False, engine=engine).items():
            assert 0 < g.norm() and (g-theirs[n]).norm() <= 1e-6*theirs[n].norm(), n
    other = steps.take_gradients(replace(TINY, omega=.1), 32, False)['fa']
    assert (other-theirs['fa']).norm() > 1e-3*theirs['fa'].norm() # the measure notices
    assert steps.bench_gradients(TINY, 32)[0].met()


def test_counted_flops():
    layer = torch.nn.Linear(8, 4, bias=False, device='meta')
    assert steps.count_flops(lambda: layer(torch.empty(3, 8, device='meta'))) == 2*3*8*4 # by hand
    assert abs(steps.count_pair(GameConfig.paper(), release=True)/61.1e12 - 1) < .02
    assert [r.met() for r in steps.bench_flops()] == [True, True]


def race_here(contestants, *a): # in this process, which has torch already
    return race.race({n: prepare(*args) for n, (prepare, *args) in contestants.items()}, *a)


def test_step(monkeypatch):
    monkeypatch.setattr(steps, 'race_apart', race_here)
    lines = steps.bench_step(replace(TINY, clips=2, pairs=2), 32, 1, rows=256)
    names = ['fp32', 'bf16', 'bf16 shared']
    shares = [f'share of the matrix peak, {n}' for n in ['release', *names]]
    assert [r.name for r in lines] == [*(f'step pair, {n}' for n in names), *shares]
    assert all(r.value > 0 for r in lines)


def test_tf32_is_put_back():
    was = torch.backends.cudnn.allow_tf32
    with steps.tf32(not was): assert torch.backends.cudnn.allow_tf32 is not was
    assert torch.backends.cudnn.allow_tf32 is was


@pytest.mark.skipif(not race.can_measure_memory(), reason='as Linux counts it')
def test_memory(monkeypatch):
    mib = race.measure_memory(partial, torch.ones, 64*2**18) # 4 bytes each, and touched, so that they are in memory
    assert 60 <= mib <= 90
    def measure(prepare, *args, device): # in this process
        prepare(*args)()
        return 1.
    monkeypatch.setattr(steps, 'measure_memory', measure)
    lines = steps.bench_memory(TINY, 32)
    assert [r.name for r in lines] == ['memory, step A, bf16 shared', 'memory, step TB, bf16 shared']


def test_ntxent():
    z = torch.randn(2, 6, 16, generator=generator(0))
    assert abs(losses.masked_nt_xent(*z) - nt_xent(*z)) < 1e-5
    assert [r.name for r in losses.bench_ntxent((4,), 1)] == ['NT-Xent, N = 4, symmetric', 'NT-Xent, N = 4, Eq. 5']


# --- reading ----------------------------------------------------------------------------------------------------------
def test_films(tmp_path):
    assert films.draw_film(1, (8, 10), 5).shape == (5, 8, 10, 3)
    a = films.write_film(tmp_path/'a.mp4', 10, (48, 64))
    assert scan_video(a)[:3] == (10, 48, 64)
    assert scan_video(films.write_film(tmp_path/'b.mp4', 25, (32, 40), a))[:3] == (25, 32, 40)
    x = scan_video(films.write_xvid(tmp_path/'a.avi', films.draw_film(2)))
    assert (x.codec, x.container, x.n_frames, x.sequential) == ('mpeg4', 'avi', 50, '') # of the kind that is sought


def test_a_clip_is_changed_alike():
    "Up to rounding; where the hue is turned, roughly: in HSV there, about the grey axis here"
    x = films.draw_film(1, (48, 64), 5)
    for k in range(40):
        y, z = reading.change_frames(x.numpy(), k, 32), reading.change_clip(x, k, 32)
        assert y.shape == z.shape == (3, 5, 32, 32) and 0 <= z.min() and z.max() <= 1
        turned = torch.rand(21, generator=generator('item', k))[17] < reading.RELEASE.p_colour
        assert (y-z).abs().mean() < (.06 if turned else .01), k


def test_opencv_reads_the_same_frames(tmp_path):
    pytest.importorskip('cv2')
    path = write_video(tmp_path/'a.mp4', films.draw_film(2), fps=25)
    theirs, ours = reading.read_whole(path, [3, 9]).astype(float), read_frames(path, [3, 9]).numpy()
    assert np.abs(theirs-ours).mean() < 3 # another conversion of colours


def test_reader():
    names = [r.name for r in reading.bench_reader(1, (2,), 1)]
    assert names == ['frames, H.264 2 s', 'item, H.264 2 s', 'frames, xvid 2 s', 'item, xvid 2 s']


def test_augment(monkeypatch):
    monkeypatch.setattr(reading, 'race_apart', lambda c, rounds, on_run: race_here(c, rounds))
    assert [r.name for r in reading.bench_augment(1, 2)] == ['changing a clip, one tensor']


def test_frames(tmp_path):
    assert [r.met() for r in reading.bench_frames(4)] == [True, True]
    files = films.write_awkward(tmp_path, films.draw_film(4, (96, 128))) # these are read from their beginning
    assert [k for k, p in files.items() if scan_video(p).sequential] == [
        'open groups', 'B-frames in AVI', 'dropped frames', 'H.264 in AVI', 'transport stream', 'edit list']


# --- frames per second ------------------------------------------------------------------------------------------------
WORK = 'import sys, time\nend = time.process_time() + .3 + .01*int(sys.argv[1])\nwhile time.process_time() < end: pass'


def test_starting_drops_out():
    seconds = rates.time_frame(lambda video, out: [sys.executable, '-c', WORK, video], (5, 5), (65, 65), {0})
    assert abs(seconds-.01) < .004
    with pytest.raises(BadInput, match='ended with code 1: no video'):
        rates.time_program([sys.executable, '-c', 'raise SystemExit("no video")'], {0})


@pytest.mark.slow # OpenVINO compiles for seconds
def test_stream(monkeypatch):
    lines = rates.bench_stream('tiny', 32, 1)
    assert [r.name for r in lines] == ['stream, fp32', 'stream, bf16', 'stream, OpenVINO bf16']
    monkeypatch.setattr(rates, 'has', lambda library: False)
    last = rates.bench_stream('tiny', 32, 1)[-1]
    assert math.isnan(last.value) and last.note == "not measured: pip install 'spact[openvino]'"


@pytest.mark.slow # eight programs, each of which loads torch
def test_rates(monkeypatch):
    "The whole way in small, with what is installed anywhere"
    monkeypatch.setattr(rates, 'has', lambda library: False)
    result = rates.run_rates(quick=True, progress=False)
    titles = ['256x256, against deface: light', '640x480, against deface: light', '112x112, against eager: bf16']
    assert [r['name'] for r in result['lines']] == titles
    made = {'256x256': ['motion', 'light'], '640x480': ['motion', 'light'], '112x112': ['eager', 'bf16']}
    assert {k: list(v) for k, v in result['fps'].items()} == made
    assert all(r['met'] is None for r in result['lines'])


# --- what is left of a movement ---------------------------------------------------------------------------------------
def test_movement():
    "Labels are what the clip was drawn from: a `jack` goes up and down by .05 of half a frame"
    found = draw_split(8)
    labels = uses.read_movement(0, found.bank.rows)
    assert labels.shape == (8, 4) and labels.abs().max() < math.sqrt(3)+1e-6
    for i, (tempo, s, c, amplitude) in enumerate(labels.tolist()):
        rng = np.random.default_rng([0, 0, i])
        action = write_script(rng).action
        rng.normal(size=(2, 16, 2)), rng.uniform()
        cycles, phase = 1.55+.45*tempo/math.sqrt(3), math.atan2(s, c)/(2*math.pi)
        course = _move_limbs('jack', 16, rng)['y']
        wave = .05*(1+.15*amplitude/math.sqrt(3))*np.sin(2*np.pi*(cycles*np.arange(16)/16+phase))
        assert np.abs((course-course.mean())-(wave-wave.mean())).max() < 1e-6, (i, action)
    assert all(abs(v-1) < 1e-6 for v in uses.explain(labels, labels).values())
    assert all(abs(v) < 1e-6 for v in uses.explain(labels.mean(0).expand(8, -1), labels).values())


def test_label_only():
    "Each video becomes a training clip, and what is asked of it is asked of that"
    split = draw_split(12, t=8)
    data = Data(split, split, split, ACTIONS, [], {})
    cfg = AttackConfig.tiny(steps_t=2)
    net = attack_action(split.bank, split.y, len(ACTIONS), cfg)[1]
    shown = uses.swap_clips(data, net, cfg)
    assert shown.test.bank.rows == split.bank.rows and shown.test.y is split.y
    clips = {c.numpy().tobytes() for c in split.bank.frames.split(8)}
    assert all(c.numpy().tobytes() in clips for c in shown.test.bank.frames.split(8))
    found = uses.evaluate_movement(data, 0, cfg)
    assert set(found['r2']) == {'tempo', 'phase', 'amplitude'} and found['full'] <= 1


def test_undoing(tmp_path, monkeypatch):
    "Decoders begin at what is shared, learn from so many pairs and no more, and what is held is not learned again"
    split = draw_split(24, t=8)
    data, cfg = Data(split, split, split, ACTIONS, [], {}), AttackConfig.tiny(steps_b=6)
    dim = split.bank.map(lambda im: .25+.1*im)
    net, clip = undoing.ClipUndo(dim, split.bank), split.bank.take(torch.arange(2), torch.arange(8).expand(2, -1))
    back = net(dim.take(torch.arange(2), torch.arange(8).expand(2, -1)))
    assert (back-clip).abs().mean() < .05 # faint, but all is there
    assert undoing.restore(net, dim).frames.shape == split.bank.frames.shape
    seen = undoing.make_judges(data, cfg)[0](split.bank)
    assert seen['psnr']['mean'] > 55 and set(seen) == {'psnr', 'read', 'linked'}
    monkeypatch.setattr(undoing, 'show', lambda *a: data._replace(**{s: split._replace(bank=dim)
                                                                     for s in ('train', 'val', 'test')}))
    monkeypatch.setattr(undoing, 'load_data', lambda *a: data)
    monkeypatch.setattr(undoing, 'load_study', lambda *a: StudyConfig(attack=cfg))
    curve = (8, 'frame'), (24, 'clip'), (24, 'features')
    found = undoing.run_undoing(tmp_path, ('dim',), tmp_path/'undoing.json', curve=curve, progress=False)
    rows = found['rows']['dim']
    assert [(r['pairs'], r['how']) for r in rows] == [(0, 'none'), *curve]
    assert all(r['psnr']['mean'] > rows[0]['psnr']['mean']+5 for r in rows[1:])
    assert rows[3]['psnr'] != rows[1]['psnr'] and len(undoing.tabulate_undoing(found)) == 5
    monkeypatch.setattr(undoing, 'undo', None)
    again = undoing.run_undoing(tmp_path, ('dim',), tmp_path/'undoing.json', curve=curve, progress=False)
    assert again['rows']['dim'] == rows


# --- the distance of a pair's frames ----------------------------------------------------------------------------------
def test_gaps(tmp_path, monkeypatch):
    "A game for each rule from a common start, told apart by nothing but the rule; what is there is not played again"
    monkeypatch.setattr(gaps, 'RULES', {'any two frames': {}, 'at least 12': dict(min_gap=12)})
    asked = dict(steps=1, seeds=1, n=(24, 16, 24), fa='tiny', clips=2, pairs=4, updates_t=1, updates_b=1,
                 init_steps_a=1, init_steps_t=1, init_steps_b=1)
    found = gaps.run_gaps(tmp_path/'run', tmp_path/'gaps.json', **asked)
    games = [found['rules'][r]['games'] for r in gaps.RULES]
    assert [len(g) for g in games] == [1, 1] and games[0][0]['cmap'] != games[1][0]['cmap']
    assert found['what']['game']['steps'] == 1 and 'command' in found['provenance']
    monkeypatch.setattr(gaps, 'play_rule', None)
    assert gaps.run_gaps(tmp_path/'run', None, **asked)['rules'] == found['rules']


# --- the game of the page Explore -------------------------------------------------------------------------------------
def test_what_is_kept_of_a_game(tmp_path):
    "Weights alone, of some steps f_A alone; answers counted by hand"
    split = draw_split(8, 16, t=8)
    often = Engine(EngineConfig(keep_every=1))
    fa = train(tmp_path/'run', split, split, GameConfig.tiny(steps=4), engine=often, source=dict(size=16))
    game.keep_run(tmp_path/'run', tmp_path/'kept')
    found = load_games(tmp_path/'kept')
    assert [(k, g.ft is None, g.fb is None) for k, g in found.items()] == [
        (k, k % 2 > 0, k % 2 > 0) for k in range(5)]
    for a, b in zip(found[4].fa.parameters(), fa.parameters(), strict=True): assert torch.allclose(a, b, atol=2e-3)
    assert [r['step'] for r in read_log(tmp_path/'kept')] == [1, 2, 3, 4]
    p = torch.zeros(4, len(list_columns()))
    p[:3, list_columns().index('a.hat')] = 1
    asked = game.ask(p*.9, p, list_columns())
    assert (asked['hat']['right'], asked['hat']['chance'], asked['glasses']['chance']) == (1, .75, 1)
    assert asked['hat']['answers'] == pytest.approx([.9, .9, .9, 0])
    assert len(asked['scene']['answers']) == 4


# --- all of it --------------------------------------------------------------------------------------------------------
def test_program(tmp_path, capsys, monkeypatch):
    assert main(['flops', '--quick', '--out', str(tmp_path/'bench.json')]) == 0
    assert 'counted FLOPs, shared' in capsys.readouterr().out
    result = json.loads((tmp_path/'bench.json').read_text())
    kept = json.loads((Path(__file__).parents[1]/'data/results/bench.json').read_text())
    assert [r['name'] for r in result['lines']] == ['counted FLOPs, ours', 'counted FLOPs, shared']
    assert result.keys() == kept.keys() and result['lines'][0].keys() == kept['lines'][0].keys()
    assert main(['speed']) == 2 and "no bench 'speed'; there are flops, step" in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert main(['flops', '--device', 'cuda']) == 2 and 'torch sees no cuda' in capsys.readouterr().err


def test_every_bench_is_planned(): assert tuple(run.plan(True, 'cpu', {}, None)) == run.BENCHES
