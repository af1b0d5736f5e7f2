"""The reader and the augmentation against the release's.

Sixteen frames of a video, every second one from a random place. The release reads the whole file from its beginning
with OpenCV, keeps all frames, takes its sixteen from the list, and changes them frame by frame with PIL, by one
random draw that it repeats for each frame [R]. Ours seeks, shrinks, and changes the clip as one tensor. The videos
are made here, of seven seconds and of sixty: H.264, and MPEG-4 in an AVI as UCF101 has it ("xvid"). How often a film
has a key frame decides what a seek is worth; the encoder's own choice is kept for both, every twelve frames for
MPEG-4 and every 250 for H.264.

An *item* is what a step is fed: decoded, a square part of it at 112x112 px, changed at random by the release's
recipe."""
import importlib
import importlib.util
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.films import draw_film, write_awkward, write_damaged, write_xvid
from benchmarks.race import Ratio, absent, compare, race, race_apart
from spact.augment import RELEASE
from spact.core import generator
from spact.errors import VideoError
from spact.precision import keep_freed
from spact.video import read_frames, stream_frames, write_video


# --- the release's way ------------------------------------------------------------------------------------------------
def read_whole(
    path: str | Path, # a video
    idx: list,        # frame numbers
) -> np.ndarray: # (T,H,W,3) uint8 RGB
    "Read frames by number with OpenCV, after reading all of them."
    cv2 = importlib.import_module('cv2')
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        ok, frame = capture.read()
        if not ok: break
        frames.append(frame)
    capture.release()
    return np.stack([frames[i][:, :, ::-1] for i in idx])


def change_frames(
    frames: np.ndarray, # (T,H,W,3) uint8
    seed: int = 0,      # of the random draw
    size: int = 112,    # px
) -> Tensor: # (3,T,size,size) float in [0,1]
    "Change a clip by `RELEASE` with PIL, one frame at a time."
    T, Image = importlib.import_module('torchvision.transforms.functional'), importlib.import_module('PIL.Image')
    r, draw = RELEASE, torch.rand(21, generator=generator('item', seed)).tolist()
    part, down, right, _, _, mirrored, top, left, tall, wide, *draw = draw
    bright, satur, hue, contr, gam, bright_on, satur_on, hue_on, contr_on, gam_on, grey = draw
    side = min(frames.shape[1:3])
    h = round((r.crop + (1-r.crop)*part)*side)
    changes = [
        (T.adjust_brightness, 1 + r.brightness*(2*bright-1), bright_on < r.p_colour),
        (T.adjust_saturation, 1 + r.saturation*(2*satur-1), satur_on < r.p_colour),
        (T.adjust_hue, r.hue*(2*hue-1), hue_on < r.p_colour),
        (T.adjust_contrast, 1 + r.contrast*(2*contr-1), contr_on < r.p_contrast),
        (T.to_grayscale, 3, grey < r.grey),
        (T.adjust_gamma, 1 + r.gamma*(2*gam-1), grey < r.grey and gam_on < .75)]
    a, b = r.erase_side
    tall, wide = a + (b-a)*tall, a + (b-a)*wide
    hole = [round(size*v) for v in (top*(1-tall), left*(1-wide), tall, wide)]
    def change(im):
        im = Image.fromarray(np.ascontiguousarray(im))
        im = T.resized_crop(im, round(down*(side-h)), round(right*(side-h)), h, h, [size, size])
        for f, by, on in changes: im = f(im, by) if on else im
        if mirrored >= 1 - r.flip: return T.to_tensor(T.hflip(im))
        return T.erase(T.to_tensor(im), *hole, 0) if mirrored < r.erase else T.to_tensor(im)
    return torch.stack([change(im) for im in frames], 1)


# --- ours -------------------------------------------------------------------------------------------------------------
def change_clip(
    frames: Tensor,  # (T,H,W,3) uint8
    seed: int = 0,   # of the random draw
    size: int = 112, # px
) -> Tensor: # (3,T,size,size) float in [0,1]
    "Change a clip by `RELEASE` as one tensor, by the same random draw as `change_frames`."
    side = min(frames.shape[1:3])
    clip = frames[:, :side, :side].permute(3, 0, 1, 2)
    return RELEASE(clip[None], generator('item', seed), (size, size))[0]


# --- how fast ---------------------------------------------------------------------------------------------------------
GOALS = {'item, H.264 7 s': '>= 1.6', 'item, xvid 7 s': '>= 2.2', 'item, H.264 60 s': '>= 5', 'item, xvid 60 s': '>= 5'}
KINDS = {'H.264': lambda stem, frames: write_video(f'{stem}.mp4', frames, fps=25),
         'xvid': lambda stem, frames: write_xvid(f'{stem}.avi', frames)}


