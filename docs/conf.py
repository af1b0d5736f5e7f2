"""The site: Sphinx reads the notebooks of nbs/ as they are, and nbdev's own processors run on each as it is read.

    sphinx-build -q -W --keep-going -d _docs/trees -c docs nbs _docs/html
"""
import ast
import importlib
import inspect
import json
import re
import shutil
import sys
from base64 import b64decode
from dataclasses import is_dataclass
from functools import cache, reduce
from html import escape
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from execnb.nbio import dict2nb, mk_cell, nb2dict
from fastcore.docments import docments
from nbdev.config import get_config
from nbdev.doclinks import nbglob, patch_name
from nbdev.process import NBProcessor, Processor
from nbdev.processors import (
    _default_exp,
    add_show_docs,
    clean_magics,
    filter_stream_,
    hide_,
    hide_line,
    populate_language,
    rm_export,
    rm_header_dash,
    strip_ansi,
    strip_hidden_metadata,
)
from PIL import Image, ImageChops

CFG = get_config(path=Path(__file__).parents[1])
LIB = CFG.lib_path.name

# --- Sphinx -----------------------------------------------------------------------------------------------------------
project, author, release = CFG.title, CFG.author, CFG.version
copyright = CFG.copyright
extensions = ['myst_nb', 'sphinx.ext.mathjax', 'sphinx.ext.linkcode', 'sphinx_copybutton']
root_doc = 'index'
exclude_patterns = ['_*', '.*', '**/.*', '**/_*', '*.yml']
add_module_names = False
python_maximum_signature_line_length = 70
toc_object_entries_show_parents = 'hide'

nb_execution_mode = 'off'                     # outputs come from the notebooks, which the tests keep true
nb_merge_streams = True
nb_render_markdown_format = 'myst'
nb_ipywidgets_js = {}                         # no html manager from a CDN: Portable widgets carry their own page
myst_enable_extensions = ['dollarmath', 'amsmath', 'colon_fence', 'fieldlist', 'attrs_block', 'attrs_inline', 'deflist']
myst_heading_anchors = 3

html_theme = 'furo'
html_title = f'{CFG.title} {CFG.version}'
HOST = f'{CFG.doc_host}{CFG.doc_baseurl}/'
html_baseurl = HOST                           # every page names its address, and sitemap.xml lists them
html_copy_source = False
html_show_sourcelink = False
mathjax = Path(importlib.import_module('sphinx-mathjax-offline').__file__).parent/'static/mathjax/tex-svg.js'
html_static_path = ['_static', str(mathjax)]  # MathJax as one file, from PyPI: the site loads nothing from elsewhere
mathjax_path = 'tex-svg.js'
html_css_files = ['spact.css']
html_js_files = ['spact.js']                  # tables that can be scrolled, the sidebar at the page that is open
html_search_scorer = str(Path(__file__).parent/'search_scorer.js') # the page that is named like the query comes first
html_favicon = '_static/favicon.svg'         # every browser asks for one

# --- nbdev ------------------------------------------------------------------------------------------------------------
syms = {}                                     # every documented symbol: as written in backticks -> full name
for mod, names in importlib.import_module(f'{LIB}._modidx').d['syms'].items():
    for full in names: syms.setdefault(full.removeprefix(mod + '.'), full); syms.setdefault(full, full)

def link(text):
    "Backticked symbols of the package as cross-references, except in code and in links"
    def line(s): return re.sub(r'(?<![\[`}])`([\w.]+)(\(\))?`(?![`\]])', ref, s)
    def ref(m): return f'{{py:obj}}`{m[1]}{m[2] or ""} <{syms[m[1]]}>`' if m[1] in syms else m[0]
    out, fence = [], False
    for s in text.split('\n'):
        if s.lstrip().startswith(('```', '~~~')): fence = not fence
        out.append(s if fence else line(s))
    return '\n'.join(out)

class Plain(str): __repr__ = str.__str__

