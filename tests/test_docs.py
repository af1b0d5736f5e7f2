"""The documentation site builds from the notebooks, with warnings as errors, and asks no other host for anything."""
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


def test_every_notebook_is_a_page(site):
    nbs = ROOT/'nbs'
    for p in nbs.rglob('[!_.]*.ipynb'): assert (site/p.relative_to(nbs).with_suffix('.html')).exists()


def test_sidebar(site):
    "Captioned groups in reading order, Explore first, every notebook in one, by its title"
    text = (site/'index.html').read_text(encoding='utf-8')
    side = text[text.index('sidebar-tree'):text.index('</aside>')]
    assert re.findall(r'<span class="caption-text">(.+?)</span>', side) == [
        'Get started', 'Tutorials', 'How-tos', 'Explanations', 'Results', 'Data', 'Players', 'Losses', 'The game',
        'Faster', 'Measuring', 'Experiments', 'Exploring', 'Using f_A']
    links = re.findall(r'href="([^"#]*)(?:#[^"]*)?">(.+?)</a>', side)
    assert [t for _, t in links[:4]] == ['Explore', 'What it is', 'The book, chapter by chapter', 'Commands']
    chapters = [h.removesuffix('.html') for h, _ in links if re.match(r'\d\d_', h)]
    assert chapters == sorted(p.stem for p in (ROOT/'nbs').glob('[0-9]*.ipynb'))
    titles = dict(links)
    for nb in (ROOT/'nbs').glob('[0-9]*.ipynb'):
        title = ''.join(json.loads(nb.read_text(encoding='utf-8'))['cells'][0]['source']).split('\n')[0][2:]
        assert re.sub('<[^>]+>', '', titles[f'{nb.stem}.html']).replace('’', "'") == title.replace('`', '')


def test_a_page_leads_to_its_notebook(site):
    "On the code host, as a file, in Colab; and Binder where it can run there"
    text = (site/'43_minimax.html').read_text(encoding='utf-8')
    repo = 'github.com/spact/spact/blob/main/nbs/43_minimax.ipynb'
    places = repo, f'colab.research.google.com/{repo.replace(".com", "")}', 'spact.github.io/spact/43_minimax.ipynb'
    for link in (f'https://{p}' for p in places):
        assert f'href="{link}"' in text, link
    assert (site/'43_minimax.ipynb').read_bytes() == (ROOT/'nbs/43_minimax.ipynb').read_bytes()
    assert 'mybinder.org' in (site/'tutorials/1_ten_minutes.html').read_text(encoding='utf-8')


def test_what_search_engines_see(site):
    "A description of its own for each page, a picture, an address; a map of the site; a page for lost readers"
    said = {}
    for nb in (ROOT/'nbs').rglob('[!_.]*.ipynb'):
        name = nb.relative_to(ROOT/'nbs').with_suffix('').as_posix()
        text = (site/f'{name}.html').read_text(encoding='utf-8')
        said[name] = re.search(r'<meta name="description" content="(.+?)">', text)[1]
        host = 'https://spact.github.io/spact/'
        assert f'<link rel="canonical" href="{host}{name}.html"' in text, name
        assert f'<meta property="og:image" content="{host}_static/card.png">' in text
        assert f'<loc>{host}{name}.html</loc>' in (site/'sitemap.xml').read_text()
    assert len(set(said.values())) == len(said) and not [n for n, s in said.items() if len(s) < 20 or '`' in s]
    assert (site/'_static/card.png').exists() and 'no such page' in (site/'404.html').read_text()
    assert not list(site.rglob('.doctrees'))


def test_commands_page(site):
    text = (site/'commands.html').read_text(encoding='utf-8')
    assert not re.search(r'0x[0-9a-f]{6,}|OptionInfo', text)
    words = re.sub('<[^>]+>', '', text)
    assert all(f'spact {c}' in words for c in ('demo', 'train', 'evaluate', 'audit', 'anonymize', 'data check'))


def test_captions_have_no_quotes(site):
    for p in site.rglob('*.html'):
        assert not re.search(r'caption-text">(&quot;|&#34;|")', p.read_text(encoding='utf-8')), p.name


@pytest.mark.slow
def test_a_second_build_is_the_same(site, tmp_path):
    "To the byte"
    cmd = [sys.executable, '-m', 'sphinx', '-q', '-c', 'docs', '-d', tmp_path/'trees', 'nbs', tmp_path/'html']
    subprocess.run(cmd, cwd=ROOT, check=True)
    def read(d): return {p.relative_to(d): p.read_bytes() for p in d.rglob('*') if p.is_file()}
    first, second = read(site), read(tmp_path/'html')
    assert first.keys() == second.keys() and [str(p) for p in first if first[p] != second[p]] == []


def test_reference_page(site):
    text = (site/'02_core.html').read_text(encoding='utf-8')
    assert 'spact.core.check_clip' in text and '[source]' in text # an entry of its own, linked to its code
    assert '#|' not in text and 'default_exp' not in text and 'show_doc' not in text


def test_figures(site):
    "Plots are sharp, and known as such, so that a dark page can show them dark; pictures of frames are not"
    plot = re.search(r'<img[^>]*class="plot"[^>]*src="../(_images/[^"]+)"[^>]*width="(\d+)"',
                     (site/'results/motion.html').read_text(encoding='utf-8'))
    with Image.open(site/plot[1]) as im: assert im.width == 2*int(plot[2])
    assert 'class="plot"' not in (site/'20_unet.html').read_text(encoding='utf-8')


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
