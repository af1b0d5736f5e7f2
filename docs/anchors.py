"""The exporting notebooks, measured: python docs/anchors.py prints one line a notebook, and one for all of them together.

    upward   imports from a notebook of the same or a higher number
    median   lines of an exported function, method or class, from its first decorator to its end, signature and docments included
    asserts  `assert` and `test_...` in cells that are not exported, for each public function, class and method
    words    of prose, without code, formulas and tables, for each exported line of code
    silent   public definitions without a docstring, and parameters or fields of theirs without a docment
"""
import ast, json, re, sys
from functools import cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
NBS = sorted((ROOT/'nbs').glob('[0-9]*.ipynb'))
DEFS = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
BARS = dict(upward=0, median=10, asserts=3, words=4, silent=0)


@cache
def cells(nb, kind='code'):
    return [''.join(c['source']) for c in json.loads(nb.read_text(encoding='utf-8'))['cells'] if c['cell_type'] == kind]


def module(nb):
    "The name that a notebook exports to, or None"
    return next((m[1] for c in cells(nb) if (m := re.search(r'^#\|\s*default_exp\s+(\S+)', c, re.M))), None)


def is_exported(cell): return bool(re.search(r'^#\|\s*exports?\b', cell, re.M))


def parse(cell):
    "The syntax tree of a cell, magics left out"
    return ast.parse('\n'.join('' if re.match(r'\s*[%!]', l) else l for l in cell.split('\n')))


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
    "What a notebook, examples included, and its module import from its own number or a higher one"
    number, own = {m: int(p.name[:2]) for p in NBS if (m := module(p))}, module(nb)
    code = [c for c in cells(nb) if not c.startswith('%%')]
    if own: code.append((ROOT/f'spact/{own}.py').read_text(encoding='utf-8'))
    return sorted({m for c in code for m in imported(c)} & {m for m, k in number.items() if k >= int(nb.name[:2]) and m != own})


# --- definitions ------------------------------------------------------------------------------------------------------
def is_public(o): return o.name[0] != '_'


def definitions(cell):
    "Exported definitions as (node, name of the class or ''): what stands at the top, and the public methods of classes"
    for t in ast.parse(cell).body:
        if not isinstance(t, DEFS): continue
        yield t, ''
        if isinstance(t, ast.ClassDef) and is_public(t): yield from ((m, t.name) for m in t.body if isinstance(m, DEFS) and is_public(m))


def length(o): return o.end_lineno - min([o.lineno, *(d.lineno for d in o.decorator_list)]) + 1


def is_option(arg): return arg.annotation is not None and 'Annotated' in ast.unparse(arg.annotation) # its help says what it is


def parameters(o):
    "What of a definition needs a comment on its line: (name, line)"
    if isinstance(o, ast.ClassDef):
        init = next((m for m in o.body if isinstance(m, DEFS) and m.name == '__init__'), None)
        if init: return parameters(init)
        return [(n.target.id, n.end_lineno) for n in o.body if isinstance(n, ast.AnnAssign)]
    a = o.args
    args = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, [a.vararg])]
    patched = any(ast.unparse(d).startswith('patch') for d in o.decorator_list)
    own = [p for p in args[patched:] if p.arg not in ('self', 'cls') and not is_option(p)]
    ends = {id(p): p.end_lineno for p in args}
    for p, d in zip([*a.posonlyargs, *a.args][::-1], a.defaults[::-1]): ends[id(p)] = d.end_lineno
    for p, d in zip(a.kwonlyargs, a.kw_defaults): ends[id(p)] = d.end_lineno if d else p.end_lineno
    back = [('return', o.returns.end_lineno)] if o.returns and ast.unparse(o.returns) not in ('None', 'Iterator[None]') else []
    return [(p.arg, ends[id(p)]) for p in own] + back


def silent(cell):
    "Names in an exported cell that nothing is said about"
    lines = cell.split('\n')
    for o, owner in definitions(cell):
        if not is_public(o): continue
        name = f'{owner}.{o.name}'.lstrip('.')
        if not ast.get_docstring(o) and not (owner and o.name == 'forward'): yield name
        yield from (f'{name}: {p}' for p, i in parameters(o) if '#' not in lines[i-1])


# --- prose and assertions ---------------------------------------------------------------------------------------------
def words(text):
    "How many words of prose there are in Markdown"
    text = re.sub(r'```.*?```|~~~.*?~~~|\$\$.*?\$\$|\$.*?\$|^\|.*?$', ' ', text, flags=re.S | re.M)
    return len(re.findall(r"[^\W\d_][\w'’-]*", re.sub(r'\]\([^)]*\)', ']', text)))


def assertions(code):
    called = lambda n: getattr(n.func, 'id', getattr(n.func, 'attr', ''))
    return sum(isinstance(n, ast.Assert) or isinstance(n, ast.Call) and called(n).startswith('test_') for n in ast.walk(parse(code)))


class Row(NamedTuple):
    "What was counted in a notebook, or in several."
    notebook: str
    upward: list  # modules
    lengths: list # lines of each definition
    public: int   # definitions
    asserts: int
    words: int
    lines: int    # of exported code
    silent: list  # names

    def figures(self):
        return dict(upward=len(self.upward), median=median(self.lengths or [0]), asserts=self.asserts/max(1, self.public),
                    words=self.words/max(1, self.lines), silent=len(self.silent))

    def short(self):
        "The figures that miss their bar"
        return [k for k, v in self.figures().items() if (v < BARS[k] if k in ('asserts', 'words') else v > BARS[k])]


def measure(nb):
    code = [c for c in cells(nb) if not c.startswith('%%')]
    out = [c for c in code if is_exported(c)]
    defs = [o for c in out for o, _ in definitions(c)]
    return Row(nb.stem, upward(nb), list(map(length, defs)), sum(map(is_public, defs)),
               sum(assertions(c) for c in code if not is_exported(c)), sum(map(words, cells(nb, 'markdown'))),
               sum(bool(l.strip()) and not l.startswith('#|') for c in out for l in c.split('\n')), [s for c in out for s in silent(c)])


def total(rows): return Row('all', *(sum(v[1:], v[0]) for v in list(zip(*rows))[1:]))


def exporting(): return [nb for nb in NBS if any(map(is_exported, cells(nb)))]


def main():
    rows = [measure(nb) for nb in exporting()]
    print(f'{"notebook":<16}{"upward":>8}{"median":>8}{"asserts":>9}{"words":>8}{"silent":>8}   short of')
    for r in [*rows, total(rows)]:
        f = r.figures()
        print(f'{r.notebook:<16}{f["upward"]:>8}{f["median"]:>8g}{f["asserts"]:>9.1f}{f["words"]:>8.1f}{f["silent"]:>8}   {", ".join(r.short())}'.rstrip())
        if r in rows: print(*(f'{"":18}{s}' for s in [*r.upward, *r.silent]), sep='\n', end='\n'*bool(r.upward+r.silent))
    print(f'{"aim":<16}{"= 0":>8}{"<= 10":>8}{">= 3":>9}{">= 4":>8}{"= 0":>8}')
    return bool(total(rows).short())


if __name__ == '__main__': sys.exit(main())