def signature(o, skip=False):
    "The signature of `o`, without self if `skip`, with functions by name and annotations without quotes"
    try: sig, e = inspect.signature(o), inspect.Parameter.empty
    except ValueError: return '' # an exception that adds nothing to its base
    anno = lambda a: Plain(a) if isinstance(a, str) else a
    def dflt(d):
        if is_dataclass(d) and len(repr(d)) > 70: return Plain(f'{type(d).__name__}(...)') # not its forty fields
        return Plain(d.__name__) if callable(d) and hasattr(d, '__name__') else Plain(re.sub(r' at 0x\w+', '', repr(d)))
    ps = [p.replace(annotation=anno(p.annotation), default=e if p.default is e else dflt(p.default))
          for p in sig.parameters.values()]
    none = isinstance(o, type) or sig.return_annotation in (None, 'None')
    back = sig.empty if none else anno(sig.return_annotation)
    return sig.replace(parameters=ps[skip:], return_annotation=back)

def api(sym, mod):
    "MyST that documents the symbol `sym` of module `mod`: signature, docstring and docments"
    o = reduce(getattr, sym.split('.'), mod)
    cls = isinstance(o, type)
    kind = 'class' if cls else 'property' if isinstance(o, property) else 'method' if '.' in sym else 'function'
    sig = signature(o, skip=kind == 'method' and inspect.isfunction(o)) if callable(o) else ''
    doc = docments(o, full=True) if sig else {}
    fields = [f':{"returns" if k == "return" else f"param {k}"}: {" ".join(v.docment.split())}'
              for k, v in doc.items() if k != 'self' and v.get('docment')]
    text = link(re.split(r'\n\n(?:Parameters|Returns):\n', inspect.cleandoc(o.__doc__ or ''))[0]) # fields say the rest
    head = [f'::::{{py:{kind}}} {sym}{sig}', f':module: {mod.__name__}']
    return '\n'.join([*head, '', text, '', *map(link, fields), '::::'])

class Order(Processor):
    "A cell's definitions are documented in the order in which they stand, before the code where that is shown"
    def begin(self):
        cells, out = self.nb.cells, []
        while cells:
            cell, docs = cells.pop(0), []
            while cells and getattr(cells[0], 'has_sd', False): docs.insert(0, cells.pop(0))
            out += [*docs, cell] if 'exports' in cell.directives_ else [cell, *docs]
        cells[:] = out

class Api:
    "Turns `show_doc` cells into the documentation of the symbol"
    def __init__(self, nb):
        self.nb, name = nb, _default_exp(nb)
        self.mod = importlib.import_module(f'{LIB}.{name}') if name else None
    def __call__(self, cell):
        m = re.match(r'(?:#\|.*\n)*show_doc\((.*)\)\s*$', cell.source, re.S)
        if cell.cell_type != 'code' or not m: return
        sym = ast.unparse(ast.parse(f'f({m[1]})').body[0].value.args[0])
        mod = self.mod or importlib.import_module(syms[sym].removesuffix('.' + sym))
        cell.update(cell_type='markdown', source=api(sym, mod), directives_={}, metadata={})
        for k in ('outputs', 'execution_count', 'has_sd'): cell.pop(k, None)

def text_of(cell, name):
    "The text after the directive `name`, without YAML's quotes; None without it"
    if f'{name}:' not in cell.directives_: return None
    text = ' '.join(cell.directives_[f'{name}:'])
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in '"\'' else text

TAGS = {('echo', 'false'): 'remove-input', ('output', 'false'): 'remove-output', ('include', 'false'): 'remove-cell',
        ('code-fold', 'true'): 'hide-input'}
def tags(cell):
    "Quarto's directives as myst-nb's tags, captions and alternative texts"
    if cell.cell_type != 'code': return
    tag = [v for (k, a), v in TAGS.items() if cell.directives_.get(f'{k}:', [''])[0].lower() == a]
    if tag: cell.metadata['tags'] = tag
    if alt := text_of(cell, 'fig-alt'): cell.metadata.setdefault('mystnb', {})['image'] = {'alt': alt}
    if cap := text_of(cell, 'fig-cap'): cell.metadata.setdefault('mystnb', {})['figure'] = {'caption': link(cap)}
    cell.source = re.sub(r'^#\|.*\n?', '', cell.source, flags=re.M)

