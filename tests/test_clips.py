"""Real clips, where a copy lies beside the project: a folder of them goes through f_A; damaged ones are reported."""
from pathlib import Path

import numpy as np
import pytest

from spact.anonymize_folder import anonymize_files, exit_code
from spact.video import open_stream, stream_pictures

CLIPS = Path(__file__).parents[2]/'shared'/'data'/'clips'


def shown(path):
    "When the pictures are shown, seconds from the first on; and the mean rate"
    with open_stream(path) as (_, s): rate = float(s.average_rate)
    times = [f.time for f in stream_pictures(path)]
    return np.array(times)-times[0], rate


@pytest.mark.skipif(not CLIPS.is_dir(), reason='no folder of real clips beside the project')
def test_clips(tmp_path, record_property):
    results = list(anonymize_files([CLIPS], tmp_path/'out'))
    bad = {r.job.path.name: r.problem for r in results if r.problem}
    assert set(bad) == {'corrupted.mp4', 'video_zero_bytes.avi'} and exit_code(results) == 1
    for name, problem in bad.items(): assert name in problem and '\n' not in problem
    done = [r for r in results if not r.problem]
    for r in done:
        (a, rate), (b, _) = shown(r.job.path), shown(r.job.out)
        assert len(a) == len(b) == r.n_frames, r.job.path
        assert abs(a.max()-b.max()) <= 1.01/rate, r.job.path # time stamps of HMDB51 run to and fro
    assert sum(p.is_file() for p in (tmp_path/'out').rglob('*')) == len(done)
    summary = f'{len(done)} real clips anonymized with all frames and their length, {len(bad)} damaged ones reported'
    record_property('summary', summary)
