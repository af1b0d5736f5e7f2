"""Damaged and hostile inputs, hundreds of them, through the program: see tests/corpus. Pytest's summary shows how many
of each kind there were. A quarter of each kind is enough every time; `--nb-flags slow` hands over all of them."""
import subprocess
import sys
from pathlib import Path

import pytest


def hand_over(tmp_path, record_property, *words):
    program = [sys.executable, '-m', 'tests.corpus', tmp_path/'corpus', *words]
    r = subprocess.run(program, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=3000)
    assert r.returncode == 0, r.stdout[-9000:] + r.stderr[-3000:]
    line = r.stdout.splitlines()[-1]
    record_property('summary', line)
    return int(line.split()[0]), line.count(',')


linux = pytest.mark.skipif(sys.platform != 'linux', reason='limits of processes as Linux has them')


@linux
def test_few_of_each_kind(tmp_path, record_property):
    n, kinds = hand_over(tmp_path, record_property, '--few')
    assert n >= 100 and kinds >= 15


@linux
@pytest.mark.slow
def test_corpus(tmp_path, record_property):
    assert hand_over(tmp_path, record_property)[0] >= 400
