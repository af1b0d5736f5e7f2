"""What a newcomer sees first: README, short and true; tutorials and how-tos whose visible cells are enough."""
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT/'README.md').read_text(encoding='utf-8')
PAGES = sorted(p for folder in ('tutorials', 'howtos') for p in (ROOT/'nbs'/folder).glob('[!_.]*.ipynb'))


def test_readme_is_short():
    "Words: what holds a letter or a digit, code and addresses included"
    assert len(re.findall(r"\S*\w\S*", README)) <= 700


def test_readme_keeps_its_commands():
    "Those by which a machine that has nothing sets itself up"
    for command in 'pip install -e . && spact demo', "pip install -e '.[dev]' && pytest", 'git clone https://github.com/spact/spact':
        assert command in README
    assert '](https://spact.github.io/spact/explore.html)' in README and 'colab.research.google.com' in README


def test_readme_says_what_the_files_say():
    "Its table, from the very JSON: action, known and new attributes, and both"
    run = json.loads((ROOT/'data/results/protocols.json').read_text())['protocols']
    def mean(protocol, reads, method, k):
        found = [e[k] for e in run[protocol][reads][method]]
        return sum(found)/len(found)
    def area(action, privacy, method):
        def share(at, k, chance):
            c = mean(*at, 'raw', chance)
            return (mean(*at, method, k)-c)/(mean(*at, 'raw', k)-c)
        return share(action, 'top1', 'top1_chance')*(1-share(privacy, 'cmap', 'chance'))
    known = ('ucf101-vispr', 'action'), ('ucf101-vispr', 'privacy')
    novel = ('ucf101-hmdb51', 'action'), ('vispr1-vispr2', 'privacy')
    names = {'raw video': 'raw', 'pixelated 4×': 'downsample4', 'people blurred': 'blur_strong',
             'noisy features': 'noisy', 'supervised adversary': 'supervised', '**SPAct**': 'spact'}
    for label, m in names.items():
        row = re.search(rf'^\| {re.escape(label)} \|(.+)\|$', README, re.M)[1].replace('≥', '').replace('%', '')
        found = [float(v) for v in re.split(r'[|/]', row)]
        true = [100*mean(*known[0], m, 'top1'), 100*mean(*known[1], m, 'cmap'), 100*mean(*novel[1], m, 'cmap')]
        assert found[:3] == pytest.approx(true, abs=.51), label
        assert found[3:] == pytest.approx([area(*known, m), area(*novel, m)], abs=.0051), label


def visible(nb):
    "The code cells that a reader of the site sees and can copy"
    for c in json.loads(nb.read_text(encoding='utf-8'))['cells']:
        source = ''.join(c['source'])
        hidden = re.search(r'^#\|\s*(hide|include: *false|eval: *false)\b', source, re.M)
        if c['cell_type'] == 'code' and not hidden: yield source


def test_visible_cells_are_enough(tmp_path):
    "Copied into an empty notebook, they use no name of a hidden cell, and test nothing that only we test"
    if not shutil.which('ruff'): pytest.skip("needs ruff: pip install -e '.[dev]'")
    for nb in PAGES:
        code = '\n'.join(visible(nb))
        assert not re.search(r'\btest_(eq|close|fail|ne|is)\(', code), f'{nb.stem}: tests in a visible cell'
        (tmp_path/f'{nb.parent.name}_{nb.stem}.py').write_text(re.sub(r'^[%!].*', 'pass', code, flags=re.M))
    undefined = 'ruff', 'check', '--isolated', '-q', '--select', 'F821', '--output-format', 'concise', tmp_path
    r = subprocess.run(undefined, capture_output=True, text=True)
    assert r.returncode == 0, r.stdout


def copy_and_run(nb, folder):
    "Run the visible cells in an empty folder of a clone"
    for name in ('settings.ini', 'data'): (folder/name).symlink_to(ROOT/name)
    code = '\n'.join(visible(nb))
    (folder/'copied.py').write_text('def display(*a): pass\n' + code)
    r = subprocess.run([sys.executable, 'copied.py'], cwd=folder, capture_output=True, text=True,
                       env={**os.environ, 'PYTHONPATH': str(ROOT), 'MPLBACKEND': 'agg'})
    assert r.returncode == 0, r.stderr[-2000:]


def test_visible_cells_of_one_page_run(tmp_path):
    "In an empty folder: the shortest page, to the end"
    copy_and_run(ROOT/'nbs/howtos/choose_omega.ipynb', tmp_path)


@pytest.mark.slow # each page once more, in a process of its own
@pytest.mark.parametrize('nb', PAGES, ids=lambda p: p.stem)
def test_visible_cells_run(nb, tmp_path): copy_and_run(nb, tmp_path)
