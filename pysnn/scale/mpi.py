"""Many processes, one training, over MPI: each computes some chunks of a batch, and all add up all chunks in the same order.

    with mpi.team() as team:                                        # of a program that `mpirun -n 4 python` starts
        for record in training.epochs(run, train, team=team):       # settings with chunks=4, or more
            team.save(run, "run.npz")

MPI_Allreduce adds in an order of its own. So the gradients of the chunks are only moved by MPI (Alltoallv): each process gets the same part
of all gradients and adds them up from the first chunk to the last; then all get the sums of all parts (Allgather). That moves no more bytes
than a ring that reduces. Needs mpi4py and an MPI, such as OpenMPI; without mpirun a team is one process and needs neither.
"""

import os
import sys
import time
import traceback
import zlib

import numpy as np

from .. import _threads, training
from ..datasets._rows import Rows, parts_of
from ..foreign import clean
from ..learning import chunks
from ..learning.method import Step

SIZES = "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMI_SIZE"      # what OpenMPI, MVAPICH, and MPICH and Intel's tell a process
PATIENCE = 2.0      # seconds that the others leave to process 0 to say what may be wrong with all
ROWS = 1000         # samples on disk that are compared
KNOWN = ArithmeticError, ImportError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError     # told in one line


class SharedError(ValueError):
    """An error that all processes raise together, so that none has to be stopped by the others."""


