"""A real Chromium: the explorers in JupyterLab with a kernel, and the built site without one, driven as a reader
drives them. Pages are visited once, and several things are looked at in each visit."""
import ast
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

from spact.cli import _run_line
from spact.config import EngineConfig, GameConfig
from spact.game import Engine
from spact.marionette import draw_split
from spact.runs import train

ROOT = Path(__file__).parents[1]
PHONE, DESK = dict(width=390, height=740), dict(width=1400, height=1000)
EXPLORERS = { # title -> what it is called in Python
    'How does the game go?': 'game', 'Where do f_T and f_B look?': 'attention',
    'What was kept, and what leaks?': 'tradeoff', 'Which two frames does S_F draw?': 'sampler'}
GUESS = 'What can you still see, and what can a machine?'
AXE = ['index', 'explore', 'modules', 'commands', '02_core', '11_sampler', '43_minimax', '70_attention',
       'results/marionette', 'results/tables_1_2', 'tutorials/1_ten_minutes', 'howtos/choose_omega']


def pick(explorer, label, how):
    "Turn a control: press a key on a slider, choose an option by name or number, tick a box"
    control = explorer.get_by_label(label, exact=True)
    if isinstance(how, bool): control.set_checked(how)
    elif control.evaluate('e => e.tagName') != 'SELECT': control.press(how)
    elif isinstance(how, int): control.select_option(index=how)
    else: control.select_option(label=how)


def wait_until(done, why):
    end = time.time() + 10
    while not done():
        assert time.time() < end, why
        time.sleep(.05)


SEEN = '''e => [e.innerHTML, e.innerText, // what is hidden is not in the text
  [...e.querySelectorAll('.film img')].map(i => [getComputedStyle(i).left, getComputedStyle(i).opacity]).join()]'''


def play(explorer, steps):
    "Turn the controls of an explorer, one after another, and see that its panels look different each time"
    panels = explorer.locator('.panels')
    def look(): return panels.evaluate(SEEN)
    seen = look()
    for label, how in steps:
        pick(explorer, label, how)
        wait_until(lambda was=seen: look() != was, f'{label}: nothing changed')
        seen = look()
    check_names(explorer)


def play_all(explorer):
    "Turn every control of an explorer: each changes a picture of the first view, or is switched off and says why"
    for control in explorer.locator('.controls select, .controls input').all():
        label = control.get_attribute('aria-label') or control.locator('xpath=..').inner_text().strip()
        if control.is_disabled():
            assert 'makes no difference' in control.locator('xpath=ancestor::*[.//small][1]').inner_text(), label
            continue
        kind, at = control.evaluate('e => [e.type, e.type === "range" ? +e.value : e.selectedIndex]')
        last = control.evaluate('e => e.type === "range" ? +e.max : (e.options || []).length - 1')
        how = False if kind == 'checkbox' else ('ArrowLeft' if at == last else 'ArrowRight') if kind == 'range' else (
            at-1 if at == last else last)
        play(explorer, [(label, how)])
        if control.evaluate('e => e.tagName') == 'SELECT': control.select_option(index=at)


def check_names(explorer):
    "All that can be seen or used has a name for readers that do not see it"
    unnamed = 'img:not([alt]), svg:not([aria-label]), select:not([aria-label])'
    assert explorer.locator(f'{unnamed}, input:not([aria-label]):not([type=checkbox])').count() == 0


# --- JupyterLab, with a kernel ----------------------------------------------------------------------------------------
def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


@pytest.fixture(scope='module')
def lab(tmp_path_factory, chromium):
    "JupyterLab on a copy of what the explorers need, with settings of its own; gives the address of a notebook"
    pytest.importorskip('jupyterlab', reason="needs JupyterLab: pip install -e '.[notebook]'")
    tmp = tmp_path_factory.mktemp('lab')
    (tmp/'work/nbs').mkdir(parents=True)
    shutil.copy(ROOT/'nbs/explore.ipynb', tmp/'work/nbs')
    cell = dict(cell_type='code', id='live', metadata={}, execution_count=None, outputs=[], source=LIVE)
    kernel = dict(kernelspec=dict(display_name='python3', language='python', name='python3'))
    live = dict(cells=[cell], metadata=kernel, nbformat=4, nbformat_minor=5)
    (tmp/'work/nbs/live.ipynb').write_text(json.dumps(live))
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
        'PYTHONPATH': str(ROOT), 'IN_TEST': '1', 'OMP_NUM_THREADS': '1'}
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


