"""Places that cannot be written to, disks that are full, and a process that is killed in the middle of a file."""
import os
import shutil
import signal

from spact.video import write_video
from tests.corpus import Case, draw_film

KILLED = {'mp4': 'spact.anonymize._finish', 'mkv': 'spact.anonymize._write', 'mov': 'os.link', 'folder': 'os.replace',
          'safetensors': 'os.replace', 'synth': 'os.replace'} # command -> the call in which it dies


def places(root):
    clip = str(write_video(root/'clip.mp4', draw_film(64, 40), fps=12))
    draw = ['data', 'synth', 'OUT/data', '--train', '48', '--val', '8', '--test', '8', '--size', '16', '--frames', '4']
    commands = {'folder': ['anonymize', clip, '-o', 'OUT'], 'safetensors': ['export', '--safetensors', '-o', 'OUT'],
                'synth': [*draw, '--workers', '1']}
    commands |= {end: ['anonymize', clip, '-o', f'OUT/x.{end}'] for end in ('mp4', 'mkv', 'mov')}
    for argv in commands.values():
        for grow in (1000, 3000): yield Case('disk full', argv, 'OUT', (1, 2), grow)
    for place in [clip, '/proc/none', '/sys/none', '/dev/null', *(['/usr/none'] if os.getuid() else [])]:
        for name in ('mp4', 'safetensors', 'synth', 'folder'):
            yield Case('read-only output', [a.replace('OUT', place) for a in commands[name]], place, (1, 2))
    kept = shutil.copy(clip, root/'kept.mp4')
    yield Case('read-only output', ['anonymize', clip, '-o', str(kept)], 'kept.mp4')
    for name, at in KILLED.items():
        yield Case('killed in mid-write', commands[name], codes=(-signal.SIGKILL,), dies=at)