def team(threads=None):
    """Find out which processes mpirun has started beside this one.

    Parameters
    ----------
    threads : int, optional
        Threads of each process; default: PYSNN_THREADS, else its share of the processors of its machine.

    Returns
    -------
    Team
        Of one process, if mpirun has not started it.

    Raises
    ------
    ImportError
        If it has, and mpi4py is not installed.
    RuntimeError
        If mpi4py belongs to another MPI than mpirun, so that each process would train alone.
    """
    declared = next((int(os.environ[name]) for name in SIZES if os.environ.get(name, "").isdecimal()), None)
    if declared == 1 or (declared is None and "PMIX_RANK" not in os.environ):
        return Team()
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(f'{declared or "many"} processes that share a training need mpi4py: pip install mpi4py '
                          f"({error})") from error
    comm = MPI.COMM_WORLD
    if declared not in (None, comm.size):
        raise RuntimeError(f"mpirun: expected {declared} processes, as it says, got {comm.size} in mpi4py, made for another MPI: "
                           f"{MPI.Get_library_version().strip():.60}")
    beside = comm.Split_type(MPI.COMM_TYPE_SHARED).size
    if threads is None and not os.environ.get("PYSNN_THREADS"):
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        threads = max(1, min(usable, os.cpu_count() // beside))
    if threads is not None:
        _threads.set_threads(threads)
    return Team(comm)


class Team(chunks.Alone):
    """The processes that train one network; each has the whole network and the same weights.

    For `with`: an error in one process, other than those that all raise, is told, and ends all.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, optional
        The processes; default: this one alone.
    """

    def __init__(self, comm=None):
        self.comm = comm
        self.rank, self.size = (comm.rank, comm.size) if comm is not None else (0, 1)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None or self.size == 1 or isinstance(error, SharedError):
            return
        time.sleep(PATIENCE if self.rank else 0)
        if isinstance(error, KNOWN) and not os.environ.get("PYSNN_DEBUG"):
            print(f"pysnn: error: process {self.rank}: {clean(error)}", file=sys.stderr, flush=True)
        else:
            traceback.print_exception(error)
        sys.stdout.flush()
        self.comm.Abort(1)

    def own(self, n):
        """Say which of n chunks this process computes: neighbours, and as many as the others, or one less.

        Parameters
        ----------
        n : int
            Number of chunks.

        Returns
        -------
        range
            Their numbers.
        """
        return range(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def agreed(self, function):
        """Call a function; if it fails in one process, all raise the error.

        Parameters
        ----------
        function : callable
            Without arguments.

        Returns
        -------
        list
            What it returned in each process.

        Raises
        ------
        SharedError
            If it failed somewhere; the message names the process, unless it failed everywhere alike.
        """
        if self.size == 1:
            return [function()]
        try:
            made = None, function()
        except KNOWN as error:
            made = str(error) or type(error).__name__, None
        found = self.comm.allgather(made)
        errors = [text for text, _ in found]
        if any(errors):
            rank = next(k for k, text in enumerate(errors) if text)
            raise SharedError(errors[0] if len(set(errors)) == 1 else f"process {rank}: {errors[rank]}")
        return [value for _, value in found]

    def gathered(self, make):
        """Join what the processes make; if one fails, all raise its error.

        Parameters
        ----------
        make : callable
            Without arguments; returns a list.

        Returns
        -------
        list
            Those of all processes, one behind the other.
        """
        return [one for some in self.agreed(make) for one in some]

    def total(self, steps):
        """Add up the chunks of all processes.

        Parameters
        ----------
        steps : iterable of (float, Step)
            As of `pysnn.learning.chunks.Alone.total`.

        Returns
        -------
        parts : list of (float, Step)
            Of all chunks of the batch, in order; their gradients are gone.
        grads : dict of str to array
            Sum of the gradients, each times its share, from the first to the last.

        Raises
        ------
        SharedError
            If a chunk failed somewhere, or its gradients do not fit those of the others.
        """
        if self.size == 1:
            return super().total(steps)
        own = []

        def compute():
            for share, step in steps:
                own.append((share, step.grads))
                layout = {name: (np.shape(dw), dw.dtype.str) for name, dw in step.grads.items()}
                yield share, (step.loss, step.y, {}, step.stats, dict(step.batch_stats)), layout

        found = self.agreed(lambda: list(compute()))
        layouts = [layout for some in found for _, _, layout in some]
        kinds = {kind for layout in layouts for _, kind in layout.values()}
        if len(kinds) != 1 or any(layout != layouts[0] for layout in layouts):
            raise SharedError(f"gradients: expected the same names, shapes and one dtype in all chunks, got {sorted(kinds)}: {layouts[0]}")
        shapes = {name: shape for name, (shape, _) in layouts[0].items()}
        flat = self._sum(own, [len(some) for some in found], sum(map(_count, shapes.values())), np.dtype(kinds.pop()))
        ends = np.cumsum([_count(shape) for shape in shapes.values()])[:-1]
        grads = {name: part.reshape(shapes[name]) for name, part in zip(shapes, np.split(flat, ends), strict=True)}
        return [(share, Step(*step)) for some in found for share, step, _ in some], grads

    def _sum(self, own, counts, n, dtype):
        """Return the sum of n numbers over all chunks, of which process k has counts[k]; each process adds up one part of the numbers."""
        m = -(-n // self.size)
        sent, got = np.zeros((self.size, len(own), m), dtype), np.empty((sum(counts), m), dtype)
        row = np.zeros(self.size * m, dtype)
        for c, (share, grads) in enumerate(own):
            row[:n] = np.concatenate([np.ravel(dw) for dw in grads.values()])
            sent[:, c] = (row * dtype.type(share)).reshape(self.size, m)
        self.comm.Alltoallv([sent, [len(own) * m] * self.size], [got, [k * m for k in counts]])
        part = got[0]
        for other in got[1:]:
            part += other
        self.comm.Allgather(part, row)
        return row[:n]

    def check_begin(self, run, train, validation):
        """Refuse a training that the processes cannot share: too few chunks, or data that differ.

        Parameters
        ----------
        run : pysnn.training.Run
            The run.
        train : (x, y, weight)
            Training samples, labels and weights.
        validation : (x, y), optional
            Validation samples and labels.

        Raises
        ------
        SharedError
            The message names process and difference.
        """
        if self.size == 1:
            return
        self.check(run)
        if not self.size <= run.nets.settings.chunks:
            raise SharedError(f"chunks: expected at least one for each of {self.size} processes, such as chunks={max(4, self.size)}, got "
                              f"{run.nets.settings.chunks}")
        arrays = {f"{part} {name}": x for part, some in (("training", train), ("validation", validation or ()))
                  for name, x in zip(("samples", "labels", "weights"), some, strict=False) if x is not None}
        self._same(lambda: {name: _digest(x) for name, x in arrays.items()})

    def check(self, run):
        """Refuse to go on if the processes do not hold the same run: settings, seed, versions, data, epoch, weights.

        Parameters
        ----------
        run : pysnn.training.Run
            The run.

        Raises
        ------
        SharedError
            The message names process and difference.
        """
        if self.size > 1:
            self._same(lambda: _facts(run))

    def _same(self, make):
        first, *others = self.agreed(make)
        for rank, facts in enumerate(others, 1):
            for name in [*first, *facts]:
                a, b = (str(some.get(name, "none")) for some in (first, facts))
                if a != b:
                    raise SharedError(f"process {rank}: expected the same {name} as process 0, {a:.80}, got {b:.80}")

    def save(self, run, path, keep=False):
        """Write a checkpoint, by process 0 alone; all learn of an error.

        Parameters
        ----------
        run : pysnn.training.Run
            The run.
        path : str or Path
            File to write.
        keep : bool
            As of `pysnn.training.save`.
        """
        self.agreed(lambda: None if self.rank else training.save(run, path, keep=keep))


def _count(shape):
    return int(np.prod(shape))


def _facts(run):
    """List what must be the same in all processes: name -> word."""
    header, arrays = run.__reduce__()[1]
    facts = {"method": header["method"], **{f"setting {name}": value for name, value in header["settings"].items()}}
    facts |= {"seed": header["seed"], "epoch": header["epoch"]}
    facts |= {f"version of {name}": value for name, value in header["versions"].items()}
    facts |= {f"data: {name}": value for name, value in header["data"].items()}
    facts |= {f"file {name}": value for name, value in header["files"].items()}
    return facts | {f"array {name}": _digest(x) for name, x in arrays.items()} | {"state of the random numbers": header.get("rng")}


def _digest(x):
    """Describe an array by shape, dtype and a checksum; of samples on disk, by that of some."""
    if len(several := parts_of(x)) > 1:
        return ", ".join(map(_digest, several))
    some = x[np.linspace(0, len(x) - 1, ROWS).astype(int)] if isinstance(x, (Rows, np.memmap)) and len(x) > ROWS else x[...]
    return f"{x.dtype} {x.shape}, checksum {zlib.crc32(np.ascontiguousarray(some)):08x}"