def links(cell):
    if cell.cell_type != 'markdown' or cell.source.startswith('::::{py:'): return
    cell.source = link(cell.source)

def lead(cell):
    "The line `> ...` under the title as a lead"
    if cell.cell_type == 'markdown': cell.source = re.sub(r'\A(# .+)\n+> (.+)', r'\1\n\n{.lead}\n\2', cell.source)

def is_plot(png):
    "Whether a picture is lines on white paper, which a dark page shows as light lines on dark"
    with Image.open(BytesIO(b64decode(png))) as im:
        paper = Image.new('RGBA', im.size, 'white')
        paper.alpha_composite(im.convert('RGBA'))
    darkest = reduce(ImageChops.darker, paper.convert('RGB').split()).histogram()
    return sum(darkest[250:]) > .85*sum(darkest)

def figures(cell):
    "The size of a figure, whose pixels are twice as many, and whether it may turn dark"
    for o in cell.get('outputs', []):
        if 'image/png' not in o.get('data', {}): continue
        image = cell.metadata.setdefault('mystnb', {}).setdefault('image', {})
        size = o.get('metadata', {}).get('image/png', {})
        if 'width' in size: image['width'] = f'{size["width"]}px'
        if is_plot(''.join(o['data']['image/png'])): image['classes'] = 'plot'

PAGE_TYPE = 'application/vnd.spact.page+html'
VIEW = 'application/vnd.jupyter.widget-view+json'
NOTE = '<p class="needs-kernel">This control needs a running kernel: open the notebook in JupyterLab to use it.</p>'
def views(cell):
    "A widget's own page where it left one, otherwise a note that it needs a kernel"
    for o in cell.get('outputs', []):
        if PAGE_TYPE in o.get('data', {}): o['data'] = {'text/html': o['data'][PAGE_TYPE]}
        if 'text/html' in o.get('data', {}): # grey on grey cannot be read by everybody
            o['data']['text/html'] = ''.join(o['data']['text/html']).replace('color: gray', 'opacity: .75')
        if VIEW in o.get('data', {}):
            o['data'].pop(VIEW)
            o['data'].setdefault('text/html', NOTE)

# --- where a page's notebook is ---------------------------------------------------------------------------------------
def places(docname):
    "A line of links: the notebook on the code host, as a file, in Colab, and on Binder where it needs no GPU"
    path = f'{Path(CFG.nbs_path).name}/{docname}.ipynb'
    repo = f'{CFG.user}/{CFG.repo}'
    found = {'GitHub': f'{CFG.git_url}/blob/{CFG.branch}/{path}', 'download': f'{HOST}{docname}.ipynb',
             'Colab': f'https://colab.research.google.com/github/{repo}/blob/{CFG.branch}/{path}'}
    if docname.startswith(('tutorials/', 'explore')):
        found['Binder'] = f'https://mybinder.org/v2/gh/{repo}/{CFG.branch}?labpath={path}'
    return '{.places}\nThis page is a notebook: ' + ' · '.join(f'[{k}]({v})' for k, v in found.items())

def describe(raw):
    "What a page is about: the line under its title"
    first = ''.join(raw['cells'][0]['source']) if raw['cells'] else ''
    m = re.search(r'^> (.+)', first, re.M)
    return re.sub(r'[`*\[\]$\\]|\(https?:[^)]+\)', '', m[1]) if m else CFG.description

procs = [populate_language, add_show_docs, strip_ansi, hide_line, filter_stream_, rm_header_dash, rm_export,
         clean_magics, hide_, Order, strip_hidden_metadata, Api, tags, figures, links, lead, views]

