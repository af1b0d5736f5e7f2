"""Files as cameras, phones and recorders leave them: other tracks, clocks that leap, mirrored pictures, lost packets.

Each is made here in a few frames, read by number and from the start, and goes through f_A; what comes out is compared
frame by frame with what a player shows."""
import os
import struct
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from spact.anonymize import IMAGES, anonymize_video
from spact.anonymize_folder import anonymize_files, exit_code, list_notes, list_passed_over
from spact.bank import read_video
from spact.config import AnonymizeConfig, Reading
from spact.errors import VideoError
from spact.models import Model, load_model
from spact.video import probe_video, read_frames, scan_video, stream_frames

SAME = Model(lambda im: im, 0, 'identity', 'nothing')
CORNERS = np.kron(np.array([[[200, 30, 30], [30, 180, 40]], [[40, 60, 200], [230, 230, 230]]]), np.ones((24, 40, 1)))
LIGHT = load_model('light')


def draw(n, h=48, w=64): # grey pictures, each brighter than the one before
    return [np.full((h, w, 3), 20+200*i//n, np.uint8) for i in range(n)]


def write(path, pictures, codec='libx264', rate=25, sound=None, first='video', begin=0., timecode='', kind=None, **how):
    "Pictures, perhaps with a tone of 16 kHz: `sound` is its codec, `begin` the first time stamp in seconds"
    with av.open(str(path), 'w', format=kind) as c:
        if timecode: c.metadata['timecode'] = timecode
        def add(what):
            if what == 'sound': return c.add_stream(sound, 16000, layout='mono') if sound else None
            s = c.add_stream(codec, rate, dict(bf='0') if codec == 'libx264' else {}, height=len(pictures[0]),
                             width=pictures[0].shape[1], pix_fmt=how.get('pix_fmt', 'yuv420p'))
            if 'pixel' in how: s.codec_context.sample_aspect_ratio = how['pixel']
            if 'matrix' in how: s.set_display_matrix(how['matrix'])
            return s
        order = ('sound', 'video') if first == 'sound' else ('video', 'sound')
        streams = {what: add(what) for what in order}
        v, a, noise = streams['video'], streams['sound'], np.random.default_rng(0)
        for i, im in enumerate(pictures):
            f = av.VideoFrame.from_ndarray(im.astype(np.uint8), 'rgb24')
            f.pts, f.time_base = i+round(begin*rate), Fraction(1, rate)
            c.mux(v.encode(f))
        c.mux(v.encode())
        for i in range(0, 16000*len(pictures)//rate if a else 0, 1024):
            f = av.AudioFrame.from_ndarray(noise.integers(-99, 99, (1, 1024)).astype(np.int16), 's16', 'mono')
            f.sample_rate, f.pts, f.time_base = 16000, i+round(begin*16000), Fraction(1, 16000)
            for g in av.AudioResampler(a.codec_context.format, 'mono', 16000).resample(f): c.mux(a.encode(g))
        if a: c.mux(a.encode())
    return path


def times(path, kind='video'): # of the packets, s
    with av.open(str(path)) as c: return [float(p.pts*p.time_base) for p in c.demux(**{kind: 0}) if p.size]


def go(path, out, model=SAME, **choices):
    "Through f_A: how many pictures, and what was overlooked"
    flaws = []
    cfg = AnonymizeConfig(force=True, **dict(size=0) | choices)
    return anonymize_video(path, out, model, cfg, overlooked=flaws), flaws


def test_time_code(tmp_path):
    (tmp_path/'d').mkdir()
    plain, coded = (write(tmp_path/'d'/f'{n}.mov', draw(10), timecode=t) for n, t in zip('ab', ('', '01:02:03:04')))
    with av.open(str(coded)) as c: assert len(c.streams) == 2
    assert len(read_frames(coded)) == len(read_frames(coded, range(10))) == 10
    assert scan_video(coded).others == ('data',) and scan_video(plain).others == ()
    results = list(anonymize_files([tmp_path/'d'], tmp_path/'out', LIGHT))
    assert [r.n_frames for r in results] == [10, 10] and exit_code(results) == 0
    assert list_notes(results) == ['left out: data such as time codes of b.mov']


@pytest.mark.parametrize('name,codec,sound', [('a.mkv', 'libx264', 'aac'), ('a.ts', 'libx264', 'mp2'),
    ('a.mp4', 'libx264', 'aac'), ('a.avi', 'mpeg4', 'pcm_s16le'), ('a.mpg', 'mpeg2video', 'mp2')])
def test_sound_first(tmp_path, name, codec, sound):
    p = write(tmp_path/name, draw(25), codec, sound=sound, first='sound')
    assert len(read_frames(p)) == probe_video(p).n_frames == go(p, tmp_path/'o.mp4')[0] == 25
    assert not read_frames(p, [24]).eq(read_frames(p, [0])).all()


def join(path, *parts): # as `cat` does
    made = [write(path.with_name(f'{i}.ts'), draw(25), **how) for i, how in enumerate(parts)]
    path.write_bytes(b''.join(p.read_bytes() for p in made))
    return path


@pytest.mark.parametrize('begins', [(3600, 0), (0, 3600), (0, 0), (5, 0)])
def test_clock_leaps(tmp_path, begins):
    p = join(tmp_path/'j.ts', *(dict(begin=b) for b in begins))
    n, flaws = go(p, tmp_path/'o.mp4')
    t = times(tmp_path/'o.mp4')
    assert n == 50 and np.allclose(np.diff(t), .04, atol=.001) and any('leaps 1 time' in f for f in flaws)


def test_clock_leaps_with_sound(tmp_path):
    p = join(tmp_path/'j.ts', *[dict(sound='aac', begin=b) for b in (0, 0, 50)])
    for out in (tmp_path/'o.mp4', tmp_path/'o.mkv'):
        assert go(p, out, keep_audio=True)[0] == 75
        v, a = times(out), times(out, 'audio')
        assert np.all(np.diff(a) > 0) and abs(a[-1]-v[-1]) < .3 and np.diff(a).max() < .1


@pytest.mark.parametrize('codec,end', [('libx264', 'h264'), ('libx265', 'hevc'), ('mpeg2video', 'm2v')])
def test_no_container(tmp_path, codec, end):
    try: p = write(tmp_path/f'a.{end}', draw(50), codec, rate=50)
    except av.codec.codec.UnknownCodecError: pytest.skip(f'no {codec} here')
    assert (go(p, tmp_path/'o.mp4')[0], probe_video(p).fps) == (50, 50)
    assert np.allclose(times(tmp_path/'o.mp4'), np.arange(50)/50, atol=.001)


def test_pause_of_hours(tmp_path):
    p = tmp_path/'p.mkv'
    with av.open(str(p), 'w') as c:
        s = c.add_stream('libx264', 25, dict(bf='0'), height=48, width=64, pix_fmt='yuv420p')
        for i, im in enumerate(draw(10)):
            f = av.VideoFrame.from_ndarray(im, 'rgb24')
            f.pts, f.time_base = 40*i+(i > 4)*9*3600_000, Fraction(1, 1000)
            c.mux(s.encode(f))
        c.mux(s.encode())
    assert go(p, tmp_path/'o.mp4') == (10, []) and abs(times(tmp_path/'o.mp4')[-1]-9*3600-.36) < .01


@pytest.mark.parametrize('matrix', [(a, 0, 0, d) for a in (1, -1) for d in (1, -1)] +
                                   [(0, b, c, 0) for b in (1, -1) for c in (1, -1)])
def test_eight_orientations(tmp_path, matrix):
    a, b, c, d = (65536*m for m in matrix)
    p = write(tmp_path/'m.mp4', [CORNERS]*4, matrix=[a, b, 0, c, d, 0, 0, 0, 1 << 30], pixel=Fraction(2))
    want = {} # corner: its colour, by the rule for a matrix
    for y, x in np.ndindex(2, 2):
        u, v = matrix[0]*(2*x-1)+matrix[2]*(2*y-1), matrix[1]*(2*x-1)+matrix[3]*(2*y-1)
        want[(v > 0)*1, (u > 0)*1] = CORNERS[47*y, 79*x]
    def right(im): # are the corners as wanted?
        h, w = im.shape[:2]
        return all(abs(np.asarray(im[h//4+y*h//2, w//4+x*w//2], float)-k).max() < 12 for (y, x), k in want.items())
    shape = (80, 48) if b else (48, 80)
    for im in (read_frames(p)[1], read_frames(p, [2])[0], next(stream_frames(p)), next(stream_frames(p, [3]))):
        assert im.shape[:2] == shape and right(im)
    assert right(read_video(p, Reading(shape))[0].permute(1, 2, 0))
    go(p, tmp_path/'o.mp4')
    assert right(read_frames(tmp_path/'o.mp4')[0])
    go(p, tmp_path/'two.mp4', side_by_side=True)
    two = read_frames(tmp_path/'two.mp4')[0]
    assert right(two[:, :shape[1]]) and right(two[:, shape[1]:])
    with av.open(str(tmp_path/'two.mp4')) as f: pixel = f.streams.video[0].sample_aspect_ratio
    assert pixel == (Fraction(1, 2) if b else 2)


KINDS = [('a.mkv', 'libx264rgb', 'rgb24'), ('a.mov', 'png', 'rgb24'), ('a.mov', 'qtrle', 'rgb24'),
         ('a.mkv', 'ffv1', 'bgr0'), ('a.avi', 'rawvideo', 'bgr24'), ('a.mp4', 'libx264', 'yuv420p')]


@pytest.mark.parametrize('name,codec,kind', KINDS)
def test_colours(tmp_path, name, codec, kind):
    p = write(tmp_path/name, [CORNERS]*2, codec, pix_fmt=kind)
    go(p, tmp_path/'o.mp4')
    assert abs(read_frames(tmp_path/'o.mp4')[0].float()-read_frames(p)[0].float()).mean() < 6
    with av.open(str(tmp_path/'o.mp4')) as c:
        k = c.streams.video[0].codec_context
        assert k.pix_fmt == 'yuv420p' and int(k.colorspace) != 0 # 0: red, green and blue as they are


def wrong_length(path): # a header that says an hour
    d = bytearray(path.read_bytes())
    if path.suffix == '.flv': at, new = d.index(b'duration')+9, struct.pack('>d', 3600)
    elif path.suffix == '.mkv': at, new = d.index(b'\x44\x89\x88')+3, struct.pack('>d', 3.6e6)
    elif path.suffix == '.avi': at, new = d.index(b'strh')+8+32, struct.pack('<I', 90_000)
    else: at, new = d.index(b'mvhd')+20, struct.pack('>I', 3_600_000)
    d[at:at+len(new)] = new
    path.write_bytes(d)
    return path


@pytest.mark.parametrize('name,codec', [('a.flv', 'flv1'), ('a.mkv', 'libx264'), ('a.avi', 'mpeg4'),
                                        ('a.mp4', 'libx264')])
def test_wrong_length(tmp_path, name, codec):
    p = wrong_length(write(tmp_path/name, draw(25), codec))
    assert len(read_frames(p)) == 25 # all is there, so it is no error to anyone
    n, flaws = go(p, tmp_path/'o.mp4')
    assert n == 25 and len(times(tmp_path/'o.mp4')) == 25 and (not flaws or 'its header says' in flaws[0])
    whole = p.read_bytes() # but a file that was cut is one
    p.write_bytes(whole[:len(whole)*2//3+3])
    with pytest.raises(VideoError): go(p, tmp_path/'cut.mp4')
    assert not (tmp_path/'cut.mp4').exists()


def test_lost_packet(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (25, 48, 64, 3), np.uint8)
    p = write(tmp_path/'a.ts', list(noise))
    d = p.read_bytes()
    at = len(d)//376*188
    p.write_bytes(d[:at]+d[at+188:])
    n, flaws = go(p, tmp_path/'o.mp4')
    assert n >= 24 and 'damaged' in flaws[0]
    with pytest.raises(VideoError, match='is damaged at frame'): go(p, tmp_path/'o.mp4', strict=True)
    with pytest.raises(VideoError, match='is damaged at frame'): read_frames(p)


def test_default_sound(tmp_path):
    def loud(path): # mean of the decoded samples
        with av.open(str(path)) as c: return np.mean([abs(f.to_ndarray()).mean() for f in c.decode(audio=0)])
    p = tmp_path/'two.mkv'
    with av.open(str(p), 'w') as c:
        v = c.add_stream('libx264', 25, height=48, width=64, pix_fmt='yuv420p')
        sounds = [c.add_stream('pcm_s16le', 8000, layout='mono') for _ in range(2)]
        sounds[0].disposition, sounds[1].disposition = av.stream.Disposition(0), av.stream.Disposition.default
        for im in draw(10): c.mux(v.encode(av.VideoFrame.from_ndarray(im, 'rgb24')))
        c.mux(v.encode())
        for s, level in zip(sounds, (100, 9000)):
            f = av.AudioFrame.from_ndarray(np.full((1, 3200), level, np.int16), 's16', 'mono')
            f.sample_rate = 8000
            c.mux(s.encode(f))
    go(p, tmp_path/'o.mkv', keep_audio=True)
    assert loud(tmp_path/'o.mkv') == 9000


def test_images(tmp_path):
    from PIL import Image
    source = tmp_path/'in'
    source.mkdir()
    for end in ('jpg', 'png', 'webp', 'bmp'): Image.fromarray(CORNERS.astype(np.uint8)).save(source/f'{end}.{end}')
    results = list(anonymize_files([source], tmp_path/'out', LIGHT))
    assert [r.problem for r in results] == ['']*4
    assert sorted(p.name for p in (tmp_path/'out').iterdir()) == ['bmp.png', 'jpg.jpg', 'png.png', 'webp.png']
    for p in (tmp_path/'out').iterdir():
        with Image.open(p) as im: assert im.size == (80, 48) and im.format == IMAGES[p.suffix] and not im.getexif()
    write(source/'v.mp4', draw(3))
    assert [r.job.path.name for r in anonymize_files([source], tmp_path/'out2', LIGHT)] == ['v.mp4']
    assert 'passed over, images' in list_passed_over([source])[0]
    flaws = []
    assert anonymize_video(source/'png.png', tmp_path/'one.jpg', SAME, AnonymizeConfig(size=0), overlooked=flaws) == 1


def test_own_results_are_left_alone(tmp_path):
    (tmp_path/'d').mkdir()
    write(tmp_path/'d'/'a.mp4', draw(3))
    for i, end in enumerate(('.mp4', '.mkv')):
        results = list(anonymize_files([tmp_path/'d'/'a.mp4'], tmp_path/'d'/f'done{i}{end}', LIGHT))
        assert exit_code(results) == 0
    assert [r.job.path.name for r in anonymize_files([tmp_path/'d'], tmp_path/'out', LIGHT)] == ['a.mp4']
    assert list_passed_over([tmp_path/'d'])[0].count('done') == 2


def test_consoles(tmp_path):
    "One call of the program in an old console, with a HOME that cannot be written: all is done, stderr has a note"
    (tmp_path/'d').mkdir()
    for name in ('a.mp4', 'имя.mp4'): write(tmp_path/'d'/name, draw(3))
    env = os.environ | {k: '/proc/none' for k in ('HOME', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME')}
    env |= dict(PYTHONIOENCODING='cp437')
    argv = [sys.executable, '-m', 'spact.cli', 'anonymize', 'd', '-o', 'o']
    r = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True)
    said, noted = r.stdout.decode('cp437'), r.stderr.decode('cp437').splitlines()
    assert r.returncode == 0 and 'a.mp4 -> ' in said and '???.mp4' in said and '2 of 2 videos done' in said
    assert noted == ['note: this console or log lacks some characters; they are replaced']
