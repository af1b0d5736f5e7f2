"""README.md from nbs/index.ipynb, as nbdev_readme would make it but without Quarto: python docs/readme.py"""
import json
import re
import shutil
from pathlib import Path

import nbformat
from execnb.nbio import dict2nb, nb2dict
from nbconvert import MarkdownExporter
from nbdev.config import get_config
from nbdev.process import NBProcessor
from nbdev.processors import (
    clean_magics,
    filter_stream_,
    hide_,
    hide_line,
    populate_language,
    rm_export,
    rm_header_dash,
    strip_ansi,
)

cfg = get_config(path=Path(__file__).parents[1])
raw = json.loads((cfg.nbs_path/cfg.readme_nb).read_text(encoding='utf-8'))
nb = NBProcessor(nb=dict2nb({**raw, 'metadata': {}}), process=True, procs=[
    populate_language, strip_ansi, hide_line, filter_stream_, rm_header_dash, rm_export, clean_magics, hide_]).nb
for c in nb.cells:
    if c.cell_type != 'code': continue
    if c.directives_.get('echo:') == ['false']: c.metadata['transient'] = {'remove_source': True}
    c.source = '\n'.join(line for line in c.source.split('\n') if not line.startswith('#|'))
alts = {i: ' '.join(c.directives_['fig-alt:']) for i, c in enumerate(nb.cells)
        if 'fig-alt:' in getattr(c, 'directives_', {})}
cells = [{'metadata': {}, **nb2dict(c)} for c in nb.cells]
node = nbformat.reads(json.dumps({**raw, 'cells': cells}), as_version=4)
node.metadata['language_info'] = {'name': 'python'} # nbdev_clean took it
md, res = MarkdownExporter().from_notebook_node(node, {'output_files_dir': 'index_files'})
pictures = cfg.config_path/'index_files'
shutil.rmtree(pictures, ignore_errors=True) # those of the last time
for name, data in res['outputs'].items():
    pictures.mkdir(exist_ok=True)
    (cfg.config_path/name).write_bytes(data)
md = re.sub(r'!\[\w+\]\((\S+?output_(\d+)_\d+\.\w+)\)', lambda m: f'![{alts.get(int(m[2]), "figure")}]({m[1]})', md)
# what runs in a page only leads to the site; links between notebooks, as they are from the root
md = md.replace('](explore.ipynb', f']({cfg.doc_host}{cfg.doc_baseurl}/explore.html')
md = re.sub(r'\]\((?![a-z]+:|#|/|index_files)([^)]+)\)', rf']({cfg.nbs_path.name}/\1)', md)
md = re.sub(r'[ \t]+$', '', md, flags=re.M)
md = re.sub(r'\n{3,}', '\n\n', md).strip() + '\n'
head = f'<!-- WARNING: made from {cfg.nbs_path.name}/{cfg.readme_nb} by docs/readme.py. DO NOT EDIT! -->\n\n'
versions = '%20|%20'.join(cfg.d['pythons'].split())
badges = {'tests': (f'{cfg.git_url}/actions/workflows/ci.yml/badge.svg', f'{cfg.git_url}/actions'),
          'site': ('https://img.shields.io/badge/site-spact.github.io-blue', f'{cfg.doc_host}{cfg.doc_baseurl}/'),
          'Python': (f'https://img.shields.io/badge/python-{versions}-blue', 'settings.ini'),
          'licence': ('https://img.shields.io/badge/licence-Apache--2.0-blue', 'LICENSE')}
line = ' '.join(f'[![{name}]({image})]({to})' for name, (image, to) in badges.items())
md = re.sub(r'\A(# .+\n)', rf'\1\n{line}\n', md)
(cfg.config_path/'README.md').write_text(head + md, encoding='utf-8')
