"""Videos that are damaged, are none, announce what does not exist, or have names that a shell would act on."""
import os
import random
import struct
import unicodedata

import av
import numpy as np

from spact.models import make_printable
from spact.video import write_video
from tests.corpus import PICKLE, Case, bend, draw_film

ENDS = '.mp4', '.mkv', '.avi', '.mov'
DAMAGE = {'cut': 20, 'flipped': 20, 'zeros': 8, 'absurd sizes': 16, 'hole': 8, 'noise': 12} # kind -> files
NAMES = ["it's.mp4", 'a "b".mp4', '`id`.mp4', 'two\nlines.mp4', 'tab\t.mp4', '\x1b[2J.mp4', '\r.mp4', '-rf.mp4',
         '--force.mp4', '-o.mp4', 'concat:a|b.mp4', 'file:x.mp4', 'http:', 'data:x.mp4', 'a;b&c $(d).mp4', '%03d.mp4',
         '%s%n.mp4', '?.mp4', '*.mp4', '[a].mp4', '~.mp4', '{a,b}.mp4', '\\.mp4', 'имя 名前 🎥.mp4',
         unicodedata.normalize('NFD', 'é.mp4'), '\u202egpj.mp4', '\u200b.mp4', ' .mp4', '. .mp4', '...mp4',
         'x'*200 + '.mp4', '.mp4', 'no ending', os.fsdecode(b'\xff\xfe.mp4')]
NO_VIDEOS = {'text': b'not a video', 'zip': b'PK\3\4' + bytes(60), 'pickle': PICKLE, 'elf': b'\x7fELF' + bytes(99),
             'html': b'<html><video src="x.mp4">', 'json': b'{"a": 1}',
             'srt': b'1\n00:00:00,000 --> 00:00:01,000\nhello\n',
             'svg': b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>'}
PLAY_LISTS = {'hls': '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n',
              'concat': "ffconcat version 1.0\nfile '{}'\n", 'sdp': 'v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n',
              'dash': '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>{}</BaseURL>'
                      '</Period></MPD>'}
BIG = { # pictures of thousands of millions of pixels
    '16k': b'GIF89a\x80>\x80>\0\0\0,\0\0\0\0\x80>\x80>\0\2\2D\1\0;',
    'gif': b'GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\2D\1\0;',
    'bmp': b'BM' + struct.pack('<IHHIIiiHHIIiiII', 99, 0, 0, 54, 40, 60000, 60000, 1, 24, *[0]*6) + bytes(99),
    'png': b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR' + struct.pack('>II', 60000, 60000) + b'\x08\2\0\0\0\0\0\0\0' + bytes(40),
    'y4m': b'YUV4MPEG2 W60000 H60000 F25:1\nFRAME\n' + bytes(99), 'ppm': b'P6 60000 60000 255\n' + bytes(99)}
BOXES = [ # of an MP4: name, where in it, what is written there, up to 2^63 bytes
    (b'tkhd', 80, b'\xff\xff\0\0'*2), (b'avc1', 28, b'\xff\xff'*2), (b'avc1', 28, b'\x3f\xff'*2),
    (b'stsz', 12, b'\xff'*4), (b'stts', 8, b'\xff'*4), (b'stco', 8, b'\x7f'*4), (b'mdhd', 16, b'\0\0\0\0'),
    (b'mvhd', 16, b'\xff'*8), (b'moov', -4, b'\0\0\0\1'), (b'mdat', -4, b'\xff'*4)]
SOUNDS = [('sound.mp4', 'aac', 'mp4'), ('sound.mkv', 'aac', 'matroska'), ('sound.avi', 'pcm_s16le', 'avi'),
          ('wav.mp4', 'pcm_s16le', 'wav'), ('flac.mov', 'flac', 'flac')] # name, codec, container
LINKS = [('a.mp4', 'b.mp4'), ('b.mp4', 'a.mp4'), ('self.mp4', 'self.mp4'), ('nowhere.mp4', 'nothing'),
         ('long.mp4', 'x'*200), ('device.mp4', '/dev/zero'), ('null.mp4', '/dev/null')]


def write_sound(path, codec, kind):
    "Sound without pictures"
    with av.open(str(path), 'w', format=kind) as c:
        s = c.add_stream(codec, rate=8000, layout='mono')
        for i in range(4):
            f = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format='s16', layout='mono')
            f.sample_rate, f.pts = 8000, 1024*i
            for g in av.AudioResampler(s.codec_context.format, 'mono', 8000).resample(f): c.mux(s.encode(g))
        c.mux(s.encode())


