"""Lets pytest run the notebooks: every notebook of settings.ini's nbs_path, in nbdev's own shell and by nbdev's rules
(tst_flags, `#| eval: false`, skip_exec, a leading `_` is ignored), one test for each cell that checks something and
one for reaching the end; a last one compares what the cells printed with what is stored. `pytest --nb-flags "slow
data"` runs flagged cells too. An exported cell is compiled under the module's name and lines, so that tracebacks and
coverage refer to `spact/*.py`."""
import ast
import difflib
import gc
import linecache
import os
import re
import sys
import traceback
from functools import cache
from pathlib import Path

import pytest
from execnb.shell import CaptureShell
from fastcore.basics import str2bool
from fastcore.xtras import working_directory
from nbdev.config import get_config
from nbdev.frontmatter import FrontmatterProc
from nbdev.process import NBProcessor

os.environ.setdefault('MPLBACKEND', 'agg')
os.environ.setdefault('OMP_NUM_THREADS', '1') # one process a core runs tests; numbers must not depend on threads
os.environ['IN_TEST'] = '1' # nbdev_export() in a notebook's last cell does nothing while this is set
os.environ.setdefault('SPACT_STATIC', '1') # widgets leave a page of themselves, as where outputs are stored
CFG = get_config(path=Path(__file__).parent)
EXPORTS = {'export', 'exports', 'exporti'}


def pytest_addoption(parser):
    parser.addoption('--nb-flags', default='', help='tst_flags of settings.ini to run too, such as "slow data"')


def pytest_collection_modifyitems(config, items):
    """Tests in files have the flag `slow` too: `@pytest.mark.slow`. Notebooks go from the last to the first: the small
    ones, at the end, keep all processes busy."""
    places = {p: k for k, p in enumerate(dict.fromkeys(item.path for item in items))}
    items.sort(key=lambda item: (-places[item.path] if item.path.suffix == '.ipynb' else -1e9))
    if 'slow' in config.getoption('--nb-flags').split(): return
    for item in items:
        if item.get_closest_marker('slow'): item.add_marker(pytest.mark.skip(reason='slow: --nb-flags slow runs it'))


def pytest_collect_file(file_path, parent):
    nbs = Path(CFG.nbs_path).resolve()
    if file_path.suffix != '.ipynb' or nbs not in file_path.parents: return
    if any(p[0] in '_.' for p in file_path.relative_to(nbs).parts): return
    return Notebook.from_parent(parent, path=file_path)


@cache
def exported_code():
    "Where an exported cell's code is: (notebook, cell id) -> (module file, number of lines before it, the code there)"
    res = {}
    for p in Path(CFG.lib_path).resolve().rglob('*.py'):
        head, *parts = re.split(r'^# %% (.+\.ipynb) #(\S+)\n', p.read_text(encoding='utf-8'), flags=re.M)
        before = head.count('\n')
        for nb, cell, code in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            res[(p.parent/nb).resolve(), cell] = str(p), before + 1, code
            before += 1 + code.count('\n')
    return res


def checks(cell):
    "Does `cell` assert something, or call a `test_...` function?"
    def is_check(n):
        if not isinstance(n, ast.Call): return isinstance(n, ast.Assert)
        return getattr(n.func, 'id', getattr(n.func, 'attr', '')).startswith('test_')
    return any(is_check(n) for tree in cell.parsed_() or [] for n in ast.walk(tree))


class Shell(CaptureShell):
    "nbdev's shell; while `where` is set, code is compiled as that part of a module, whose docstrings are longer"
    def __init__(self, path):
        super().__init__(path)
        self.where, get_name = None, self.compile.get_code_name
        self.compile.get_code_name = lambda *a: self.where[0] if self.where else get_name(*a)
        self.ast_transformers.append(self)

    def visit(self, tree): # called by IPython on each cell's syntax tree
        if not self.where: return tree
        file, before, code = self.where
        linecache.cache.pop(file, None) # IPython stored the cell as if it were the whole file
        there = ast.parse('\n'*before + code)
        for here, place in zip(ast.walk(tree), ast.walk(there), strict=True): ast.copy_location(here, place)
        return tree


NUMBER = re.compile(r'(?<![\w.])[-+−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)')


def printed(outputs):
    "What of a cell's outputs must not drift: its text, what tables say, and that there is a picture or a page"
    def text(v): return v if isinstance(v, str) else ''.join(v)
    res = [''.join(text(o['text']) for o in outputs if o.get('name') == 'stdout').rstrip()]
    for data in (o['data'] for o in outputs if 'data' in o):
        kinds = sorted(k for k in data if k.startswith('image/') or k in ('text/html', 'application/javascript'))
        if is_table(html := text(data.get('text/html', ''))): res.append(read_table(html))
        elif kinds: res.append(f'[{kinds[0].split("/")[0]}]')
        else: res.append(text(data.get('text/markdown', data.get('text/plain', ''))).rstrip())
    return '\n'.join(filter(None, res))