LIVE = """from spact.explorer import Control, Explorer, Panel
Explorer('Live', dict(step=Control(range(9), 'slider'), sign=Control(['+', '-'])),
         dict(sum=Panel(lambda k, s: f'<p>{s}{k}</p>', ['step', 'sign'])))"""


def test_lab(lab, chromium):
    "A notebook that is not trusted shows posters; one that is run has live explorers and no error"
    page = chromium.new_page(viewport=DESK)
    page.set_default_timeout(120_000)
    page.goto(lab('nbs/explore.ipynb'))
    posters = page.locator('.jp-NotebookPanel .jp-RenderedImage img')
    posters.first.wait_for()
    wait_until(lambda: posters.count() == len(EXPLORERS)+1, 'posters') # a guess is one more
    for i in range(len(EXPLORERS)+1):
        wait_until(lambda i=i: posters.nth(i).evaluate('e => e.complete && e.naturalWidth > 200'), f'poster {i}')
    assert page.locator('.spact-explorer').count() == 0
    page.goto(lab('nbs/live.ipynb'))
    nb = page.locator('.jp-NotebookPanel:not(.lm-mod-hidden)')
    nb.locator('.jp-Cell').first.wait_for()
    page.locator('#jp-main-statusbar', has_text='| Idle').wait_for() # the toolbar shows idle too early
    page.locator('.lm-MenuBar-item', has_text=re.compile('^Run$')).click()
    page.locator('li.lm-Menu-item[data-command="runmenu:run-all"]').click()
    explorer = nb.get_by_role('group', name='Live')
    explorer.wait_for()
    for bad in 'error', 'stderr':
        outputs = nb.locator(f'.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.{bad}"]')
        assert outputs.all_inner_texts() == []
    play(explorer, [('step', 'ArrowRight'), ('sign', '-')])
    assert '-1' in explorer.inner_text()
    explorer.get_by_role('button', name='play step').click()
    wait_until(lambda: '-3' in explorer.inner_text(), 'it does not play')
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


LOOK = '''async () => {
  await new Promise(seen => requestAnimationFrame(() => requestAnimationFrame(seen))); // a resize has been heard of
  const name = e => (e.className || e.tagName) + ': ' + e.textContent.trim().slice(0, 40);
  const cut = [...document.querySelectorAll('article pre, article table')]
    .filter(e => !e.closest('.scrolls, .spact-explorer') && e.scrollWidth > e.clientWidth + 2).map(name);
  for (const e of document.querySelectorAll('.scrolls'))
    if (e.scrollWidth > e.clientWidth + 1 && e.nextElementSibling.hidden) cut.push('no hint ' + name(e));
  const broken = [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.alt || i.src);
  return {cut, broken, over: document.documentElement.scrollWidth - document.documentElement.clientWidth};
}'''


def pages(site):
    "Every page once; none that leads to another page"
    for p in sorted(site.rglob('*.html')):
        if 'http-equiv="refresh"' in p.read_text(encoding='utf-8')[:400] or p.name == '404.html': continue
        yield p.relative_to(site).as_posix()


def look_at(page, address, paths):
    "What is wrong with pages: cut, broken or wider than the screen; the fixture sees errors and requests to elsewhere"
    found = {}
    for path in paths:
        page.set_viewport_size(DESK)
        page.goto(f'{address}/{path}')
        desk = page.evaluate(LOOK)
        page.set_viewport_size(PHONE)
        phone = page.evaluate(LOOK)
        wrong = desk['cut'] + phone['cut'] + desk['broken']
        wrong += [f'{v["over"]} px too wide' for v in (desk, phone) if v['over'] > 0]
        if wrong: found[path] = wrong
    return found


def test_pages(page, address): assert look_at(page, address, [f'{name}.html' for name in AXE]) == {}


@pytest.mark.slow # ninety pages
def test_every_page(page, address, site): assert look_at(page, address, pages(site)) == {}


