"""The documentation site builds from the notebooks, with warnings as errors, and asks no other host for anything."""
import re
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[1]


def test_every_notebook_is_a_page(site):
    nbs = ROOT/'nbs'
    for p in nbs.rglob('[!_.]*.ipynb'): assert (site/p.relative_to(nbs).with_suffix('.html')).exists()


def test_sidebar(site):
    "The groups in reading order, each notebook in it, chapters by number"
    text = (site/'index.html').read_text(encoding='utf-8')
    side = text[text.index('sidebar-tree'):text.index('</aside>')]
    order = 'Get started,Tutorials,How-tos,Explanations,Results,Reference'.split(',')
    seen = re.findall(r'<span class="caption-text">(.+?)</span>', side)
    assert seen == [g for g in order if g in seen] and {'Get started', 'Reference'} <= set(seen)
    chapters = [h for h in re.findall(r'href="([^"#]+)\.html"', side) if re.match(r'\d\d_', h)]
    assert chapters == sorted(p.stem for p in (ROOT/'nbs').glob('[0-9]*.ipynb'))


def test_reference_page(site):
    text = (site/'02_core.html').read_text(encoding='utf-8')
    assert 'spact.core.check_clip' in text and '[source]' in text # an entry of its own, linked to its code
    assert '#|' not in text and 'default_exp' not in text and 'show_doc' not in text


def test_nothing_is_loaded_from_elsewhere(site):
    for p in site.rglob('*.html'):
        text = p.read_text(encoding='utf-8')
        loads = re.findall(r'<(?:script|img|iframe)[^>]+src="(https?:[^"]+)"|<link[^>]+rel="stylesheet"[^>]+href="(https?:[^"]+)"', text)
        assert loads == [], p.name


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
            if not to.exists() or place and to in ids and unquote(place) not in ids[to]: broken.add(f'{p.name}: {link}')
    assert broken == set()


def test_search_knows_the_symbols(site):
    index = (site/'searchindex.js').read_text(encoding='utf-8')
    assert all(name in index for name in ('nt_xent', 'step_tb', 'check_clip'))
