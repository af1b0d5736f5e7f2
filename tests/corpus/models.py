"""Models, results and work that was begun, whose files are damaged or are not what they say."""
import json
import random
import struct
from importlib.resources import files

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from spact.video import write_video
from tests.corpus import PICKLE, Case, bend, draw_film

LIGHT = files('spact')/'weights'/'light'
DEEP = '['*90_000


def head(text): return struct.pack('<Q', len(text)) + text


def tensor(shape, offsets):
    return head(b'{"a":{"dtype":"F32","shape":%s,"data_offsets":%s}}' % (shape, offsets))


def damaged_weights(weights): # name -> bytes of a .safetensors file
    return {'empty': b'', 'huge head': b'\xff'*8 + weights[8:],
            'long head': struct.pack('<Q', 99_000_000) + weights[8:],
            'no json': head(b'x'*50), 'list': head(b'[1]'), 'null': head(b'null'), 'deep': head(DEEP.encode()),
            'outside': tensor(b'[9]', b'[0,99999999]'), 'backwards': tensor(b'[1]', b'[8,4]') + bytes(8),
            'overflow': tensor(b'[4294967296,4294967296]', b'[0,0]'), 'pickle': PICKLE, 'zip': b'PK\3\4' + bytes(99)}


def other_shapes(tensors): # name -> tensors that are not those of the network
    a, b = [k for k, v in tensors.items() if v.ndim == 4 and len(v) != v.shape[1]][:2]
    return {'turned': tensors | {a: tensors[a].transpose(0, 1).contiguous()},
            'flat': tensors | {a: tensors[a].flatten()}, 'empty': tensors | {a: torch.zeros(0)},
            'missing': {k: v for k, v in tensors.items() if k != a},
            'more': tensors | {'x': torch.zeros(1)}, 'swapped': tensors | {a: tensors[b], b: tensors[a]},
            'scalar': tensors | {a: torch.tensor(1.)}, 'none': {},
            'nan': {k: v*torch.nan if v.is_floating_point() else v for k, v in tensors.items()}}


def other_unets(unet): # what the weights may say of their network
    changes = [dict(width='a'), dict(width=-1), dict(width=0), dict(width=1e9), dict(width=10**9), dict(depth=10**9),
               dict(depth=-1), dict(depth=None), dict(patch=0), dict(patch=10**9), dict(up='x'), dict(convs=10**9),
               dict(more=1)]
    return [None, '[', 'null', '[]', '1', '"a"', DEEP, *({**unet, **c} for c in changes)]


NO_JSON = ['', '{', '[]', 'null', '1', '"a"', 'true', '{"a": }', b'\xff\xfe', b'\0', DEEP,
           '{"size": 1' + '0'*5000 + '}']
SIZES = '32', -1, 1e9, [32], float('nan'), True, {}
ODD = dict(name=1), dict(name=None), dict(name=[]), dict(measured={}), dict(name='\x1b[2J\n'), dict(more=1) # fine
METRICS = ['[]', '{}', 'null', '1', '{"methods": 1}', '{"methods": {}}', '{"methods": {"raw": 1}}',
           '{"methods": {"raw": [1]}}', '{"methods": {"raw": [{}], "spact": [{}]}}', DEEP, '{"a"',
           '{"methods": {"raw": [{"top1": "a"}], "spact": [{"top1": null}]}}',
           '{"methods": {"raw": [{"top1": [], "cmap": {}}], "spact": [{"top1": 1e999}]}, "config": 3}']


def models(root):
    clip = write_video(root/'clip.mp4', draw_film(), fps=12)
    weights, config = (LIGHT/'model.safetensors').read_bytes(), json.loads((LIGHT/'config.json').read_text())
    tensors = load_file(LIGHT/'model.safetensors')
    with safe_open(LIGHT/'model.safetensors', 'pt') as f: unet = json.loads(f.metadata()['unet'])
    def folder(kind, name, data=weights, said=config, codes=(2,)):
        p = root/kind.replace(' ', '_')/name
        p.mkdir(parents=True)
        (p/'model.safetensors').write_bytes(data)
        said = json.dumps(said) if isinstance(said, dict) else said
        (p/'config.json').write_bytes(said if isinstance(said, bytes) else said.encode())
        return Case(kind, ['anonymize', str(clip), '-o', 'OUT/x.mp4', '--model', str(p)], name, codes)
    def saved(name, tensors=tensors, unet=unet, codes=(2,)):
        said = None if unet is None else {'unet': unet if isinstance(unet, str) else json.dumps(unet)}
        save_file(tensors, root/'t.safetensors', metadata=said)
        return folder('shapes', name, (root/'t.safetensors').read_bytes(), codes=codes)
    yield folder('weights', 'good', codes=(0,))
    for i in range(12): yield folder('weights', f'cut{i}', bend(weights, 'cut', random.Random(i)))
    for i in range(8):
        bent = bend(weights[:3000], 'flipped', random.Random(i)) + weights[3000:]
        yield folder('weights', f'flipped{i}', bent, codes=(0, 2))
    for name, data in damaged_weights(weights).items(): yield folder('weights', name, data)
    for name, t in other_shapes(tensors).items(): yield saved(name, t)
    for name, kind in {'int': torch.int32, 'bool': torch.bool, 'byte': torch.uint8}.items():
        yield saved(name, {k: v.to(kind) for k, v in tensors.items()}, codes=(0, 2))
    for i, bad in enumerate(other_unets(unet)): yield saved(f'unet{i}', unet=bad)
    wrong = [*(config | dict(size=s) for s in SIZES), config | dict(width=1), config | dict(width='24')]
    for i, said in enumerate([*NO_JSON, *wrong]): yield folder('JSON', f'config{i}', said=said)
    for i, said in enumerate(ODD): yield folder('JSON', f'odd{i}', said=config | said, codes=(0,))
    for i, said in enumerate(METRICS):
        (root/f'metrics{i}.json').write_text(said)
        metrics = f'A study={root/f"metrics{i}.json"}'
        yield Case('JSON', ['export', '--safetensors', '-o', 'OUT', '--metrics', metrics], f'metrics{i}.json')


BEGUN = ['', '[]', 'null', '{}', '{"config": 1}', '{"config": {"steps": 4}', '{"config": {"more": 1}}',
         '{"config": {"seeds": "0", "study": 3, "steps": "4"}}',
         '{"config": {"game": [], "seed": {}, "marionette": null}}']


def begun(root):
    "Work that was begun, and whose settings are not settings any more"
    rows = [(f'{a}{s}{i}.mp4', a, s, i%2) for a in 'ab' for s in ('train', 'val', 'test') for i in range(2)]
    for i, (path, *_) in enumerate(rows): write_video(root/path, draw_film().roll(i, 0), fps=12)
    lines = ['path,action,split,a.hat', *(','.join(map(str, r)) for r in rows)]
    (root/'manifest.csv').write_text('\n'.join(lines))
    small = ['--game.n-frames', '2', '--game.clips', '2', '--game.pairs', '2']
    commands = {'study.json': ['evaluate', str(root), '--workers', '0'], 'run.json': ['train', str(root), *small],
                'demo.json': ['demo', '--quick', '--workers', '0']}
    for name, argv in commands.items():
        for i, text in enumerate(BEGUN):
            (root/f'{name}{i}').mkdir()
            (root/f'{name}{i}'/name).write_text(text)
            yield Case('JSON', [*argv, '--out', str(root/f'{name}{i}'), '--resume'], name)
