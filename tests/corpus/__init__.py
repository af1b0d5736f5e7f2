"""Damaged and hostile inputs, made here, and what `spact` does with each of them.

`python -m tests.corpus FOLDER` makes them (videos, tables, models, begun, places: name some, or all are made), hands
them to the program, up to eight to a process with limits in time, memory and size of files, and prints how many of
each kind there were. What may happen is a whole result (exit code 0), or one line that names the file (2; 1 where
others were done) and no result. Whatever else happens is listed, and ends with 1."""
from typing import NamedTuple

import torch

from spact.synth import draw_clip


class Case(NamedTuple):
    "One call of the program."
    kind: str            # as the table at the end counts them
    argv: list           # what follows `spact`; OUT stands for a folder of its own
    names: str = ''      # what the line has to name: a file, mostly
    codes: tuple = (2,)  # exit codes that are right
    grow: int = 1 << 30  # bytes: no file may grow beyond, which is what a full disk looks like
    dies: str = ''       # 'module.function': the process is killed when it is called


def draw_film(size=32, t=6):
    "A few frames of a drawn figure: (T,H,W,3) uint8"
    return torch.from_numpy(draw_clip(0, 2, 0, size=size, t=t)[1])


def bend(data, kind, r):
    "What may happen to bytes"
    d, at = bytearray(data), r.randrange(len(data)-8)
    if kind == 'cut': d = d[:at]
    if kind == 'flipped': d[at] ^= 1 + r.randrange(255)
    if kind == 'zeros': d[:r.randrange(4, 64)] = bytes(40)
    if kind == 'absurd sizes': d[at:at+4] = r.choice([b'\xff\xff\xff\x7f', b'\x7f\xff\xff\xff', b'\xff'*4]) # 2^31
    if kind == 'hole': del d[at//2:at//2+r.randrange(1, len(d)//2)]
    if kind == 'noise': d[at:at+r.randrange(1, 500)] = r.randbytes(200)
    return bytes(d)


PICKLE = b'\x80\4cos\nsystem\n(S"touch PICKLED"\ntR.'
