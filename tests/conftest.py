"""What the tests of the site and of the browser share: the built site, built once however many processes test, and a
Chromium; and lines for pytest's summary."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = 'chromium', 'chromium-browser', 'google-chrome'
CHROMIUM = os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, NAMES)), None)


def pytest_terminal_summary(terminalreporter):
    "What tests have to say when they pass: `record_property('summary', line)`"
    for r in terminalreporter.getreports('passed'):
        for k, line in r.user_properties:
            if r.when == 'call' and k == 'summary': terminalreporter.write_line(line)


@pytest.fixture(scope='session')
def site(tmp_path_factory):
    "The folder of the built site"
    pytest.importorskip('sphinx', reason="needs Sphinx: pip install -e '.[docs]'")
    pytest.importorskip('myst_nb', reason="needs myst-nb: pip install -e '.[docs]'")
    if not (ROOT/'nbs/index.ipynb').exists(): pytest.skip('no nbs/index.ipynb, the site has no first page')
    from filelock import FileLock
    base = tmp_path_factory.getbasetemp()
    out = (base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base)/'site' # one folder for all workers of this run
    with FileLock(f'{out}.lock'):
        if not (out/'complete').exists():
            cmd = [sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', '-c', 'docs']
            cmd += ['-d', out/'trees', 'nbs', out/'html']
            res = subprocess.run(cmd, cwd=ROOT, capture_output=True, text=True)
            assert res.returncode == 0, res.stderr
            (out/'complete').touch()
    return out/'html'


@pytest.fixture(scope='session')
def chromium():
    api = pytest.importorskip('playwright.sync_api', reason="needs playwright: pip install -e '.[dev]'")
    if not CHROMIUM: pytest.skip('no Chromium: apt-get install chromium, or name its program in CHROMIUM')
    with api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox', '--disable-dev-shm-usage'])
        yield browser
        browser.close()
