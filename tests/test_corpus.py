"""Damaged and hostile inputs, hundreds of them, through the program: see corpus.py. How many there were of each kind stands
in pytest's summary."""
import subprocess, sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform != 'linux', reason='limits of processes as Linux has them')
def test_corpus(tmp_path, record_property):
    r = subprocess.run([sys.executable, Path(__file__).with_name('corpus.py'), tmp_path/'corpus'], capture_output=True, text=True, timeout=3000)
    assert r.returncode == 0, r.stdout[-9000:] + r.stderr[-3000:]
    line = r.stdout.splitlines()[-1]
    record_property('summary', line)
    assert int(line.split()[0]) >= 200
