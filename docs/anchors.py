"""The notebooks, measured one by one: `python docs/anchors.py [NOTEBOOK ...]` prints a line for each, and what misses.

For every notebook:

    long     lines of more than 120 columns in code cells, tests included; `#| fig-alt:` and its like may be longer
    seen     share of the unhidden code cells that show something: at least 0.4. A cell with exported code counts like
             any other. Hidden are `#| hide`, `#| include: false`, `#| default_exp`, the last cell, which exports, and
             cells that only import. Warnings do not count as shown, nor does what `#| output: false` leaves out.

For a notebook that exports, also:

    big      exported cells of more than 30 lines, blank ones and `#|` aside
    asserts  `assert` and `test_...` in cells that are not exported, a public function, class or method: at least 3
    words    of prose, without code, formulas and tables, for each exported line of code: at least 4
    upward   imports from a notebook of the same or a higher number: none
    silent   public definitions without a docstring, and parameters, results or fields of theirs without a comment: none
    wide     public functions with more than 9 parameters; classes but configurations (`@settings`) with more than 12

For the package: at most 400 public functions and classes at the top of modules, patched methods included."""
import ast
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
NBS = sorted((ROOT/'nbs').glob('[0-9]*.ipynb'))
PAGES = sorted(p for p in (ROOT/'nbs').rglob('[!_.]*.ipynb') if '.ipynb_checkpoints' not in p.parts and p not in NBS)
DEFS = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
COLUMNS, LINES, PARAMETERS, FIELDS, NAMES = 120, 30, 9, 12, 400
BARS = dict(long='= 0', seen='>= 0.4', big='= 0', asserts='>= 3', words='>= 4', upward='= 0', silent='= 0', wide='= 0')


# --- cells ------------------------------------------------------------------------------------------------------------
@cache
def read_cells(nb):
    "The cells of a notebook, their source as one string"
    found = json.loads(nb.read_text(encoding='utf-8'))['cells']
    return [c | dict(source=''.join(c['source'])) for c in found]


def cells(nb, kind='code'):
    "The sources of a notebook's cells of one kind"
    return [c['source'] for c in read_cells(nb) if c['cell_type'] == kind]


def has(cell, *names):
    "Does `cell` begin a line with one of these directives?"
    return bool(re.search(rf'^#\|\s*(?:{"|".join(names)})\b', cell, re.M))


def is_exported(cell): return has(cell, 'export', 'exports', 'exporti')


def parse(cell):
    "The syntax tree of a cell, magics left out"
    if cell.startswith('%%'): return ast.parse('')
    return ast.parse('\n'.join('' if re.match(r'\s*[%!]', line) else line for line in cell.split('\n')))


@cache
def module(nb):
    "The name that a notebook exports to, or None"
    return next((m[1] for c in cells(nb) if (m := re.search(r'^#\|\s*default_exp\s+(\S+)', c, re.M))), None)


def exporting(): return [nb for nb in NBS if any(map(is_exported, cells(nb)))]


def code_lines(cell): return [line for line in cell.split('\n') if line.strip() and not line.startswith('#|')]


# --- what a reader sees -----------------------------------------------------------------------------------------------
def is_hidden(cell):
    "Is this cell left out of the page, or nothing but imports?"
    if has(cell, 'hide', 'default_exp', 'include: false') or 'nbdev_export(' in cell: return True
    return not cell.startswith('%%') and all(isinstance(n, ast.Import | ast.ImportFrom) for n in parse(cell).body)


def shows(cell):
    "Does this cell leave something to look at?"
    return not has(cell['source'], 'output: false') and any(o.get('name') != 'stderr' for o in cell['outputs'])


def long_lines(cell):
    "The widths of the lines that are too long"
    return [n for line in cell.split('\n') if not line.startswith('#|') and (n := len(line)) > COLUMNS]