def read(app, docname, source):
    if not str(app.env.doc2path(docname)).endswith('.ipynb'): return
    raw = json.loads(source[0])
    app.env.metadata[docname]['about'] = describe(raw)
    nb = NBProcessor(nb=dict2nb({**raw, 'metadata': {}}), procs=procs, process=True).nb
    cells = [nb2dict(c) for c in nb.cells]
    if docname.startswith('results/'): # what came out is what is looked for; the code is one click away
        for c in cells:
            if c['cell_type'] == 'code': c.setdefault('metadata', {}).setdefault('tags', ['hide-input'])
    if docname == root_doc: cells.append(nb2dict(mk_cell(toctree(), 'markdown')))
    elif cells and cells[0]['cell_type'] == 'markdown':
        head, lead_, rest = re.match(r'(# .+\n*)(\{\.lead\}\n.+\n*)?((?:.|\n)*)', ''.join(cells[0]['source'])).groups()
        cells[0]['source'] = f'{head.rstrip()}\n\n{(lead_ or "").rstrip()}\n\n{places(docname)}\n\n{rest}'
    for i, c in enumerate(cells): c.setdefault('id', f'c{i}'); c.setdefault('metadata', {})
    source[0] = json.dumps({**raw, 'cells': cells})

FOLDERS = {'tutorials': 'Tutorials', 'howtos': 'How-tos', 'explanations': 'Explanations', 'results': 'Results'}
CHAPTERS = { # the first number of a group of chapters -> its caption; 00 to 45 is the book
    0: 'Data', 20: 'Players', 30: 'Losses', 40: 'The game', 46: 'Faster', 50: 'Measuring', 60: 'Experiments',
    70: 'Exploring', 75: 'Using f_A'}
# where the alphabet is no reading order
FIRST = ['why_minimax', 'paper_to_code', 'differences', 'limits_of_evaluation', 'ethics', 'marionette']

def group_of(page):
    "The caption under which a page is in the sidebar"
    if page.parent.name: return FOLDERS[page.parent.name]
    return CHAPTERS[max(n for n in CHAPTERS if n <= int(page.name[:2]))]

START = ['explore', root_doc, 'modules', 'commands'] # pages beside the chapters, in this order
def toctree():
    "The sidebar: where to start, then a group for every folder and every part of the book, each page by its title"
    root, pages = Path(CFG.nbs_path).resolve(), {g: [] for g in [*FOLDERS.values(), *CHAPTERS.values()]}
    for p in sorted(nbglob(as_path=True), key=lambda p: (FIRST.index(p.stem) if p.stem in FIRST else len(FIRST), p)):
        p = p.resolve().relative_to(root).with_suffix('')
        if str(p) not in START: pages[group_of(p)].append(p.as_posix())
    def tree(caption, entries):
        return '\n'.join(['```{toctree}', ':hidden:', f':caption: {caption}', '', *entries, '```'])
    start = ['What it is <self>' if p == root_doc else p for p in START]
    return '\n\n'.join([tree('Get started', start), *(tree(g, ps) for g, ps in pages.items() if ps)])

# --- pages of earlier versions ----------------------------------------------------------------------------------------
MOVED = { # a page that others may link to -> the one that has its content
    '00_core': '02_core', '01_synth': '04_synth', '02_show': '05_show', '13_datasets': '14_bank',
    '14_marionette': '15_marionette', '15_official': '16_official', '16_layouts': '17_official_marionette',
    '23_people': '23_person_boxes', '37_team': '47_processes', '38_speed': '46_precision', '39_stream': '48_streaming',
    '40_pretrain': '42_starts', '41_minimax': '43_minimax', '42_runs': '45_runs', '53_protocols': '54_evaluation',
    '54_tradeoff': '55_tradeoff', '55_audit': '56_auditing', '56_recipes': '60_protocols', '57_study': '62_study',
    '58_tables': '63_paper_tables', '59_race': 'results/speed', '60_attention': '70_attention',
    '61_widgets': '72_explorers', '65_pretrained': '57_models', '66_hub': '58_hub', '67_export': '75_export',
    '70_anonymize': '76_anonymize', '71_folders': '77_anonymize_folder', '72_rates': 'results/speed',
    '73_bench': 'results/speed', '81_audit_report': '64_report'}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="refresh" content="0; url={to}"><link rel="canonical" href="{to}">