class Shelf:
    "Writes files below a folder, a folder a kind, and makes cases of them"
    def __init__(self, root): self.root = root

    def room(self, kind):
        (self.root/kind.replace(' ', '_')).mkdir(exist_ok=True)
        return self.root/kind.replace(' ', '_')

    def case(self, kind, name, codes=(0, 2), data=None, room=None):
        path = self.room(room or kind)/name
        if data is not None: path.write_bytes(data)
        return Case(kind, ['anonymize', '-o', 'OUT/x.mp4', '--', str(path)], make_printable(path.name), codes)


def damaged(s, whole):
    for kind, n in DAMAGE.items():
        for i in range(n):
            end = ENDS[i % 4]
            yield s.case(kind, f'{i:02}{end}', data=bend(whole[end], kind, random.Random(f'{kind}{i}')))
    for name, data in BIG.items(): yield s.case('absurd sizes', f'{name}.mp4', data=data)
    mp4 = whole['.mp4']
    for box, shift, value in BOXES:
        at = mp4.index(box) + shift
        data = mp4[:at] + value + mp4[at+len(value):]
        yield s.case('absurd sizes', f'{box.decode()}{value.hex()[:6]}.mp4', data=data)


def no_videos(s, whole):
    for e in (*ENDS, '.webm'): yield s.case('zero bytes', f'empty{e}', (2,), b'')
    for a, b in zip(ENDS, ENDS[1:] + ENDS[:1]): yield s.case('wrong ending', f'{a[1:]}{b}', (0,), whole[a])
    for name, data in (NO_VIDEOS | {'bom': b'\xef\xbb\xbf' + whole['.mov']}).items():
        yield s.case('wrong ending', f'{name}.mp4', data=data)
    for name, text in PLAY_LISTS.items():
        yield s.case('play lists', f'{name}.mp4', (2,), text.format(s.root/'whole.mp4').encode())
    for name, codec, kind in SOUNDS:
        write_sound(s.room('sound only')/name, codec, kind)
        yield s.case('sound only', name, (2,))


def names(s, whole):
    for n in NAMES: yield s.case('names', n, (0,), whole['.mp4'])
    for n in ('two\nlines.mp4', '-rf.mp4', '\x1b[2J.mp4', 'имя.mp4'):
        yield s.case('names', n, (2,), whole['.mp4'][:300], room='bad names')


def links(s, whole):
    room = s.room('links')
    for name, to in LINKS:
        (room/name).symlink_to(to)
        yield s.case('links', name, (2,))
    (room/'folder.mp4').mkdir()
    (room/'folder.mp4'/'round').symlink_to(room)
    yield s.case('links', 'folder.mp4', (2,))
    os.mkfifo(room/'pipe.mp4')
    yield s.case('links', 'pipe.mp4', (2,))
    ring = s.room('ring')
    (ring/'in').mkdir()
    (ring/'in'/'out').symlink_to(ring)
    (ring/'in'/'a.mp4').write_bytes(whole['.mp4'])
    yield Case('links', ['anonymize', '-o', 'OUT', str(ring)], codes=(0,))


def videos(root):
    "All of them; and folders of them, in which each bad one gets a line and the good ones are done"
    s, whole = Shelf(root), {e: write_video(root/f'whole{e}', draw_film(), fps=12).read_bytes() for e in ENDS}
    for make in (damaged, no_videos, names, links): yield from make(s, whole)
    for kind in ('cut', 'flipped', 'absurd sizes', 'noise', 'links'):
        (s.room(kind)/'whole.mp4').write_bytes(whole['.mp4'])
        yield Case('folders', ['anonymize', '-o', 'OUT', str(s.room(kind))], 'whole.mp4', (0, 1))