def test_first_page(page, address):
    "Its first screen has the moving pictures and the three links; one of them leads to the explorers"
    page.set_viewport_size(dict(width=1280, height=800))
    page.goto(f'{address}/index.html')
    def link(name): return page.locator('article').get_by_role('link', name=name, exact=True)
    links = [link(name) for name in ('Explore', 'the book', 'open in Colab')]
    for e in [*page.locator('article table img').all(), *links]:
        box = e.bounding_box()
        assert box['y'] + box['height'] <= 800, box
    assert page.locator('article table img').count() >= 4
    links[0].click()
    page.get_by_role('group', name='Which two frames does S_F draw?').wait_for()


def test_explorers(page, address):
    "Deep links, every control, play, reset, marks that speak; a control that cannot act says so"
    page.goto(f'{address}/explore.html#rule=at+least+the+gap&gap=31')
    sampler = page.get_by_role('group', name='Which two frames does S_F draw?')
    assert sampler.get_by_label('rule', exact=True).input_value() == 'at least the gap'
    gap = sampler.get_by_label('gap', exact=True)
    assert gap.get_attribute('aria-valuetext') == '31' and 'gaps from 31 to' in sampler.inner_text()
    pick(sampler, 'rule', 'any two frames')
    assert gap.is_disabled() and 'makes no difference here' in sampler.inner_text()
    assert 'rule=any+two+frames' in page.url and 'gap=31' in page.url
    sampler.get_by_role('button', name='reset').click()
    for title, name in EXPLORERS.items():
        e = page.get_by_role('group', name=title)
        play_all(e)
        assert_copies(e, name)
        e.get_by_role('button', name='reset').click()
    game = page.get_by_role('group', name='How does the game go?')
    step = game.get_by_label('step', exact=True)
    game.get_by_role('button', name='play step').click()
    wait_until(lambda: step.input_value() == step.get_attribute('max'), 'the game does not play')
    explorer = page.get_by_role('group', name='What was kept, and what leaks?')
    says, marks = explorer.locator('.says'), explorer.locator('g[tabindex]')
    assert says.inner_text().startswith('Point at a mark')
    marks.first.hover()
    assert re.match(r'raw video, seed 0: top-1 \d\d\.\d %', says.inner_text())
    marks.nth(1).focus()
    assert says.inner_text() == marks.nth(1).get_attribute('data-says')
    pick(explorer, 'look at', 'SPAct, f_B frozen') # of which no f_A is kept here
    assert explorer.get_by_label('frame', exact=True).is_disabled() and 'no clip is shown' in explorer.inner_text()
    explorer.get_by_label('raw video', exact=True).uncheck()
    assert not marks.first.is_visible() and marks.last.is_visible()
    light = 'c => c.match(/[0-9.]+/g).slice(0, 3).reduce((a, b) => a + +b, 0)/765'
    text = 'document.querySelector(".spact-explorer svg text")'
    page.set_viewport_size(PHONE)
    assert explorer.bounding_box()['width'] <= PHONE['width']
    for theme in 'light', 'dark': # letters stand out from the page, whichever its colours
        page.emulate_media(color_scheme=theme)
        ink, paper = (page.evaluate(f'({light})(getComputedStyle({e}).{k})') for e, k in
                      ((text, 'fill'), ('document.body', 'backgroundColor')))
        assert (paper-ink > .6) if theme == 'light' else (ink-paper > .6)
    page.goto(f'{address}/71_explorer.html')
    page.get_by_role('button', name='pressed: 0').click()
    page.get_by_role('button', name='pressed: 1').wait_for()


def assert_copies(explorer, part):
    "The line of Python names this part and what is chosen in it"
    explorer.get_by_role('button', name='copy this view as Python').click()
    line = explorer.get_by_label('this view as Python').input_value()
    call = ast.parse(line).body[-1].value
    run, name, choice = map(ast.literal_eval, call.args)
    assert (ast.unparse(call.func), run, name) == ('explore', 'data/explore', part)
    for e in explorer.locator('.controls select').all():
        if (label := e.get_attribute('aria-label')) in choice:
            assert choice[label] == e.evaluate('e => e.selectedOptions[0].text')
    assert choice


