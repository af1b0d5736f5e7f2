"""Tasks on real processes: a killed worker, Ctrl-C, a scheduler of another process, two clients on one scheduler."""
import os
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from spact.errors import BadInput
from spact.tasks import Task, run_tasks

ROOT = Path(__file__).parents[1]
ENV = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')]), OMP_NUM_THREADS='1')


# --- what the tasks do; workers import it from here -------------------------------------------------------------------
def wait(folder, report, name, n):
    "A task of n tenths of a second; it leaves a line of each beginning"
    with open(folder/f'{name}.log', 'a') as f: f.write(f'{os.getpid()} {torch.get_num_threads()}\n')
    for i in range(n):
        time.sleep(.1)
        report(i/n)
    (folder/f'{name}.txt').write_text(name)
    return name


def die_once(folder, report, name):
    "A task whose first worker is killed in the midst of it"
    is_first = not (folder/f'{name}.log').exists()
    wait(folder, (lambda share: os.kill(os.getpid(), signal.SIGKILL)) if is_first else report, name, 3)
    return name


def fail(folder, report): raise BadInput('x.mp4: not a video')


def waits(lengths): return [Task(n, f'{n}.txt', (), k, partial(wait, name=n, n=k)) for n, k in lengths.items()]
def began(folder): return {p.stem: p.read_text().splitlines() for p in folder.glob('*.log')}


def run(folder, lengths, scheduler=None):
    "A client of its own"
    call = f'run_tasks(waits({lengths!r}), {str(folder)!r}, 1, {scheduler!r}, progress=False)'
    code = f'from tests.test_tasks import *\nif __name__=="__main__": print({call})'
    (folder/'client.py').write_text(code)
    return subprocess.Popen([sys.executable, folder/'client.py'], cwd=folder, env=ENV, start_new_session=True,
                            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(path, seconds=120):
    end = time.monotonic()+seconds
    while not path.exists() and time.monotonic()<end: time.sleep(.05)
    assert path.exists(), path


def is_alive(pid):
    try: return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError: return False


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as tmp: yield Path(tmp).resolve()


@pytest.fixture(scope='module')
def scheduler():
    "The address of a scheduler in another process, with two workers that have a GPU to give, as they say"
    code = """from distributed import LocalCluster
if __name__=='__main__':
    how = dict(dashboard_address=None, resources={'GPU': 1}, silence_logs=50, local_directory='.')
    print(LocalCluster(2, threads_per_worker=2, memory_limit=None, **how).scheduler_address, flush=True)
    input()"""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as tmp:
        (Path(tmp)/'cluster.py').write_text(code)
        p = subprocess.Popen([sys.executable, 'cluster.py'], cwd=tmp, env=ENV, text=True, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        yield p.stdout.readline().strip()
        p.communicate('\n')


# --- the tests --------------------------------------------------------------------------------------------------------
def test_killed_worker(folder, capfd, monkeypatch):
    "SIGKILL in the midst of a task: it is run again, nothing else is; the working directory stays clean"
    (folder/'cwd').mkdir()
    monkeypatch.chdir(folder/'cwd')
    tasks = [*waits(dict(a=2)), Task('b', 'b.txt', ('a',), 3, partial(die_once, name='b')), *waits(dict(c=2, d=2))]
    found = run_tasks(tasks, folder, 2, progress=False)
    assert found == dict(a='a', b='b', c='c', d='d')
    starts = began(folder)
    assert {n: len(s) for n, s in starts.items()} == dict(a=1, b=2, c=1, d=1)
    assert len({s.split()[0] for s in starts['b']}) == 2 # two workers
    assert {s.split()[1] for ss in starts.values() for s in ss} == {'1'} # threads of torch
    assert os.getpid() not in {int(s.split()[0]) for ss in starts.values() for s in ss}
    assert not list((folder/'cwd').iterdir())
    out, err = capfd.readouterr()
    assert (out, err) == ('', '')


def test_exception(folder):
    "An error ends the run with its own sentence"
    with pytest.raises(BadInput, match='not a video'):
        run_tasks([*waits(dict(long=300)), Task('bad', None, (), 1, fail)], folder, 2, progress=False)
    assert not (folder/'long.txt').exists()


def test_interrupt(folder):
    "Ctrl-C in a terminal: no worker is left, what was done is kept, and the folder goes on"
    p = run(folder, dict(a=1, long=400, b=1))
    wait_for(folder/'long.log')
    os.killpg(p.pid, signal.SIGINT) # as a terminal does: to all of them
    err = p.communicate(timeout=60)[1]
    assert p.returncode and err.count('Traceback') == 1 and 'KeyboardInterrupt' in err
    assert not any(is_alive(int(s.split()[0])) for ss in began(folder).values() for s in ss)
    assert run_tasks(waits(dict(a=1, long=2, b=1)), folder, 0, progress=False) == dict(long='long', b='b')


def test_killed_client(folder):
    "A client that is killed leaves no worker behind"
    p = run(folder, dict(long=400))
    wait_for(folder/'long.log')
    p.kill()
    p.communicate(timeout=60)
    end, pid = time.monotonic()+20, int(began(folder)['long'][0].split()[0])
    while is_alive(pid) and time.monotonic()<end: time.sleep(.1)
    assert not is_alive(pid)


def test_two_clients(folder, scheduler):
    "Two studies on one scheduler, with tasks of the same names; each worker's one GPU keeps it at one task"
    a, b = folder/'a', folder/'b'
    a.mkdir()
    b.mkdir()
    ps = [run(f, dict(one=5, two=5), scheduler) for f in (a, b)]
    for p in ps: assert p.communicate(timeout=120)[0].strip() == "{'one': 'one', 'two': 'two'}"
    for f in (a, b): assert {n: len(s) for n, s in began(f).items()} == dict(one=1, two=1)


def test_client_that_leaves(folder, scheduler):
    "When a client is stopped, its task ends on the cluster; the next client of the same folder goes on"
    p = run(folder, dict(long=400), scheduler)
    wait_for(folder/'long.log')
    os.killpg(p.pid, signal.SIGINT)
    p.communicate(timeout=60)
    assert run_tasks(waits(dict(long=2)), folder, scheduler=scheduler, progress=False) == dict(long='long')
    assert len(began(folder)['long']) == 2