# --- imports ----------------------------------------------------------------------------------------------------------
def imported(code):
    "Modules of ours that `code` imports, at any depth"
    for n in ast.walk(parse(code)):
        if isinstance(n, ast.Import): full = [a.name for a in n.names]
        elif isinstance(n, ast.ImportFrom):
            base = '.'.join(filter(None, ['spact' if n.level else '', n.module]))
            full = [f'{base}.{a.name}' for a in n.names]
        else: continue
        yield from (f.split('.')[1] for f in full if f.startswith('spact.'))


def upward(nb):
    "What a notebook, examples included, imports from its own number or a higher one"
    number, own = {m: int(p.name[:2]) for p in NBS if (m := module(p))}, module(nb)
    high = {m for m, k in number.items() if k >= int(nb.name[:2]) and m != own}
    return sorted({m for c in cells(nb) for m in imported(c)} & high)


# --- definitions ------------------------------------------------------------------------------------------------------
def is_public(o): return o.name[0] != '_'


def decorated(o, *names): return any(ast.unparse(d).split('(')[0].split('.')[-1] in names for d in o.decorator_list)


def definitions(cell):
    "Exported definitions as (node, name of the class or ''): those at the top, and the public methods of classes"
    for t in parse(cell).body:
        if not isinstance(t, DEFS): continue
        yield t, ''
        if not isinstance(t, ast.ClassDef) or not is_public(t): continue
        yield from ((m, t.name) for m in t.body if isinstance(m, DEFS) and is_public(m))


def arguments(o):
    "The parameters of a function that a caller gives: (argument, its default or None)"
    a = o.args
    plain = [*a.posonlyargs, *a.args]
    given = list(zip(plain, [None]*(len(plain) - len(a.defaults)) + a.defaults, strict=True))
    given = given[decorated(o, 'patch', 'patch_to'):]
    rest = [(p, None) for p in (a.vararg, a.kwarg) if p]
    named = zip(a.kwonlyargs, a.kw_defaults, strict=True)
    return [(p, d) for p, d in [*given, *named, *rest] if p.arg not in ('self', 'cls')]


def parameters(o):
    "What of a definition needs a comment on its line: (name, line)"
    if isinstance(o, ast.ClassDef):
        init = next((m for m in o.body if isinstance(m, DEFS) and m.name == '__init__'), None)
        if init: return [(n, i) for n, i in parameters(init) if n != 'return']
        return [(n.target.id, n.end_lineno) for n in o.body if isinstance(n, ast.AnnAssign) and n.target.id[0] != '_']
    own = [(p.arg, (d or p).end_lineno) for p, d in arguments(o)
           if not (p.annotation and 'help=' in ast.unparse(p.annotation))] # an option whose help says it
    back = o.returns and ast.unparse(o.returns) not in ('None', 'Iterator[None]')
    return own + ([('return', o.returns.end_lineno)] if back else [])


def full_name(o, owner): return f'{owner}.{o.name}'.lstrip('.')


def silent(cell):
    "Names in an exported cell that nothing is said about"
    lines = cell.split('\n')
    for o, owner in definitions(cell):
        if not is_public(o): continue
        name = full_name(o, owner)
        if not ast.get_docstring(o) and not (owner and o.name == 'forward'): yield name
        yield from (f'{name}: {p}' for p, i in parameters(o) if '#' not in lines[i-1])


def wide(cell):
    "Public definitions in an exported cell that ask for too much at once"
    for o, owner in definitions(cell):
        is_class = isinstance(o, ast.ClassDef)
        if not is_public(o) or (is_class and decorated(o, 'settings')): continue
        n = len([p for p, _ in parameters(o) if p != 'return']) if is_class else len(arguments(o))
        if n > (FIELDS if is_class else PARAMETERS): yield f'{full_name(o, owner)} takes {n}'


def public_names(cell):
    "Public functions and classes that an exported cell defines at the top, patched methods included"
    return [n.name for n in parse(cell).body if isinstance(n, DEFS) and is_public(n)]


