"""Tasks on real processes: a killed worker, Ctrl-C, a scheduler of another process, two clients on one scheduler."""
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import dask
import pytest
import torch
from distributed import LocalCluster

from spact.errors import BadInput
from spact.tasks import Task, _method, _start_forkserver, run_tasks

pytestmark = pytest.mark.skipif(sys.platform == 'win32', reason='signals as Unix has them')
FORKS = multiprocessing.get_context('forkserver' if sys.platform == 'linux' else 'spawn') # clients begin at once


# --- what the tasks do; workers import it from here -------------------------------------------------------------------
def wait(folder, report, name, n, pause=.1):
    "A task of n pauses, in seconds, with a report after each; it leaves a line of each beginning"
    with open(folder/f'{name}.log', 'a') as f: f.write(f'{os.getpid()} {torch.get_num_threads()}\n')
    for i in range(n):
        time.sleep(pause)
        report(i/n)
    (folder/f'{name}.txt').write_text(name)
    return name


def die_once(folder, report, name):
    "A task whose first worker is killed in the midst of it"
    is_first = not (folder/f'{name}.log').exists()
    wait(folder, (lambda share: os.kill(os.getpid(), signal.SIGKILL)) if is_first else report, name, 3)
    return name


def fail(folder, report): raise BadInput('x.mp4: not a video')


def waits(lengths, pause=.1):
    return [Task(n, f'{n}.txt', (), k, partial(wait, name=n, n=k, pause=pause)) for n, k in lengths.items()]


def began(folder): return {p.stem: p.read_text().splitlines() for p in folder.glob('*.log')}


def serve(folder, lengths, scheduler, pause):
    "What a client does: what it says goes to files"
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT}) # a copy of a process that leaves it to others
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for n, name in ((1, 'out'), (2, 'err')): os.dup2(os.open(folder/f'client.{name}', os.O_WRONLY | os.O_CREAT), n)
    print(run_tasks(waits(lengths, pause), folder, 1, scheduler, progress=False), flush=True)


def run(folder, lengths, scheduler=None, pause=.1):
    "A client of its own, in a process group of its own"
    client = FORKS.Process(target=serve, args=(folder, lengths, scheduler, pause))
    client.start()
    return client


def end(client, seconds=120):
    "Wait for a client to end"
    client.join(seconds)
    assert client.exitcode is not None


def wait_for(path, seconds=120):
    late = time.monotonic()+seconds
    while not path.exists() and time.monotonic()<late: time.sleep(.05)
    assert path.exists(), path


def is_alive(pid):
    try: return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError: return False


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as tmp: yield Path(tmp).resolve()


def host(pipe):
    "A scheduler with two workers that have a GPU to give, as they say"
    how = dict(threads_per_worker=2, memory_limit=None, dashboard_address=None, resources={'GPU': 1}, silence_logs=50)
    if _method == 'forkserver': _start_forkserver()
    with dask.config.set({'distributed.worker.multiprocessing-method': _method}), LocalCluster(2, **how) as cluster:
        pipe.send(cluster.scheduler_address)
        pipe.recv()


@pytest.fixture(scope='module')
def scheduler():
    "The address of a scheduler in another process"
    here, there = FORKS.Pipe()
    p = FORKS.Process(target=host, args=(there,))
    p.start()
    yield here.recv()
    here.send('end')
    p.join(60)


# --- the tests --------------------------------------------------------------------------------------------------------
def test_killed_worker(folder, capfd, monkeypatch):
    "SIGKILL in the midst of a task: it is run again, nothing else is; the working directory stays clean"
    (folder/'cwd').mkdir()
    monkeypatch.chdir(folder/'cwd')
    tasks = [*waits(dict(a=2)), Task('b', 'b.txt', ('a',), 3, partial(die_once, name='b')), *waits(dict(c=2, d=2))]
    found = run_tasks(tasks, folder, 2, progress=False)
    assert set(found) == set('abcd') and found['b'] == 'b' # what the worker had made before left its file
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
    end(p)
    err = (folder/'client.err').read_text()
    assert p.exitcode and err.count('Traceback') == 1 and 'KeyboardInterrupt' in err
    assert not any(is_alive(int(s.split()[0])) for ss in began(folder).values() for s in ss)
    assert run_tasks(waits(dict(a=1, long=2, b=1)), folder, 0, progress=False) == dict(long='long', b='b')


def test_killed_client(folder):
    "A client that is killed leaves no worker behind"
    p = run(folder, dict(long=400))
    wait_for(folder/'long.log')
    p.kill()
    end(p)
    late, pid = time.monotonic()+20, int(began(folder)['long'][0].split()[0])
    while is_alive(pid) and time.monotonic()<late: time.sleep(.1)
    assert not is_alive(pid)


def test_two_clients(folder, scheduler):
    "Two studies on one scheduler, with tasks of the same names; each worker's one GPU keeps it at one task"
    a, b = folder/'a', folder/'b'
    a.mkdir()
    b.mkdir()
    ps = [run(f, dict(one=5, two=5), scheduler) for f in (a, b)]
    for p in ps: end(p)
    for f in (a, b): assert (f/'client.out').read_text().strip() == "{'one': 'one', 'two': 'two'}"
    for f in (a, b): assert {n: len(s) for n, s in began(f).items()} == dict(one=1, two=1)


@pytest.mark.parametrize('pause', [.1, 4]) # the next client comes after the task's next report, or before it
def test_client_that_leaves(folder, scheduler, pause):
    "When a client is stopped, its task ends on the cluster; the next client of the same folder goes on"
    p = run(folder, dict(long=round(40/pause)), scheduler, pause)
    wait_for(folder/'long.log')
    os.killpg(p.pid, signal.SIGINT)
    end(p)
    assert run_tasks(waits(dict(long=2)), folder, scheduler=scheduler, progress=False) == dict(long='long')
    assert len(began(folder)['long']) == 2
