"""A real Chromium: the explorers in JupyterLab with a kernel, and the built site without one, driven as a reader
drives them."""
import functools
import http.server
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PHONE, DESK = dict(width=360, height=740), dict(width=1300, height=1000)
EXPLORERS = { # title -> what to do (label of a control and what becomes of it), each of which must change the picture
    'Which two frames does S_F draw?': [('draw', 'ArrowRight'), ('rule', 'at most the gap'), ('gap', 'End')],
    'How does the game go?': [('step', 'ArrowRight'), ('step', 'End')],
    'Where do f_T and f_B look?': [('training step', 'End'), ('player', 'f_B'), ('layer', 'stage2'), ('clip', 1),
                                   ('frame', 'ArrowRight'), ('raw', False)],
    'What was kept, and what leaks?': [('metric', 'AP of a.hat'), ('attacker', 1), ('metric', 'cMAP'), ('raw', False)]}


def pick(explorer, label, how):
    "Turn a control: press a key on a slider, choose an option by name or number, tick a box"
    control = explorer.get_by_label(label, exact=True)
    if isinstance(how, bool): control.set_checked(how)
    elif control.evaluate('e => e.tagName') != 'SELECT': control.press(how)
    elif isinstance(how, int): control.select_option(index=how)
    else: control.select_option(label=how)


def play(explorer, steps):
    "Turn the controls of an explorer, one after another, and see that its panels look different each time"
    panels = explorer.locator('.panels')
    def look(): return panels.inner_html(), panels.screenshot()
    seen = look()
    for label, how in steps:
        pick(explorer, label, how)
        end = time.time() + 10
        while (now := look())[0] == seen[0] or now[1] == seen[1]:
            assert time.time() < end, f'{label}: nothing changed'
            time.sleep(.1)
        seen = now
    unnamed = 'img:not([alt]), svg:not([aria-label]), select:not([aria-label])'
    assert explorer.locator(f'{unnamed}, input:not([aria-label]):not([type=checkbox])').count() == 0


# --- JupyterLab, with a kernel ----------------------------------------------------------------------------------------
def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


@pytest.fixture(scope='module')
def lab(tmp_path_factory, chromium):
    "JupyterLab on a copy of what a widget notebook needs, with settings of its own; gives the address of a notebook"
    pytest.importorskip('jupyterlab', reason="needs JupyterLab: pip install -e '.[notebook]'")
    tmp = tmp_path_factory.mktemp('lab')
    shutil.copytree(ROOT/'data/results', tmp/'work/data/results')
    (tmp/'work/nbs').mkdir()
    for nb in (ROOT/'nbs').glob('7[12]_*.ipynb'): shutil.copy(nb, tmp/'work/nbs')
    shutil.copy(ROOT/'settings.ini', tmp/'work')
    def write(path, **settings):
        (tmp/path).parent.mkdir(parents=True, exist_ok=True)
        (tmp/path).write_text(json.dumps(settings))
    tracker = 'settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings'
    write(tracker, windowingMode='none') # every cell stays in the page
    news = '@jupyterlab/apputils-extension:announcements' # asks whether to fetch them
    write('config/labconfig/page_config.json', disabledExtensions={news: True})
    port, token = free_port(), secrets.token_hex(16)
    env = {k: v for k, v in os.environ.items() if k not in ('SPACT_STATIC', 'MPLBACKEND')} | {
        'JUPYTER_CONFIG_DIR': str(tmp/'config'), 'JUPYTERLAB_SETTINGS_DIR': str(tmp/'settings'),
        'JUPYTER_DATA_DIR': str(tmp/'data'), 'JUPYTER_RUNTIME_DIR': str(tmp/'runtime'),
        'JUPYTERLAB_WORKSPACES_DIR': str(tmp/'workspaces'),
        'PYTHONPATH': str(ROOT), 'IN_TEST': '1', 'OMP_NUM_THREADS': '1'} # IN_TEST: the last cell does not export
    cmd = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--ip=127.0.0.1', f'--port={port}', '--allow-root',
           '--ServerApp.port_retries=0', f'--IdentityProvider.token={token}', f'--ServerApp.root_dir={tmp/"work"}']
    with open(tmp/'lab.log', 'w') as log: server = subprocess.Popen(cmd, env=env, stdout=log, stderr=log)
    try:
        end = time.time() + 90
        while True:
            try: urllib.request.urlopen(f'http://127.0.0.1:{port}/api/status?token={token}', timeout=2)
            except OSError:
                assert server.poll() is None and time.time() < end, (tmp/'lab.log').read_text()[-2000:]
                time.sleep(.2)
            else: break
        yield lambda nb: f'http://127.0.0.1:{port}/lab/tree/{nb}?token={token}&reset'
    finally:
        server.terminate()
        try: server.wait(20)
        except subprocess.TimeoutExpired: server.kill()


