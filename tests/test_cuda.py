"""The same work on the CPU and on a GPU. Without one, the checks are run against the CPU itself: they have to agree."""
import pytest
import torch

from benchmarks.gpu import CHECKS, choose_size, play_preset, run_gpu, time_way
from benchmarks.race import one_thread
from spact.errors import BadInput

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')


@pytest.fixture(autouse=True)
def thread():
    with one_thread(): yield


@pytest.mark.cuda
@gpu
@pytest.mark.parametrize('check', CHECKS, ids=lambda c: c.__name__)
def test_device(check):
    found = check('cuda')
    assert found.off <= found.limit, found


@pytest.mark.parametrize('check', CHECKS, ids=lambda c: c.__name__)
def test_checks(check):
    "Twice on the CPU: nothing is off, by the very same code"
    found = check('cpu')
    assert found.off == 0 < found.limit


@pytest.mark.slow # the paper's networks, if only for a moment
def test_script(tmp_path):
    if not torch.cuda.is_available():
        with pytest.raises(BadInput, match='torch sees no cuda'): run_gpu(tmp_path, 'cuda')
    size = choose_size('cpu')
    names = [r.name for r in time_way(size, 'fp32', 'cpu')]
    assert names == ['ms a step pair, fp32', 'clips a second, fp32', 'share of the matrix peak, fp32']
    played = play_preset(size, tmp_path, 600)
    assert (played['ended'], played['steps']) == (0, 2), played
