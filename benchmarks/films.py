"""Videos to measure with: a pattern that moves, written in many ways, damaged ones among them."""
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from spact.video import read_frames, write_video

WAVES = (19, 23, 5), (31, -17, 7), (-13, 29, 11) # of red, green and blue: px along x, px along y, frames


def draw_film(
    seconds: float,             # length
    size: tuple = (240, 320),   # height, width in px: those of UCF101
    fps: int = 25,              # frames per second
) -> Tensor: # (T,H,W,3) uint8: a smooth pattern that moves
    "Draw something to encode."
    y, x = np.ogrid[:size[0], :size[1]]
    def frame(t): return np.stack([127.5*(1 + np.sin(x/a + y/b + t/c)) for a, b, c in WAVES], -1).astype(np.uint8)
    return torch.from_numpy(np.stack([frame(t) for t in range(int(seconds*fps))]))


def write_film(
    path: Path,                     # where to write it
    n: int,                         # frames
    size: tuple,                    # (height, width), px
    video: str | Path | None = None, # what is to be seen; None: a smooth pattern that moves
) -> Path: # `path`
    "Write a video of a given length and size."
    if video is None: return write_video(path, draw_film(n/25, size), fps=25)
    frames = resize(read_frames(video).permute(0, 3, 1, 2), list(size), antialias=True).permute(0, 2, 3, 1)
    again = torch.arange(n) % len(frames) # from the beginning, until there are enough
    return write_video(path, frames[again], fps=25)


def encode(
    path: str | Path,       # its ending decides the container
    frames: Tensor,         # (T,H,W,3) uint8
    codec: str = 'libx264', # FFmpeg's name
    fps: int = 25,          # frames per second
    times: list | None = None, # when each is shown, in frames; None: one after another
    tag: str | None = None, # of the codec in the file, four letters
    **options,              # of the encoder
) -> Path: # `path`
    "Write a video as others write it."
    with av.open(str(path), 'w') as c:
        h, w = frames.shape[1:3]
        s = c.add_stream(codec, rate=fps, width=w, height=h, pix_fmt='yuv420p', options=options)
        if tag: s.codec_context.codec_tag = tag
        for i, picture in enumerate(frames.numpy()):
            f = av.VideoFrame.from_ndarray(picture, format='rgb24')
            f.pts, f.time_base = times[i] if times else i, Fraction(1, fps)
            c.mux(s.encode(f))
        c.mux(s.encode())
    return Path(path)


def write_xvid(
    path: str | Path, # ends in .avi
    frames: Tensor,   # (T,H,W,3) uint8
) -> Path: # `path`
    "Write MPEG-4 as an AVI, 25 frames per second, as UCF101 has it."
    return encode(path, frames, 'mpeg4', tag='XVID', b='1000000')


def trim(
    path: Path,  # a video
    out: Path,   # the same with earlier time stamps
    n: int,      # frames that are hidden
) -> Path: # `out`
    "Hide the first frames of a video: the muxer writes an edit list."
    with av.open(str(path)) as a, av.open(str(out), 'w') as b:
        s = a.streams.video[0]
        o, early = b.add_stream_from_template(s), int(Fraction(n, 25)/s.time_base)
        for p in a.demux(s):
            if p.dts is None: continue
            p.pts, p.dts, p.stream = p.pts - early, p.dts - early, o
            b.mux(p)
    return out


def write_awkward(
    folder: str | Path, # where to write them
    frames: Tensor,     # (T,H,W,3) uint8
) -> dict: # what is awkward -> path
    "Write videos that seeking gets wrong; the chapter on video explains each."
    folder, uneven = Path(folder), np.cumsum(np.arange(len(frames)) % 3 + 1).tolist()
    open_gop = {'g': '20', 'x264-params': 'open-gop=1:bframes=3:b-adapt=0:scenecut=0'}
    plain = encode(folder/'plain.mp4', frames)
    return {
        'H.264': plain,
        'xvid': write_xvid(folder/'xvid.avi', frames),
        'variable rate': encode(folder/'uneven.mp4', frames, times=uneven),
        'open groups': encode(folder/'open.mp4', frames, **open_gop),
        'B-frames in AVI': encode(folder/'b.avi', frames, 'mpeg4', bf='2', g='12'),
        'dropped frames': encode(folder/'drop.avi', frames, 'mpeg4', times=uneven, g='12'),
        'H.264 in AVI': encode(folder/'h264.avi', frames),
        'transport stream': encode(folder/'stream.ts', frames),
        'edit list': trim(plain, folder/'trimmed.mp4', len(frames)//5)}


def write_damaged(
    folder: str | Path, # where to write them
    video: str | Path,  # a whole one
) -> dict: # what is wrong -> path
    "Write files that are no videos, or no longer."
    whole, folder = Path(video).read_bytes(), Path(folder)
    half = len(whole)//2
    contents = {'empty': b'', 'text': b'not a video', 'cut': whole[:half],
                'hole': whole[:2000] + bytes(half) + whole[2000+half:],
                'noise': np.random.default_rng(0).bytes(100_000)}
    for k, data in contents.items(): (folder/f'{k}.mp4').write_bytes(data)
    return {k: folder/f'{k}.mp4' for k in contents} | {'absent': folder/'absent.mp4'}