def test_lab(lab, chromium):
    "Run All has no error, and every explorer answers"
    page = chromium.new_page(viewport=DESK)
    page.set_default_timeout(120_000)
    page.goto(lab('nbs/72_explorers.ipynb'))
    nb = page.locator('.jp-NotebookPanel:not(.lm-mod-hidden)')
    nb.locator('.jp-Cell').first.wait_for()
    page.locator('#jp-main-statusbar', has_text='| Idle').wait_for() # the toolbar shows idle too early
    page.locator('.lm-MenuBar-item', has_text=re.compile('^Run$')).click()
    page.locator('li.lm-Menu-item[data-command="runmenu:run-all"]').click()
    nb.locator('.jp-CodeCell').last.locator('.jp-InputPrompt', has_text=re.compile(r'\[\d+\]')).wait_for()
    for bad in 'error', 'stderr':
        outputs = nb.locator(f'.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.{bad}"]')
        assert outputs.all_inner_texts() == []
    assert nb.locator('.spact-portable').count() == 0                        # live, not a stored page
    for title, steps in EXPLORERS.items(): play(nb.get_by_role('group', name=title), steps)
    page.close()


# --- the site, without one --------------------------------------------------------------------------------------------
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *a): pass


@pytest.fixture(scope='module')
def address(site):
    "Where the site is served"
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()


@pytest.fixture
def page(chromium, address):
    "A page that takes down every error of a script, every warning of a load, and every request to another host"
    context = chromium.new_context(viewport=DESK)
    page, bad = context.new_page(), []
    page.set_default_timeout(20_000)
    def note(what): bad.append(f'{page.url}: {what}')
    page.on('request', lambda r: r.url.startswith((address, 'data:', 'blob:')) or note(f'asks for {r.url}'))
    page.on('console', lambda m: m.type == 'error' and note(m.text))
    page.on('pageerror', note)
    yield page
    context.close()
    assert bad == []


def test_every_page(page, address, site):
    "No error, no request to elsewhere, every picture there; and on a phone nothing is wider than the screen"
    wide, sources = [], sorted(site.glob('_modules/**/*.html'))
    for p in sorted({*site.rglob('*.html')}-set(sources[1:])):                # of the sources one: they are all alike
        path = p.relative_to(site).as_posix()
        if 'http-equiv="refresh"' in p.read_text(encoding='utf-8')[:400]: continue # leads to another page
        page.set_viewport_size(DESK)
        page.goto(f'{address}/{path}')
        if p in sources: continue                                            # code scrolls in its own box
        broken = '[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.alt || i.src)'
        assert page.evaluate(broken) == [], path
        page.set_viewport_size(PHONE)
        over = page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
        if over > 0: wide.append(f'{path}: {over} px')
    assert wide == []


def test_an_old_page_leads_to_the_new_one(page, address):
    page.goto(f'{address}/00_core.html')
    page.wait_for_url(f'{address}/02_core.html')


def test_search(page, address):
    page.goto(f'{address}/search.html?q=nt_xent')
    page.locator('#search-results a', has_text='nt_xent').first.click()
    assert page.url.startswith(f'{address}/30_ntxent.html')


def test_explorers_without_a_kernel(page, address):
    page.goto(f'{address}/72_explorers.html')
    for title, steps in EXPLORERS.items(): play(page.get_by_role('group', name=title), steps)
    page.goto(f'{address}/71_explorer.html')
    button = page.get_by_role('button', name='pressed: 0')
    button.click()
    page.get_by_role('button', name='pressed: 1').wait_for()


def test_a_mark_speaks(page, address):
    "Under the pointer, and for those who use the Tab key"
    page.goto(f'{address}/72_explorers.html')
    explorer = page.get_by_role('group', name='What was kept, and what leaks?')
    says, marks = explorer.locator('.says'), explorer.locator('g[tabindex]')
    assert says.inner_text().startswith('Point at a mark')
    marks.first.hover()
    assert re.match(r'raw, seed 0: top-1 \d\d\.\d %', says.inner_text())
    explorer.get_by_label('frozen', exact=True).focus()
    page.keyboard.press('Tab')
    page.keyboard.press('Tab')
    assert says.inner_text() == marks.nth(1).get_attribute('data-says')
    explorer.get_by_label('raw', exact=True).uncheck()
    assert not marks.first.is_visible() and marks.last.is_visible()


@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_phone(chromium, address, theme):
    "On a phone explorers fit, and their letters stand out from the page, whichever its colours"
    page = chromium.new_page(viewport=PHONE, color_scheme=theme)
    page.goto(f'{address}/72_explorers.html')
    explorer = page.get_by_role('group', name='How does the game go?')
    explorer.wait_for()
    assert explorer.bounding_box()['width'] <= PHONE['width']
    light = 'c => c.match(/[0-9.]+/g).slice(0, 3).reduce((a, b) => a + +b, 0)/765'
    text = 'document.querySelector(".spact-explorer svg text")'
    ink, paper = (page.evaluate(f'({light})(getComputedStyle({e}).{k})') for e, k in
                  ((text, 'fill'), ('document.body', 'backgroundColor')))
    assert (paper-ink > .6) if theme == 'light' else (ink-paper > .6)
    play(explorer, [('step', 'End')])
    page.close()