def is_table(html): return '<table' in html and '<script' not in html


def read_table(html):
    "What a DataFrame or its Styler says, a line a row, without the style and its random names"
    rows = re.findall(r'<tr.*?</tr>', re.sub(r'<style.*?</style>', '', html, flags=re.S), re.S)
    def cells(row): return [re.sub(r'<[^>]+>', '', c).strip() for c in re.findall(r'<t[hd].*?</t[hd]>', row, re.S)]
    return '\n'.join(' | '.join(cells(r)) for r in rows)


def is_same(a, b):
    "The same words, and numbers that agree within a hundredth, or one of their last digit: rounding differs"
    if a == b: return True
    if NUMBER.split(a) != NUMBER.split(b): return False
    for s, t in zip(*([m.replace('−', '-') for m in NUMBER.findall(v)] for v in (a, b))):
        digit = 10.**-max(len(v.partition('.')[2]) if 'e' not in v else 9 for v in (s, t))
        if abs(float(s) - float(t)) > max(digit*1.01, .01*abs(float(s))): return False
    return True


class Notebook(pytest.File):
    def collect(self):
        nb = NBProcessor(self.path, procs=FrontmatterProc, process=True).nb
        self.shell, self.todo, self.stale, self.failed, heading = None, [], [], None, self.path.stem
        if str2bool(getattr(nb, 'frontmatter_', {}).get('skip_exec', False)): return
        skip = set(CFG.tst_flags.split()) - set(self.config.getoption('--nb-flags').split())
        for cell in nb.cells:
            title = cell.cell_type == 'markdown' and re.search(r'^#+\s+(.+?)\s*-?$', cell.source, re.M)
            if title: heading = title[1]
            if cell.cell_type != 'code' or 'nbdev_export(' in cell.source: continue
            flags = cell.directives_
            if skip & flags.keys() or flags.get('eval:', [''])[0].lower() == 'false': continue
            self.todo.append(cell)
            if not EXPORTS & flags.keys() and checks(cell):
                yield Cells.from_parent(self, name=f'{heading} #{cell.id}', upto=cell)
        if self.todo:
            yield Cells.from_parent(self, name='runs to the end', upto=None)
            yield Outputs.from_parent(self, name='stored outputs are current')

    def run(self, upto):
        "Run the cells that have not run yet, up to and including `upto` (None: all of them)"
        if self.failed: pytest.fail(f'not reached: cell #{self.failed} failed', pytrace=False)
        if self.shell is None: self.shell, self.code = Shell(self.path), exported_code()
        with working_directory(self.path.parent):
            while self.todo and (upto is None or upto in self.todo):
                cell = self.todo.pop(0)
                self.shell.where = self.code.get((self.path.resolve(), cell.id))
                stored, cell.outputs = cell.outputs, []
                self.shell.cell(cell)
                if self.shell.exc is not None:
                    self.failed = cell.id
                    raise CellError(cell, self.shell.exc)
                was, now = (printed(o).split('\n') for o in (stored, cell.outputs))
                if 'drifts:' in cell.directives_ or is_same('\n'.join(was), '\n'.join(now)): continue
                self.stale += [f'cell #{cell.id}:', *difflib.unified_diff(was, now, 'stored', 'now', lineterm='', n=0)]

    def teardown(self):
        self.shell = None
        if plt := sys.modules.get('matplotlib.pyplot'): plt.close('all')
        gc.collect()
        gc.freeze() # what is left are modules: half a million objects, not to be looked through again and again


class CellError(Exception):
    "A cell that raised: (cell, exception)"


class Cells(pytest.Item):
    def __init__(self, *, upto, **kw):
        super().__init__(**kw)
        self.upto = upto

    def runtest(self): self.parent.run(self.upto)

    def reportinfo(self): return self.path, None, f'{self.path.stem}: {self.name}'

    def repr_failure(self, excinfo):
        if not isinstance(excinfo.value, CellError): return super().repr_failure(excinfo)
        cell, exc = excinfo.value.args
        tb = exc.__traceback__
        while tb and 'IPython' in tb.tb_frame.f_code.co_filename: tb = tb.tb_next # show the cell's part only
        return f'cell #{cell.id}:\n{cell.source}\n\n' + ''.join(traceback.format_exception(type(exc), exc, tb))


class Outputs(pytest.Item):
    "What the cells have just printed is what is stored, except under `#| drifts: why` (times, sizes in memory)"
    def runtest(self):
        self.parent.run(None)
        if not self.parent.stale: return
        pytest.fail('\n'.join([*self.parent.stale, 'store fresh outputs, see CONTRIBUTING.md']), pytrace=False)

    def reportinfo(self): return self.path, None, f'{self.path.stem}: {self.name}'