<link rel="icon" href="data:,"></head>
<body><p>This page is now <a href="{to}">{to}</a>.</p></body></html>
"""

def redirect(app, failed):
    "Leave a small page in each old place, which leads to the new one"
    if failed or app.builder.name != 'html': return
    for old, new in MOVED.items():
        here, there = (Path(app.outdir)/f'{name}.html' for name in (old, new))
        if old in app.env.all_docs: raise ValueError(f'{old} is a page, and redirected to {new}')
        if not there.exists(): raise ValueError(f'{old} is redirected to {new}, which is no page')
        here.write_text(PAGE.format(title=f'{CFG.title}: {new}', to=f'{new}.html'), encoding='utf-8')

# --- for search engines, links in chats, and lost readers -------------------------------------------------------------
LOST = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Not found</title>
<link rel="icon" href="data:,"><style>body {{ font: 1.1em system-ui; margin: 4em auto; max-width: 34em; padding: 0 1em;
  color-scheme: light dark; }}</style></head>
<body><h1>There is no such page</h1><p>It may have another name now: <a href="{host}">the first page</a>, and
<a href="{host}search.html">the search</a>.</p></body></html>
"""

def list_parameters(body):
    "Parameters on lines of their own as a list, not as definitions without a term, which screen readers stumble over"
    def read(m): return f'<ul>{m[1].replace("<dd>", "<li>").replace("</dd>", "</li>")}</ul>'
    return re.sub(r'<dl>((?:\s*<dd>(?:(?!</?d[dlt]>).)*</dd>)+\s*)</dl>', read, body, flags=re.S)

def describe_page(app, pagename, templatename, context, doctree):
    "What others show of a page when it is linked to"
    if 'body' in context: context['body'] = list_parameters(context['body'])
    if tree := context.get('furo_navigation_tree'): # its captions are headings, of the second level
        context['furo_navigation_tree'] = tree.replace('role="heading">', 'role="heading" aria-level="2">')
    known = app.env.metadata[pagename] if pagename in app.env.all_docs else {}
    text = escape(known.get('about', CFG.description))
    title = escape(re.sub('<[^>]+>', '', context.get('title') or CFG.title))
    card = f'{HOST}_static/card.png'
    properties = dict(title=title, description=text, type='website', url=f'{HOST}{pagename}.html', image=card)
    tags = ''.join(f'<meta property="og:{k}" content="{v}">\n' for k, v in properties.items())
    context['metatags'] = context.get('metatags', '') + f'<meta name="description" content="{text}">\n{tags}'

def complete(app, failed):
    "The notebooks beside their pages, a map of the site, and a page for addresses that lead nowhere"
    if failed or app.builder.name != 'html': return
    out, names = Path(app.outdir), sorted(app.env.all_docs)
    for name in names: shutil.copy(app.env.doc2path(name), out/f'{name}.ipynb')
    urls = ''.join(f'<url><loc>{HOST}{name}.html</loc></url>\n' for name in names)
    space = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    (out/'sitemap.xml').write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {space}>\n{urls}</urlset>\n')
    (out/'404.html').write_text(LOST.format(host=HOST))

@cache
def find_symbols(module):
    "The first and the last line of each symbol of a module of ours, patched methods included"
    code, where = Path(importlib.import_module(module).__file__).read_text(encoding='utf-8'), {}
    for t in ast.parse(code).body:
        if not isinstance(t, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef): continue
        names = patch_name(t)
        found = dict.fromkeys([names] if isinstance(names, str) else names, t)
        if isinstance(t, ast.ClassDef): found |= {f'{t.name}.{u.name}': u for u in t.body if hasattr(u, 'name')}
        where |= {n: (node.lineno, node.end_lineno) for n, node in found.items()}
    return where

def linkcode_resolve(domain, info):
    "Where the code of a symbol is shown on the code host"
    module, (first, last) = info['module'], find_symbols(info['module']).get(info['fullname'], (1, 1))
    return f'{CFG.git_url}/blob/{CFG.branch}/{module.replace(".", "/")}.py#L{first}-L{last}'

def setup(app):
    app.connect('source-read', read)
    app.connect('build-finished', redirect)
    app.connect('build-finished', complete)
    app.connect('html-page-context', describe_page, priority=900) # after the theme
    return {'parallel_read_safe': True}
