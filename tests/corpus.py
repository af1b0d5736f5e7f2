"""Damaged and hostile inputs, made here, and what `spact` does with each of them.

`python tests/corpus.py FOLDER` makes them (videos, tables, models, begun, places: name some, or all are made), hands each to the program in a process of its own with a limit in time, memory
and size of files, and prints how many of each kind there were. What may happen is a whole result (exit code 0), or one line
that names the file (2; 1 where others were done) and no result. Whatever else happens is listed, and ends with 1."""
import json, os, random, re, resource, shlex, shutil, signal, struct, sys, time, traceback, unicodedata, zipfile
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from spact import cli, core, anonymize_folder
from spact.models import CARRIED, printable
from spact.synth import draw_clip
from spact.video import scan, write_video

for name in 'demo', 'export', 'layouts', 'official': import_module(f'spact.{name}') # takes seconds: once, and not in each process
MEMORY, CPU, WALL = 2 << 30, 60, 600 # bytes and seconds that a process may take; the first beyond the program itself


class Case(NamedTuple):
    kind: str          # as the table at the end counts them
    argv: list         # what follows `spact`; OUT stands for a folder of its own
    names: str = ''    # what the line has to name: a file, mostly
    codes: tuple = (2,)
    grow: int = 1 << 30 # bytes: no file may grow beyond, which is what a full disk looks like
    dies: str = ''     # 'module.function': the process is killed when it is called


# --- videos -----------------------------------------------------------------------------------------------------------
ENDS = '.mp4', '.mkv', '.avi', '.mov'

def bent(data, kind, r):
    "What may happen to bytes"
    d, at = bytearray(data), r.randrange(len(data)-8)
    if kind == 'cut': d = d[:at]
    if kind == 'flipped': d[at] ^= 1+r.randrange(255)
    if kind == 'zeros': d[:r.randrange(4, 64)] = bytes(40)
    if kind == 'absurd sizes': d[at:at+4] = r.choice([b'\xff\xff\xff\x7f', b'\x7f\xff\xff\xff', b'\xff'*4]) # a length of two thousand million
    if kind == 'hole': del d[at//2:at//2+r.randrange(1, len(d)//2)]
    if kind == 'noise': d[at:at+r.randrange(1, 500)] = r.randbytes(200)
    return bytes(d)


def absurd(mp4):
    "Headers that announce what nobody has: pictures of thousands of millions of pixels, boxes of 2^63 bytes"
    big = {'.16k': b'GIF89a\x80>\x80>\0\0\0,\0\0\0\0\x80>\x80>\0\2\2D\1\0;', '.gif': b'GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\2D\1\0;',
           '.bmp': b'BM'+struct.pack('<IHHIIiiHHIIiiII', 99, 0, 0, 54, 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0)+bytes(99),
           '.png': b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR'+struct.pack('>II', 60000, 60000)+b'\x08\2\0\0\0\0\0\0\0'+bytes(40),
           '.y4m': b'YUV4MPEG2 W60000 H60000 F25:1\nFRAME\n'+bytes(99), '.ppm': b'P6 60000 60000 255\n'+bytes(99)}
    yield from ((f'{end[1:]}.mp4', d) for end, d in big.items())
    for box, shift, value in [(b'tkhd', 80, b'\xff\xff\0\0'*2), (b'avc1', 28, b'\xff\xff'*2), (b'avc1', 28, b'\x3f\xff'*2), (b'stsz', 12, b'\xff'*4), (b'stts', 8, b'\xff'*4),
                              (b'stco', 8, b'\x7f'*4), (b'mdhd', 16, b'\0\0\0\0'), (b'mvhd', 16, b'\xff'*8), (b'moov', -4, b'\0\0\0\1'), (b'mdat', -4, b'\xff'*4)]:
        at = mp4.index(box)+shift
        yield f'{box.decode()}{value.hex()[:6]}.mp4', mp4[:at]+value+mp4[at+len(value):]


def sounds(folder):
    "Sound without pictures"
    for name, codec, kind in [('sound.mp4', 'aac', 'mp4'), ('sound.mkv', 'aac', 'matroska'), ('sound.avi', 'pcm_s16le', 'avi'), ('wav.mp4', 'pcm_s16le', 'wav'), ('flac.mov', 'flac', 'flac')]:
        with av.open(str(folder/name), 'w', format=kind) as c:
            s = c.add_stream(codec, rate=8000, layout='mono')
            for i in range(4):
                f = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format='s16', layout='mono')
                f.sample_rate, f.pts = 8000, 1024*i
                for g in av.AudioResampler(s.codec_context.format, 'mono', 8000).resample(f): c.mux(s.encode(g))
            c.mux(s.encode())
        yield folder/name


