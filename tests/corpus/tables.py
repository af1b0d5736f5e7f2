"""Manifests that are damaged, lead out of their folder, or are no tables at all."""
import shutil
import zipfile

from spact.video import write_video
from tests.corpus import Case, draw_film

HEAD = 'path,action,split,a.hat'
ROWS = [f'{i}.mp4,{"ab"[i%2]},{("train", "test")[i//2]},{i%2}' for i in range(4)]
OUT = ['../outside.mp4', '0/../../outside.mp4', '/etc/passwd', '/dev/zero', './/..//outside.mp4', '..',
       '../home/../outside.mp4', '../'*40 + 'etc/passwd', '/proc/self/mem']
STRANGE = ['file:///etc/passwd', 'http://localhost/x.mp4', '~/x.mp4', '$HOME/x.mp4', 'a\tb.mp4', 'x'*5000,
           '0.mp4/x.mp4', '.mp4', 'concat:0.mp4|1.mp4', 'a\0b.mp4']


def table(*more, head=HEAD, rows=ROWS): return '\n'.join([head, *rows, *more]) + '\n'


def swapped(old, new): return table(rows=[r.replace(old, new) for r in ROWS])


WRONG = { # name -> what the file holds
    'empty': b'', 'blank': b'\n\n\n', 'head': HEAD, 'json': '{"path": 1}',
    'latin': table('é.mp4,a,test,1').encode('latin-1'), 'nul': b'path,action\0,split\n\0\n',
    'binary': bytes(range(256))*20,
    'more': table('4.mp4,a,test,1,2'), 'fewer': table('4.mp4'), 'quote': table('"4.mp4,a,test,1'),
    'long': table('x'*200_000 + ',a,test,1'), 'twice': table(ROWS[0]), 'columns': table(head='path,path,split,a.hat'),
    'nameless': table(head='path,,split,a.hat'), 'no path': table(head='file,action,split,a.hat'),
    'no split': table(head='path,action,fold,a.hat'), 'number': table('4.mp4,a,test,1.0'),
    'nan': table('4.mp4,a,test,nan'),
    'word': table('4.mp4,a,test,yes'), 'missing': table('4.mp4,a,test,'), 'action': table('4.mp4,c,test,1'),
    'no action': table('4.mp4,,test,1'), 'no train': swapped('train', 'val'), 'one action': swapped(',b,', ',a,'),
    'constant': table(rows=[r[:-1] + '1' for r in ROWS]), 'no name': table(',a,test,1'), 'dot': table('.,a,test,1'),
    'newline': table('"4\n.mp4",c,test,1'),
    'escape': table('\x1b[2J.mp4,c,test,1'), 'values': table(*(f'{i}.mp4,a,train,{i}' for i in range(4, 99))),
    'wide': ','.join(f'c{i}' for i in range(5000)) + '\n1\n'}
READ = { # the same table, as other programs write it
    'utf16': table().encode('utf-16'), 'tabs': table().replace(',', '\t'), 'semicolons': table().replace(',', ';')}
ZIPS = { # name -> what is written into it
    'none': lambda z: None, 'folder': lambda z: z.mkdir('x'), 'picture': lambda z: z.writestr('a.csv', bytes(99)),
    'bomb': lambda z: z.writestr('a.csv', b'a'*(1 << 28), zipfile.ZIP_DEFLATED)}


def tables(root):
    home = root/'home'
    for i in range(4): write_video(home/f'{i}.mp4', draw_film().roll(i, 0), fps=12)
    shutil.copy(home/'0.mp4', root/'outside.mp4')
    def case(kind, name, data, codes=None, command=('data', 'check')):
        codes = codes or ((1, 2) if command[0] == 'data' else (2,)) # a check lists what is wrong with rows: 1
        (home/name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return Case(kind, [*command, str(home/name)], name, codes)
    yield case('tables', 'good.csv', table(), (0,))
    for i, path in enumerate([*OUT, str(root/'outside.mp4')]):
        for command in (('data', 'check'), ('train', '--out', 'OUT')):
            yield case('paths that climb out', f'{command[0]}{i}.csv', table(f'{path},a,test,1'), command=command)
    for i, path in enumerate(STRANGE):
        yield case('paths that climb out', f'strange{i}.csv', table(f'{path},a,test,1'), (1, 2))
    for name, to in (('link.mp4', '/dev/zero'), ('round', home), ('loop.mp4', 'loop.mp4')): (home/name).symlink_to(to)
    for name in ('link', 'loop', 'round/../round/none'):
        yield case('links', f'{name.replace("/", "_")}.csv', table(f'{name}.mp4,a,test,1'), (1,))
    for name, data in WRONG.items(): yield case('tables', f'{name}.csv', data)
    for name, data in READ.items(): yield case('tables', f'{name}.csv', data, (0,))
    yield case('tables', 'formula.csv', table('=cmd|calc.mp4,a,test,1'), (1,))
    yield from archives(home, case)
    (home/'folder.csv').mkdir()
    for name in ('folder.csv', 'absent.csv'): yield Case('tables', ['data', 'check', str(home/name)], name)


def archives(home, case):
    "ZIP files in the place of a table"
    for name, write in ZIPS.items():
        with zipfile.ZipFile(home/f'{name}.zip', 'w') as z: write(z)
        yield Case('tables', ['data', 'check', str(home/f'{name}.zip')], f'{name}.zip')
    with zipfile.ZipFile(home/'ok.zip', 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('a.csv', table())
    data = bytearray((home/'ok.zip').read_bytes())
    yield case('tables', 'cut.zip', bytes(data[:-9]))
    yield case('tables', 'checksum.zip', bytes(data[:40]) + b'\xff\xff' + bytes(data[42:]))
    for at in (6, data.index(b'PK\1\2')+8): data[at] |= 1
    yield case('tables', 'locked.zip', bytes(data))
