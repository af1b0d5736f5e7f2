"""NT-Xent against the form that the release uses.

The release takes its loss from a widely used implementation: a matrix of all 2N x 2N similarities, from which the
positives are picked by diagonals and the negatives by a mask, and joined again [R]. Here it is written in our words."""
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.race import can_measure_memory, compare, measure_memory, one_value, race
from spact.core import generator
from spact.ntxent import nt_xent, nt_xent_one_sided


def masked_nt_xent(
    z0: Tensor,        # (N,D) float: first views
    z1: Tensor,        # (N,D) float: second views
    tau: float = .1,   # temperature
) -> Tensor: # () float: nats, mean over the 2N anchors
    "NT-Xent by diagonals and a mask, as in the release."
    n = len(z0)
    z = F.normalize(torch.cat([z1, z0]), dim=1)
    sim = z @ z.T
    positive = torch.cat([sim.diagonal(n), sim.diagonal(-n)])[:, None]
    eye = torch.eye(2*n, dtype=torch.bool, device=z.device)
    negative = sim[~(eye | eye.roll(n, 0))].view(2*n, -1)
    first = torch.zeros(2*n, dtype=torch.int64, device=z.device)
    return F.cross_entropy(torch.cat([positive, negative], 1)/tau, first)


LOSSES = {'release': masked_nt_xent, 'symmetric': nt_xent, 'Eq. 5': nt_xent_one_sided}


def make_loss(
    which: str, # one of `LOSSES`
    n: int,     # pairs
) -> Callable: # the loss and its gradient, to be run
    "Prepare NT-Xent of random embeddings of 128 dimensions."
    z = torch.randn(2, n, 128, generator=generator('ntxent', n)).requires_grad_()
    return lambda: LOSSES[which](*z).backward()


def bench_ntxent(
    sizes: tuple = (64, 256, 1024), # N
    rounds: int = 5,                # see `race`
    *, on_run: Callable | None = None, # called after each run
) -> list: # `Ratio`s
    "Compare time and memory of the loss and its gradient, 128 dimensions."
    found = []
    for n in sizes:
        seconds = race({k: make_loss(k, n) for k in LOSSES}, rounds, on_run=on_run)
        found += compare(seconds, dict.fromkeys(LOSSES, '>= 2.5') if n >= 256 else {}, f'NT-Xent, N = {n}, ')
        if n < 1024 or not can_measure_memory(): continue
        mib = {k: measure_memory(make_loss, k, n) for k in LOSSES}
        plain = mib.pop('release')
        found += [one_value(f'NT-Xent, N = {n}, memory, {k}', v/plain, '<= 0.6', f'{v:.0f} of {plain:.0f} MiB')
                  for k, v in mib.items()]
    return found