# --- prose and assertions ---------------------------------------------------------------------------------------------
def words(text):
    "How many words of prose there are in Markdown"
    text = re.sub(r'```.*?```|~~~.*?~~~|\$\$.*?\$\$|\$.*?\$|^\|.*?$', ' ', text, flags=re.S | re.M)
    return len(re.findall(r"[^\W\d_][\w'’-]*", re.sub(r'\]\([^)]*\)', ']', text)))


def assertions(code):
    "How many checks a cell makes"
    called = lambda n: getattr(n.func, 'id', getattr(n.func, 'attr', ''))
    return sum(isinstance(n, ast.Assert) or (isinstance(n, ast.Call) and called(n).startswith('test_'))
               for n in ast.walk(parse(code)))


# --- a row a notebook -------------------------------------------------------------------------------------------------
class Row(NamedTuple):
    "What was measured in a notebook."
    notebook: str
    measures: dict # name -> number
    details: list  # what misses, in words

    def short(self):
        "The measures that miss their bar"
        def meets(v, bar): return v >= float(bar.split()[1]) if bar[0] == '>' else v == 0
        return [k for k, v in self.measures.items() if not meets(v, BARS[k])]


def measure(nb):
    "The measures of one notebook"
    code = [c for c in read_cells(nb) if c['cell_type'] == 'code']
    unhidden = [c for c in code if not is_hidden(c['source'])]
    out = [c for c in code if is_exported(c['source'])]
    long = [f'cell {c["id"]}: a line of {n} columns' for c in code for n in long_lines(c['source'])]
    res = dict(long=len(long))
    if unhidden: res['seen'] = sum(map(shows, unhidden))/len(unhidden)
    if not out: return Row(nb.stem, res, long)
    big = [f'cell {c["id"]}: {n} exported lines' for c in out if (n := len(code_lines(c['source']))) > LINES]
    undocumented, much = ([f for c in out for f in find(c['source'])] for find in (silent, wide))
    public = sum(is_public(o) for c in out for o, _ in definitions(c['source']))
    high = upward(nb)
    res |= dict(big=len(big), asserts=sum(assertions(c['source']) for c in code if c not in out)/max(1, public),
                words=sum(map(words, cells(nb, 'markdown')))/max(1, sum(len(code_lines(c['source'])) for c in out)),
                upward=len(high), silent=len(undocumented), wide=len(much))
    return Row(nb.stem, res, [*long, *big, *(f'imports {m}' for m in high),
                              *(f'nothing is said about {s}' for s in undocumented), *much])


def package_names():
    "The public functions and classes of each module"
    return {module(nb): [n for c in cells(nb) if is_exported(c) for n in public_names(c)] for nb in exporting()}


def main(names=()):
    "Print what `names` measure, or all notebooks and the package; is anything short?"
    wanted = {Path(n).stem for n in names}
    nbs = [p for p in [*NBS, *PAGES] if not wanted or p.stem in wanted]
    if lost := wanted - {p.stem for p in nbs}: sys.exit(f'no notebook {", ".join(sorted(lost))}')
    rows = [measure(nb) for nb in nbs]
    print(f'{"notebook":<22}' + ''.join(f'{k:>8}' for k in BARS) + '   short of')
    for r in rows:
        shown = ''.join(f'{r.measures[k]:>8.3g}' if k in r.measures else f'{"":>8}' for k in BARS)
        print(f'{r.notebook:<22}{shown}   {", ".join(r.short())}'.rstrip())
        for d in r.details: print(f'    {d}')
    print(f'{"aim":<22}' + ''.join(f'{v:>8}' for v in BARS.values()))
    missing = [r.notebook for r in rows if r.short()]
    print(f'\n{len(rows) - len(missing)} of {len(rows)} notebooks meet every bar')
    if wanted: return bool(missing)
    n = sum(map(len, package_names().values()))
    print(f'{n} public functions and classes in {len(package_names())} modules, at most {NAMES}')
    return bool(missing) or n > NAMES


if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
