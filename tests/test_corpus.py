"""Damaged and hostile inputs, hundreds of them, through the program: see tests/corpus. Pytest's summary shows how many
of each kind there were."""
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform != 'linux', reason='limits of processes as Linux has them')
def test_corpus(tmp_path, record_property):
    program = [sys.executable, '-m', 'tests.corpus', tmp_path/'corpus']
    r = subprocess.run(program, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=3000)
    assert r.returncode == 0, r.stdout[-9000:] + r.stderr[-3000:]
    line = r.stdout.splitlines()[-1]
    record_property('summary', line)
    assert int(line.split()[0]) >= 200