def test_guess(page, address):
    "Three guesses, a machine's answers and the truth, a count, and a table to keep"
    page.emulate_media(reduced_motion='reduce')
    page.goto(f'{address}/explore.html')
    guess = page.get_by_role('group', name=GUESS)
    ask = guess.get_by_role('button', name='what did a machine read?')
    fields = guess.locator('select[aria-label^="your guess"]')
    assert ask.is_disabled() and 'guess all of them first' in guess.inner_text() and fields.count() == 3
    film = guess.locator('.film img').first
    seen = film.get_attribute('src')
    guess.get_by_label('method').select_option('motion front')
    wait_until(lambda: film.get_attribute('src') != seen, 'another method looks the same')
    for f in fields.all(): f.select_option(index=1)
    ask.click()
    assert guess.locator('table tr').count() == 4 and re.search(r'You: \d of 3 right', guess.inner_text())
    assert ask.is_disabled() and fields.first.is_disabled()
    guess.get_by_role('button', name='next clip').click()
    assert guess.locator('table').count() == 0 and 'clip 2 of' in guess.inner_text()
    with page.expect_download() as saved: guess.get_by_role('button', name='save answers (CSV)').click()
    rows = Path(saved.value.path()).read_text().splitlines()
    assert rows[0] == 'method,clip,question,guess,machine,truth' and len(rows) == 4
    assert rows[1].startswith('"motion front","1","hat","yes",')
    assert_copies(guess, 'guess')
    check_names(guess)


def test_page_of_a_run(chromium, tmp_path):
    "`spact explore` of a tiny run: one file, which asks for nothing and answers"
    split = draw_split(8, size=16, t=8)
    often, drawn = Engine(EngineConfig(keep_every=1)), dict(size=16, drawn='Marionette')
    train(tmp_path/'run', split, split, GameConfig.tiny(steps=2), engine=often, source=drawn)
    assert _run_line(['explore', str(tmp_path/'run'), '-o', str(tmp_path/'page.html')]) == 0
    page, bad = chromium.new_page(viewport=DESK), []
    page.on('request', lambda r: r.url.startswith(('file:', 'data:', 'blob:')) or bad.append(r.url))
    page.on('pageerror', lambda e: bad.append(str(e)))
    page.goto((tmp_path/'page.html').as_uri())
    for title in 'How does the game go?', 'Where do f_T and f_B look?':
        play_all(page.get_by_role('group', name=title))
    page.set_viewport_size(PHONE)
    assert page.evaluate('document.documentElement.scrollWidth <= innerWidth')
    page.close()
    assert bad == []


def test_search(page, address):
    "A page that is named like the query comes first; symbols are found"
    first = {'sampler': '11_sampler', 'omega': 'howtos/choose_omega', 'install': 'index'}
    for asked, name in first.items():
        page.goto(f'{address}/search.html?q={asked}')
        link = page.locator('#search-results a').first
        link.wait_for()
        page.locator('#search-results p.search-summary').wait_for()
        assert link.get_attribute('href').startswith(f'{name}.html'), asked
    page.goto(f'{address}/search.html?q=nt_xent')
    page.locator('#search-results a', has_text='nt_xent').first.click()
    assert page.url.startswith(f'{address}/30_ntxent.html')
    page.goto(f'{address}/00_core.html')                                      # an old page leads to the new one
    page.wait_for_url(f'{address}/02_core.html')


@pytest.mark.slow # twelve pages in two themes
def test_axe(page, address):
    "Pages can be read by everybody: axe-core finds no serious violation, in light and in dark"
    axe = pytest.importorskip('axe_playwright_python.base', reason="needs axe: pip install -e '.[dev]'")
    found = {}
    for name in AXE:
        page.goto(f'{address}/{name}.html')
        page.evaluate(axe.AXE_SCRIPT)
        for theme, rules in (('light', None), ('dark', ['color-contrast'])):
            page.emulate_media(color_scheme=theme)
            options = dict(resultTypes=['violations']) | (dict(runOnly=rules) if rules else {})
            for v in page.evaluate('o => axe.run(document, o).then(r => r.violations)', options):
                if v['impact'] in ('serious', 'critical'):
                    found[f'{name}, {theme}: {v["id"]}'] = [n['html'][:150] for n in v['nodes'][:3]]
    assert found == {}
