"""Where the runs of a sweep are done: here, in processes of joblib, or on a cluster of Dask; each with what executors of Python have."""

import concurrent.futures as futures
import contextlib
import functools
import socket
import tempfile
import threading
import warnings
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from .. import _files, _threads, learning, models, training
from ..evaluation import comparison

VERSIONS = "pysnn", "numpy"      # the same in all runs of a sweep
PATIENCE = 30.0                  # seconds until a cluster without workers is said to have none
ANSWER = 10.0                    # seconds that a scheduler may take to answer
KEPT = "; what is finished is kept, and the same call goes on"
GONE = f"the scheduler is gone{KEPT}"
_ONE = threading.Lock()          # a process does one run at a time
_kept = None


class Job(NamedTuple):
    """A run, or its next epoch, in what any machine understands."""

    key: str            # SHA-256 of method, settings, seed, data and files of the user's own
    method: str
    settings: dict      # as in a checkpoint; the model as its JSON
    seed: int
    files: dict         # name of a file of the user's own -> (SHA-256, path, text)
    versions: dict
    epochs: int = None  # how many to do; None: all
    state: tuple = None     # of a run that goes on
    test: bool = False  # whether to use the test samples in the end


@functools.cache
def versions():
    """Return the versions on which bits depend."""
    known = training.versions()
    return {name: known[name] for name in VERSIONS}


def keep(parts):
    """Keep the data of all jobs in this process, which uses one thread from now on."""
    global _kept
    _kept = parts
    _threads.set_threads(1)


def hold(parts):
    """Return the data, as a task of a cluster that it can do again where a worker is lost."""
    return parts


def work_at(job, parts):
    """Do a job on a worker of a cluster: one at a time, with one thread."""
    with _ONE:
        _threads.set_threads(1)
        return work(job, parts)


def work(job, parts=None):
    """Do a job.

    Return what a line of the file holds. Where a run goes on, also its state; a run that training refuses, as when its loss is infinite,
    has the words as its `error`.
    """
    if (here := versions()) != job.versions:
        raise RuntimeError(f"a worker: expected {job.versions} as where the sweep began, got {here}")
    train, validation, test = _kept if parts is None else parts
    _bring(job.files)
    run = job.state[0](*job.state[1]) if job.state else training.start(job.method, _settings(job), job.seed)
    last = min(run.nets.settings.epochs, run.epoch + (job.epochs or run.nets.settings.epochs))
    try:
        for _ in training.epochs(run, train, validation) if run.epoch < last else ():
            if run.epoch == last:
                break
    except ValueError as error:
        return {"error": str(error)}
    record = run.records[-1]
    result = {name: record[name] for name in ("val_accuracy", "val_strict", "val_inclusive", "train_accuracy", "loss")}
    result |= {"epochs": run.epoch, "curve": [r["val_accuracy"] for r in run.records], "seconds": sum(r["seconds"] for r in run.records)}
    if run.epoch < run.nets.settings.epochs:
        return result | {"state": run.__reduce__()}
    tested = {"test_accuracy": run.rule.score(run.nets, *test).expected} if job.test else {}
    return result | {"sha256": comparison.digest(run.nets)} | tested


def _settings(job):
    """Read settings as a checkpoint does."""
    return learning.get(job.method).Settings(**{**job.settings, "model": models.read(job.settings["model"])})


def _bring(files):
    """Run the user's own files: where they lie, or, on another machine, from their text."""
    for name, (digest, path, text) in files.items():
        if not _files.loaded(name) and Path(path).is_file() and _files.digest(path) == digest:
            _files.need({}, [path])
        elif not _files.loaded(name):
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / name).write_bytes(text)
                _files.need({}, [Path(folder) / name])
    _files.need({name: digest for name, (digest, _, _) in files.items()})


def result(future):
    """Return the result of a job; say in one sentence if what did it is gone."""
    try:
        return future.result()
    except futures.CancelledError:
        raise RuntimeError(GONE) from None
    except Exception as error:
        if isinstance(error, BrokenProcessPool) or type(error).__name__ == "KilledWorker":        # of distributed
            raise RuntimeError(f"a process that did a run was killed, perhaps for its memory{KEPT}") from None
        raise


class _Here:
    """Runs in this process, one after the other, with all its threads."""

    n = 1

    def __init__(self, parts):
        self.parts = parts

    def submit(self, job):
        future = futures.Future()
        try:
            future.set_result(work(job, self.parts))
        except Exception as error:
            future.set_exception(error)
        return future

    def check(self):
        pass


class _Processes(_Here):
    """Processes of joblib."""

    def __init__(self, parts, n):
        from joblib.externals.loky import ProcessPoolExecutor
        self.n, self.pool = n, ProcessPoolExecutor(n, initializer=keep, initargs=(parts,))

    def submit(self, job):
        return self.pool.submit(work, job)


class _Cluster(_Here):
    """A cluster of Dask; it does a job again where a worker was lost."""

    def __init__(self, parts, client):
        self.client, self.pool = client, client.get_executor(pure=False)
        self.parts = self._quietly(client.submit, hold, parts, pure=False)

    @property
    def n(self):
        try:
            return max(1, 2 * sum(self.client.nthreads().values()))      # twice as many, so that no worker waits
        except OSError:                                                  # the scheduler is gone: nothing new
            return 0

    def _quietly(self, send, *args, **options):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            return send(*args, **options)

    def submit(self, job):
        try:
            return self._quietly(self.pool.submit, work_at, job, self.parts)
        except Exception:
            if self.client.status == "running":
                raise
            future = futures.Future()
            future.set_exception(futures.CancelledError())
            return future

    def check(self):
        if self.n and not self.client.nthreads():
            raise RuntimeError(f"{self.client.scheduler.address}: expected workers, got none for {PATIENCE:g} s{KEPT}")


@contextlib.contextmanager
def lent(jobs, parts):
    """Lend what does the jobs: a number of processes, the address of a Dask scheduler, or a Client."""
    with contextlib.ExitStack() as stack:
        if jobs == 1:
            yield _Here(parts)
        elif isinstance(jobs, int):
            try:
                pool = _Processes(parts, jobs)
            except ImportError as error:
                raise ImportError('jobs: more than one needs joblib: pip install joblib') from error
            stack.callback(pool.pool.shutdown, wait=True, kill_workers=True)
            yield pool
        else:
            client = stack.enter_context(_connected(jobs)) if isinstance(jobs, str) else jobs
            yield _Cluster(parts, client)


@contextlib.contextmanager
def _connected(address):
    """Connect to a scheduler."""
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ImportError as error:
        raise ImportError('a cluster needs dask.distributed: pip install distributed') from error
    try:
        if address.startswith(("tcp://", "tls://")) or "://" not in address:
            socket.create_connection(get_address_host_port(address), timeout=ANSWER).close()        # a Client needs long to give up
        client = Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{address}: expected the address of a Dask scheduler, such as tcp://host:8786, and nobody answers there "
                         f"({error})") from None
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):            # it may be gone
            client.close(timeout=2)