NAMES = ["it's.mp4", 'a "b".mp4', '`id`.mp4', 'two\nlines.mp4', 'tab\t.mp4', '\x1b[2J.mp4', '\r.mp4', '-rf.mp4', '--force.mp4', '-o.mp4', 'concat:a|b.mp4', 'file:x.mp4', 'http:', 'data:x.mp4',
         'a;b&c $(d).mp4', '%03d.mp4', '%s%n.mp4', '?.mp4', '*.mp4', '[a].mp4', '~.mp4', '{a,b}.mp4', '\\.mp4', 'имя 名前 🎥.mp4', unicodedata.normalize('NFD', 'é.mp4'), '\u202egpj.mp4',
         '\u200b.mp4', ' .mp4', '. .mp4', '...mp4', 'x'*200+'.mp4', '.mp4', 'no ending', os.fsdecode(b'\xff\xfe.mp4')]


def videos(root):
    film = torch.from_numpy(draw_clip(0, 2, 0, size=32, t=6)[1])
    whole = {e: write_video(root/f'whole{e}', film, fps=12).read_bytes() for e in ENDS}
    room = lambda kind: (root/kind.replace(' ', '_')).mkdir(exist_ok=True) or root/kind.replace(' ', '_')
    def case(kind, path, codes=(0, 2), data=None, cut=False):
        if data is not None: path.write_bytes(data)
        return Case(kind, ['anonymize', '-o', 'OUT/x.mp4', '--', str(path)], printable(path.name), codes)
    for kind, n in {'cut': 20, 'flipped': 20, 'zeros': 8, 'absurd sizes': 16, 'hole': 8, 'noise': 12}.items():
        for i in range(n): yield case(kind, room(kind)/f'{i:02}{ENDS[i%4]}', data=bent(whole[ENDS[i%4]], kind, random.Random(f'{kind}{i}')))
    for name, data in absurd(whole['.mp4']): yield case('absurd sizes', room('absurd sizes')/name, data=data)
    for e in (*ENDS, '.webm'): yield case('zero bytes', room('zero bytes')/f'empty{e}', (2,), b'')
    wrong = room('wrong ending')
    for a, b in zip(ENDS, ENDS[1:]+ENDS[:1]): yield case('wrong ending', wrong/f'{a[1:]}{b}', (0,), whole[a])
    other = {'text': b'not a video', 'zip': b'PK\3\4'+bytes(60), 'pickle': b'\x80\4cos\nsystem\n(S"touch PICKLED"\ntR.', 'elf': b'\x7fELF'+bytes(99), 'html': b'<html><video src="x.mp4">',
             'bom': b'\xef\xbb\xbf'+whole['.mov'], 'svg': b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>', 'json': b'{"a": 1}', 'srt': b'1\n00:00:00,000 --> 00:00:01,000\nhello\n'}
    for name, data in other.items(): yield case('wrong ending', wrong/f'{name}.mp4', data=data)
    lists = room('play lists')
    for name, text in {'hls': '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n', 'concat': "ffconcat version 1.0\nfile '{}'\n", 'sdp': 'v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n',
                       'dash': '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>{}</BaseURL></Period></MPD>'}.items():
        yield case('play lists', lists/f'{name}.mp4', (2,), text.format(root/'whole.mp4').encode())
    for path in sounds(room('sound only')): yield case('sound only', path, (2,))
    for n in NAMES: yield case('names', room('names')/n, (0,), whole['.mp4'])
    for n in ('two\nlines.mp4', '-rf.mp4', '\x1b[2J.mp4', 'имя.mp4'): yield case('names', room('bad names')/n, (2,), whole['.mp4'][:300])
    links = room('links')
    for name, to in [('a.mp4', 'b.mp4'), ('b.mp4', 'a.mp4'), ('self.mp4', 'self.mp4'), ('nowhere.mp4', 'nothing'), ('long.mp4', 'x'*200), ('device.mp4', '/dev/zero'), ('null.mp4', '/dev/null')]:
        (links/name).symlink_to(to)
        yield case('links', links/name, (2,))
    (links/'folder.mp4').mkdir(); (links/'folder.mp4'/'round').symlink_to(links)
    yield case('links', links/'folder.mp4', (2,))
    if hasattr(os, 'mkfifo'): os.mkfifo(links/'pipe.mp4'); yield case('links', links/'pipe.mp4', (2,))
    ring = room('ring'); (ring/'in').mkdir(); (ring/'in'/'out').symlink_to(ring); (ring/'in'/'a.mp4').write_bytes(whole['.mp4'])
    yield Case('links', ['anonymize', '-o', 'OUT', str(ring)], codes=(0,))
    for kind in ('cut', 'flipped', 'absurd sizes', 'noise', 'links'): # many at once: one line each, and the good ones done
        (room(kind)/'whole.mp4').write_bytes(whole['.mp4'])
        yield Case('folders', ['anonymize', '-o', 'OUT', str(room(kind))], 'whole.mp4', (1,))


# --- tables -----------------------------------------------------------------------------------------------------------
def tables(root):
    film = torch.from_numpy(draw_clip(0, 2, 0, size=32, t=6)[1])
    home = root/'home'
    for i in range(4): write_video(home/f'{i}.mp4', film.roll(i, 0), fps=12)
    shutil.copy(home/'0.mp4', root/'outside.mp4')
    head, rows = 'path,action,split,a.hat', [f'{i}.mp4,{"ab"[i%2]},{("train", "test")[i//2]},{i%2}' for i in range(4)]
    def case(kind, name, data, codes=(2,), command=('data', 'check')):
        (home/name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return Case(kind, [*command, str(home/name)], name, codes)
    def table(*more, head=head, rows=rows): return '\n'.join([head, *rows, *more])+'\n'
    yield case('tables', 'good.csv', table(), (0,))
    out = ['../outside.mp4', '0/../../outside.mp4', str(root/'outside.mp4'), '/etc/passwd', '/dev/zero', './/..//outside.mp4', '..', '../home/../outside.mp4', '../'*40+'etc/passwd', '/proc/self/mem']
    for i, path in enumerate(out):
        for command in (('data', 'check'), ('train', '--out', 'OUT')): yield case('paths that climb out', f'{command[0]}{i}.csv', table(f'{path},a,test,1'), command=command)
    for i, path in enumerate(['file:///etc/passwd', 'http://localhost/x.mp4', '~/x.mp4', '$HOME/x.mp4', 'a\tb.mp4', 'x'*5000, '0.mp4/x.mp4', '.mp4', 'concat:0.mp4|1.mp4', 'a\0b.mp4']):
        yield case('paths that climb out', f'strange{i}.csv', table(f'{path},a,test,1'), (1, 2))
    (home/'link.mp4').symlink_to('/dev/zero'); (home/'round').symlink_to(home); (home/'loop.mp4').symlink_to('loop.mp4')
    for name in ('link', 'loop', 'round/../round/none'): yield case('links', f'{name.replace("/", "_")}.csv', table(f'{name}.mp4,a,test,1'), (1,))
    wrong = {'empty': b'', 'blank': b'\n\n\n', 'head': head, 'utf16': table().encode('utf-16'), 'latin': table('é.mp4,a,test,1').encode('latin-1'), 'nul': b'path,action\0,split\n\0\n', 'binary': bytes(range(256))*20,
             'json': '{"path": 1}', 'more': table('4.mp4,a,test,1,2'), 'fewer': table('4.mp4'), 'quote': table('"4.mp4,a,test,1'), 'long': table('x'*200_000+',a,test,1'), 'twice': table(rows[0]),
             'columns': table(head='path,path,split,a.hat'), 'nameless': table(head='path,,split,a.hat'), 'no path': table(head='file,action,split,a.hat'), 'no split': table(head='path,action,fold,a.hat'),
             'number': table('4.mp4,a,test,1.0'), 'nan': table('4.mp4,a,test,nan'), 'word': table('4.mp4,a,test,yes'), 'missing': table('4.mp4,a,test,'), 'action': table('4.mp4,c,test,1'), 'no action': table('4.mp4,,test,1'),
             'no train': table(rows=[r.replace('train', 'val') for r in rows]), 'one action': table(rows=[r.replace(',b,', ',a,') for r in rows]), 'constant': table(rows=[r[:-1]+'1' for r in rows]),
             'no name': table(',a,test,1'), 'dot': table('.,a,test,1'), 'tabs': table().replace(',', '\t'), 'semicolons': table().replace(',', ';'), 'newline': table('"4\n.mp4",c,test,1'), 'escape': table('\x1b[2J.mp4,c,test,1'),
             'values': table(*(f'{i}.mp4,a,train,{i}' for i in range(4, 99))), 'wide': ','.join(f'c{i}' for i in range(5000))+'\n1\n'}
    for name, data in wrong.items(): yield case('tables', f'{name}.csv', data)
    yield case('tables', 'formula.csv', table('=cmd|calc.mp4,a,test,1'), (1,))
    for name, write in {'none': lambda z: None, 'folder': lambda z: z.mkdir('x'), 'picture': lambda z: z.writestr('a.csv', bytes(99)), 'bomb': lambda z: z.writestr('a.csv', b'a'*(1 << 28), zipfile.ZIP_DEFLATED)}.items():
        with zipfile.ZipFile(home/f'{name}.zip', 'w') as z: write(z)
        yield Case('tables', ['data', 'check', str(home/f'{name}.zip')], f'{name}.zip')
    with zipfile.ZipFile(home/'ok.zip', 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('a.csv', table())
    data = bytearray((home/'ok.zip').read_bytes())
    yield case('tables', 'cut.zip', bytes(data[:-9]))
    yield case('tables', 'checksum.zip', bytes(data[:40])+b'\xff\xff'+bytes(data[42:]))
    for at in (6, data.index(b'PK\1\2')+8): data[at] |= 1
    yield case('tables', 'locked.zip', bytes(data))
    (home/'folder.csv').mkdir()
    yield Case('tables', ['data', 'check', str(home/'folder.csv')], 'folder.csv')
    yield Case('tables', ['data', 'check', str(home/'absent.csv')], 'absent.csv')


# --- models and results -----------------------------------------------------------------------------------------------
def models(root):
    clip = write_video(root/'clip.mp4', torch.from_numpy(draw_clip(0, 2, 0, size=32, t=6)[1]), fps=12)
    weights, config = (CARRIED/'light'/'model.safetensors').read_bytes(), json.loads((CARRIED/'light'/'config.json').read_text())
    tensors = load_file(CARRIED/'light'/'model.safetensors')
    with safe_open(CARRIED/'light'/'model.safetensors', 'pt') as f: unet = json.loads(f.metadata()['unet'])
    first, second = [k for k, v in tensors.items() if v.ndim==4 and len(v)!=v.shape[1]][:2]
    def folder(kind, name, data=weights, said=json.dumps(config), codes=(2,)):
        p = root/kind.replace(' ', '_')/name
        p.mkdir(parents=True); (p/'model.safetensors').write_bytes(data)
        (p/'config.json').write_bytes(said if isinstance(said, bytes) else said.encode())
        return Case(kind, ['anonymize', str(clip), '-o', 'OUT/x.mp4', '--model', str(p)], name, codes)
    yield folder('weights', 'good', codes=(0,))
    for i in range(12): yield folder('weights', f'cut{i}', bent(weights, 'cut', random.Random(i)))
    for i in range(8): yield folder('weights', f'flipped{i}', bent(weights[:3000], 'flipped', random.Random(i))+weights[3000:], codes=(0, 2))
    head = lambda text: struct.pack('<Q', len(text))+text
    for name, data in {'empty': b'', 'huge head': b'\xff'*8+weights[8:], 'long head': struct.pack('<Q', 99_000_000)+weights[8:], 'no json': head(b'x'*50), 'list': head(b'[1]'), 'null': head(b'null'), 'deep': head(b'['*90_000),
                       'outside': head(b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,99999999]}}'), 'backwards': head(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}')+bytes(8),
                       'overflow': head(b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'), 'pickle': b'\x80\4cos\nsystem\n(S"touch PICKLED"\ntR.', 'zip': b'PK\3\4'+bytes(99)}.items():
        yield folder('weights', name, data)
    def saved(name, tensors=tensors, unet=unet, codes=(2,)):
        save_file(tensors, root/'t.safetensors', metadata=None if unet is None else {'unet': unet if isinstance(unet, str) else json.dumps(unet)})
        return folder('shapes', name, (root/'t.safetensors').read_bytes(), codes=codes)
    for name, t in {'turned': tensors | {first: tensors[first].transpose(0, 1).contiguous()}, 'flat': tensors | {first: tensors[first].flatten()}, 'empty': tensors | {first: torch.zeros(0)},
                    'missing': {k: v for k, v in tensors.items() if k != first}, 'more': tensors | {'x': torch.zeros(1)}, 'swapped': tensors | {first: tensors[second], second: tensors[first]},
                    'scalar': tensors | {first: torch.tensor(1.)}, 'none': {}}.items(): yield saved(name, t)
    for name, kind in {'int': torch.int32, 'bool': torch.bool, 'byte': torch.uint8}.items(): yield saved(name, {k: v.to(kind) for k, v in tensors.items()}, codes=(0, 2))
    yield saved('nan', {k: v*torch.nan if v.is_floating_point() else v for k, v in tensors.items()})
    for i, bad in enumerate([None, '[', 'null', '[]', '1', '"a"', {**unet, 'width': 'a'}, {**unet, 'width': -1}, {**unet, 'width': 0}, {**unet, 'width': 1e9}, {**unet, 'width': 10**9}, {**unet, 'depth': 10**9}, {**unet, 'depth': -1},
                             {**unet, 'depth': None}, {**unet, 'patch': 0}, {**unet, 'patch': 10**9}, {**unet, 'up': 'x'}, {**unet, 'convs': 10**9}, {**unet, 'more': 1}, '['*90_000]): yield saved(f'unet{i}', unet=bad)
    for i, said in enumerate(['', '{', '[]', 'null', '1', '"a"', 'true', '{"a": }', b'\xff\xfe', b'\0', '['*90_000, '{"size": 1'+'0'*5000+'}', json.dumps(config | dict(size='32')), json.dumps(config | dict(size=-1)),
                              json.dumps(config | dict(size=1e9)), json.dumps(config | dict(size=[32])), json.dumps(config | dict(size=float('nan'))), json.dumps(config | dict(size=True)), json.dumps(config | dict(size={})),
                              json.dumps(config | dict(width=1)), json.dumps(config | dict(width='24'))]): yield folder('JSON', f'config{i}', said=said)
    for i, said in enumerate([dict(name=1), dict(name=None), dict(name=[]), dict(measured={}), dict(name='\x1b[2J\n'), dict(more=1)]): yield folder('JSON', f'odd{i}', said=json.dumps(config | said), codes=(0,))
    for i, said in enumerate(['[]', '{}', 'null', '1', '{"methods": 1}', '{"methods": {}}', '{"methods": {"raw": 1}}', '{"methods": {"raw": [1]}}', '{"methods": {"raw": [{}], "spact": [{}]}}', '[' * 90_000, '{"a"',
                              '{"methods": {"raw": [{"top1": "a"}], "spact": [{"top1": null}]}}', '{"methods": {"raw": [{"top1": [], "cmap": {}}], "spact": [{"top1": 1e999}]}, "config": 3}']):
        (root/f'metrics{i}.json').write_text(said)
        yield Case('JSON', ['export', '--safetensors', '-o', 'OUT', '--metrics', f'A study={root/f"metrics{i}.json"}'], f'metrics{i}.json')


def begun(root):
    "Work that was begun, and whose settings are not settings any more"
    film = torch.from_numpy(draw_clip(0, 2, 0, size=32, t=6)[1])
    rows = [(f'{a}{s}{i}.mp4', a, s, i%2) for a in 'ab' for s in ('train', 'val', 'test') for i in range(2)]
    for i, (path, *_) in enumerate(rows): write_video(root/path, film.roll(i, 0), fps=12)
    (root/'manifest.csv').write_text('\n'.join(['path,action,split,a.hat', *(','.join(map(str, r)) for r in rows)]))
    commands = {'study.json': ['evaluate', str(root)], 'demo.json': ['demo', '--quick'], 'run.json': ['train', str(root), '--frames', '2', '--clips', '2', '--pairs', '2']}
    said = ['', '[]', 'null', '{}', '{"config": 1}', '{"config": {"steps": 4}', '{"config": {"more": 1}}', '{"config": {"seeds": "0", "study": 3, "steps": "4"}}', '{"config": {"game": [], "seed": {}, "marionette": null}}']
    for name, argv in commands.items():
        for i, text in enumerate(said):
            (root/f'{name}{i}').mkdir()
            (root/f'{name}{i}'/name).write_text(text)
            yield Case('JSON', [*argv, '--out', str(root/f'{name}{i}'), '--resume'], name)


# --- places to write to -----------------------------------------------------------------------------------------------
def places(root):
    clip = write_video(root/'clip.mp4', torch.from_numpy(draw_clip(0, 2, 0, size=64, t=40)[1]), fps=12)
    draw = ['data', 'synth', 'OUT/data', '--train', '48', '--val', '8', '--test', '8', '--size', '16', '--frames', '4', '--workers', '1']
    commands = {'mp4': ['anonymize', str(clip), '-o', 'OUT/x.mp4'], 'mkv': ['anonymize', str(clip), '-o', 'OUT/x.mkv'], 'mov': ['anonymize', str(clip), '-o', 'OUT/x.mov'], 'folder': ['anonymize', str(clip), '-o', 'OUT'],
                'safetensors': ['export', '--safetensors', '-o', 'OUT'], 'synth': draw}
    for name, argv in commands.items():
        for grow in (1000, 3000): yield Case('disk full', argv, 'OUT', (1, 2), grow)
    kept = root/'kept.mp4'; shutil.copy(clip, kept)
    blocked = [str(clip), '/proc/none', '/sys/none', '/dev/null', *(['/usr/none'] if os.getuid() else [])]
    for place in blocked:
        for name in ('mp4', 'safetensors', 'synth', 'folder'): yield Case('read-only output', [a.replace('OUT', place) for a in commands[name]], place, (1, 2))
    yield Case('read-only output', ['anonymize', str(clip), '-o', str(kept)], 'kept.mp4')
    for name, at in {'mp4': 'spact.anonymize.Recorder.finish', 'mkv': 'spact.anonymize.Recorder.write', 'mov': 'os.link', 'folder': 'os.replace', 'safetensors': 'os.replace', 'synth': 'os.replace'}.items():
        yield Case('killed in mid-write', commands[name], codes=(-signal.SIGKILL,), dies=at)


# --- what happens -----------------------------------------------------------------------------------------------------
def child(case, argv, log):
    "Become `spact`"
    for fd in (1, 2): os.dup2(log[fd-1], fd)
    used = int(Path('/proc/self/statm').read_text().split()[0])*resource.getpagesize()
    for what, most in [(resource.RLIMIT_AS, used+MEMORY), (resource.RLIMIT_FSIZE, case.grow), (resource.RLIMIT_CPU, CPU), (resource.RLIMIT_CORE, 0)]: resource.setrlimit(what, (most, most))
    if case.dies:
        where, name = case.dies.rsplit('.', 1)
        try: where = import_module(where)
        except ModuleNotFoundError: where = getattr(import_module(where.rsplit('.', 1)[0]), where.rsplit('.', 1)[1])
        setattr(where, name, lambda *a, **kw: os.kill(os.getpid(), signal.SIGKILL))
    sys.argv, code = ['spact', *argv], 0
    try: cli.main()
    except SystemExit as e: code = e.code or 0
    except BaseException: traceback.print_exc(); code = 99
    sys.stdout.flush(); sys.stderr.flush()
    os._exit(code)


def unfinished(case, code, out):
    "'', or what should not be there: a file that has its name is whole, and a refused input has none; the benchmark keeps what is drawn"
    files = [p for p in out.rglob('*') if p.is_file()]
    hidden, named = ([p for p in files if (p.name[0]=='.')==h] for h in (True, False))
    for p in named:
        if p.suffix in folders.VIDEOS: scan(p)
        if p.suffix=='.json': core.read_json(p)
    left = hidden*(code>=0) + named*(code not in (0, 1) and case.argv[0]!='data')
    return f'left {left}' if left else ''


def handle(case, folder):
    "'' if all is well, or what went wrong"
    out = folder/'out'
    out.mkdir(parents=True)
    argv = [a.replace('OUT', str(out)) for a in case.argv]
    log = [os.open(folder/name, os.O_RDWR | os.O_CREAT) for name in ('stdout', 'stderr')]
    if not (pid := os.fork()): child(case, argv, log)
    end = time.monotonic()+WALL
    while not (done := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic()>end: os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0); return 'hangs'
        time.sleep(.002)
    for fd in log: os.close(fd)
    code, err = os.waitstatus_to_exitcode(done[1]), (folder/'stderr').read_text(errors='replace')
    made = [p for p in out.rglob('*') if p.is_file() and p.name[0]!='.']
    lines = [l for l in re.split('[\r\n]+', err) if l.startswith('spact: ')]
    if code not in case.codes or 'Traceback' in err: return f'code {code}: {err[-1500:]}'
    if code in (1, 2) and case.argv[0]!='data' and not lines: return f'no line: {err[-500:]}'
    if code==2 and (len(lines)!=1 or not lines[0].isprintable() or case.names.replace('OUT', str(out)) not in lines[0]): return f'the line does not name {case.names}: {err[-500:]}'
    if code==1 and case.kind=='folders' and not any(p.name==case.names for p in made): return f'{case.names} is not done'
    return unfinished(case, code, out)


def run(root, *parts):
    "Make the corpus, or some of its parts, and see what happens: kind -> number, and a line for each that went wrong"
    counts, wrong = Counter(), []
    for make in [m for m in (videos, tables, models, begun, places) if m.__name__ in parts or not parts]:
        room = root/make.__name__
        room.mkdir(parents=True)
        for i, case in enumerate(list(make(room))):
            if why := handle(case, root/'runs'/f'{make.__name__}{i}'): wrong.append(f'{case.kind}: {shlex.join(case.argv)}: {why}')
            shutil.rmtree(root/'runs'/f'{make.__name__}{i}')
            counts[case.kind] += 1
    return counts, wrong


if __name__=='__main__':
    counts, wrong = run(Path(sys.argv[1]).absolute(), *sys.argv[2:])
    for w in wrong: print(w, '\n')
    print(f'{sum(counts.values())} damaged and hostile inputs, {len(wrong)} handled badly: ' + ', '.join(f'{k} {n}' for k, n in counts.items()))
    sys.exit(bool(wrong))