def _compare_readers(path, n, name, rounds, draws, on_run): # one file of `n` frames
    firsts = np.random.default_rng(0).integers(0, n-31, draws).tolist()
    places = [list(range(i, i+32, 2)) for i in firsts]
    note = f'16 frames at stride 2, 320x240, {draws} places'
    frames = {'whole': lambda: [read_whole(path, idx) for idx in places],
              f'frames, {name}': lambda: [read_frames(path, idx) for idx in places]}
    items = {'whole': lambda: [change_frames(read_whole(path, idx), k) for k, idx in enumerate(places)],
             f'item, {name}': lambda: [change_clip(read_frames(path, idx), k) for k, idx in enumerate(places)]}
    return [r for ways in (frames, items) for r in compare(race(ways, rounds, on_run=on_run), GOALS, note=note)]


def bench_reader(
    rounds: int = 5,          # see `race`
    lengths: tuple = (7, 60), # seconds
    draws: int = 8,           # places in the film, the same for all
    *, on_run: Callable | None = None, # called after each run
) -> list: # `Ratio`s
    "Compare sixteen frames of a file with reading all of it: the frames alone, and an item for a step."
    names = [(kind, s, f'{kind} {s} s') for s in lengths for kind in KINDS]
    if not importlib.util.find_spec('cv2'):
        return [absent(f'{what}, {name}', 'not measured: pip install opencv-python-headless')
                for *_, name in names for what in ('frames', 'item')]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, s, name in names:
            path = KINDS[kind](f'{folder}/{s}', draw_film(s))
            found += _compare_readers(path, 25*s, name, rounds, draws, on_run)
    return found


def make_changes(
    way: str, # 'PIL' or 'one tensor'
    n: int = 200, # clips: enough to meet every kind of change often
) -> Callable: # to be run
    "Prepare changes of a clip of 16 frames, from 320x240 px to 112x112."
    keep_freed(way != 'PIL') # as where our batches are drawn
    frames = draw_film(16/25)
    def work(): # a clip is used and gone before the next one is made
        for k in range(n):
            if way == 'PIL': change_frames(frames.numpy(), k)
            else: change_clip(frames, k)
    return work


def bench_augment(
    rounds: int = 5, # see `race`
    n: int = 200,    # clips
    *, on_run: Callable | None = None, # called after each run
) -> list: # a `Ratio`
    "Compare clips changed as one tensor with clips changed frame by frame."
    seconds = race_apart({w: (make_changes, w, n) for w in ('PIL', 'one tensor')}, rounds, on_run=on_run)
    note = f'16 frames of 320x240 to 112 px, {n} draws'
    return compare(seconds, {'one tensor': '>= 4'}, 'changing a clip, ', note)


# --- how right --------------------------------------------------------------------------------------------------------
# A fast reader that returns other frames is no reader: every frame is asked for, out of order, and compared with
# decoding from the beginning. For damaged files, the time until they are refused is measured.

def share_right(path): # share of the frames of a video that come out as they do in sequence
    true = list(stream_frames(path))
    order = np.random.default_rng(0).permutation(len(true)).tolist()
    got = [f for k in range(0, len(order), 20) for f in read_frames(path, order[k:k+20]).numpy()]
    return sum(np.array_equal(g, true[i]) for g, i in zip(got, order, strict=True))/len(true)


def time_refusal(path): # seconds until a damaged video is refused; infinite: it is read
    began = time.perf_counter()
    try: read_frames(path)
    except VideoError: return time.perf_counter() - began
    return math.inf


def bench_frames(
    seconds: int = 16, # length of the films, 25 frames each
    *, on_run: Callable | None = None, # called after each run
) -> list: # two `Ratio`s: share of the frames that are right; seconds until a bad file is refused
    "Compare frames with sequential decoding, on awkward files, and time the refusal of damaged ones."
    shares = {}
    with tempfile.TemporaryDirectory() as folder:
        files = write_awkward(folder, draw_film(seconds, (96, 128)))
        for k, path in files.items():
            shares[k] = share_right(path)
            if on_run: on_run()
        waits = {k: time_refusal(p) for k, p in write_damaged(folder, files['H.264']).items()}
    wrong = [k for k, v in shares.items() if v < 1]
    least, most = min(shares.values()), max(shares.values())
    slowest, fastest = max(waits.values()), min(waits.values())
    return [Ratio('frames equal to sequential decode', least, least, most, '>= 1', ', '.join(wrong or shares)),
            Ratio('seconds until a bad file is refused', slowest, fastest, slowest, '<= 1', ', '.join(waits))]
