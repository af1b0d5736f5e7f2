"""The documentation site builds from the notebooks, with warnings as errors, and asks no other host for anything."""
import re
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[1]


def test_every_notebook_is_a_page(site):
    nbs = ROOT/'nbs'
    for p in nbs.rglob('[!_.]*.ipynb'): assert (site/p.relative_to(nbs).with_suffix('.html')).exists()


def test_sidebar(site):
    "Captioned groups in reading order, every notebook in one, chapters by number and by name of module"
    text = (site/'index.html').read_text(encoding='utf-8')
    side = text[text.index('sidebar-tree'):text.index('</aside>')]
    assert re.findall(r'<span class="caption-text">(.+?)</span>', side) == [
        'Get started', 'Tutorials', 'How-tos', 'Explanations', 'Results', 'Data', 'Players', 'Losses', 'The game',
        'Faster', 'Measuring', 'Experiments', 'Exploring', 'Using f_A']
    chapters = [h for h in re.findall(r'href="([^"#]+)\.html"', side) if re.match(r'\d\d_', h)]
    assert chapters == sorted(p.stem for p in (ROOT/'nbs').glob('[0-9]*.ipynb'))
    game = side[side.index('>The game<'):side.index('>Faster<')]
    assert re.findall(r'href="(\d\d_\w+)\.html">(?:<[^>]+>)*(\w+)', game)[0] == ('40_game', 'game')


def test_reference_page(site):
    text = (site/'02_core.html').read_text(encoding='utf-8')
    assert 'spact.core.check_clip' in text and '[source]' in text # an entry of its own, linked to its code
    assert '#|' not in text and 'default_exp' not in text and 'show_doc' not in text


def test_nothing_is_loaded_from_elsewhere(site):
    for p in site.rglob('*.html'):
        text = p.read_text(encoding='utf-8')
        loads = re.findall(r'<(?:script|img|iframe)[^>]+src="(https?:[^"]+)"', text)
        styles = re.findall(r'<link[^>]+rel="stylesheet"[^>]+href="(https?:[^"]+)"', text)
        assert loads + styles == [], p.name


def test_no_link_is_broken(site):
    "Every link within the site leads to a file, and to a place in it"
    text = {p: p.read_text(encoding='utf-8') for p in site.rglob('*.html')}
    ids = {p: set(re.findall(r'\s(?:id|name)="([^"]+)"', t)) for p, t in text.items()}
    broken = set()
    for p, t in text.items():
        for link in set(re.findall(r'\s(?:href|src)="([^"]+)"', t)):
            if re.match(r'[a-z]+:', link): continue # another site, or data
            path, _, place = link.replace('&amp;', '&').partition('#')
            to = (p.parent/unquote(path.partition('?')[0])).resolve() if path else p
            lost = place and to in ids and unquote(place) not in ids[to]
            if lost or not to.exists(): broken.add(f'{p.name}: {link}')
    assert broken == set()


def test_old_pages_lead_to_new_ones(site):
    "Pages that others may link to: chapters under their former numbers and names"
    for old, new in (('00_core', '02_core'), ('13_datasets', '14_bank'), ('61_widgets', '72_explorers')):
        text = (site/f'{old}.html').read_text(encoding='utf-8')
        assert f'<meta http-equiv="refresh" content="0; url={new}.html">' in text and f'href="{new}.html"' in text


def test_search_knows_the_symbols(site):
    index = (site/'searchindex.js').read_text(encoding='utf-8')
    assert all(name in index for name in ('nt_xent', 'step_tb', 'check_clip'))
