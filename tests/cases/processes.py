"""Processes that share a training: threads with what `pysnn.scale.mpi` uses of mpi4py, mpirun, and what must be the same at the end."""

import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pysnn import checkpoint, training
from pysnn.scale import mpi
from tests.cases import ROOT

TIMED = {"model": "4-6d-R0.9-3d-I0.9", "n_steps": 7, "clip_norm": 0.05, "batch": 9}
IMAGE = {"model": "6x6x1-4C3-P2-12-3", "n_steps": 5, "batch": 9, "weight_decay": 1e-3, "bias_rate": 2.0, "shift": 1, "flip": True,
         "erase": 2}
CASES = {   # name -> method and settings with everything that draws random numbers, joins samples or bounds gradients
    "temporal": ("temporal", {"model": "36-12-3", "shift": 1, "jitter": 0.1, "l2": 1e-3, "max_norm": 0.01, "batch": 9}),
    "temporal, all bounded": ("temporal", {"model": "36-12-3", "bound": "all", "max_norm": 0.01, "bias": True, "batch": 9,
                                           "optimiser": "sgd"}),
    "temporal, convolution": ("temporal", {"model": "6x6x1-3c3-N-P2-8+synaptic-3", "code": "latency", "bias": True, "drop_in": 0.1,
                                           "batch": 9}),
    "eventprop": ("eventprop", {"model": "36-12-3", "shift": 1, "jitter": 0.1, "bias": True, "batch": 9}),
    "proxy": ("proxy", IMAGE | {"drop": 0.3, "calibrate": 0.1, "pooling": "inside", "average": 0.9}),
    "proxy, statistics of its own": ("proxy", IMAGE | {"statistics": "separate", "freeze_after": 1, "optimiser": "nesterov"}),
    "tandem": ("tandem", IMAGE), "surrogate": ("surrogate", IMAGE | {"clip_norm": 0.05}),
    "conversion": ("conversion", IMAGE | {"drop": 0.3}),
    "ann": ("ann", IMAGE | {"drop": 0.3, "by_turns": True}),
    "surrogate in time": ("surrogate", TIMED | {"input": "steps", "readout": "potential", "over": "mean", "spike_cost": 0.1,
                                                "min_spikes": 1.0}),
    "surrogate in pieces": ("surrogate", TIMED | {"input": "steps", "readout": "potential", "over": "largest", "memory": "sqrt"}),
    "eprop": ("eprop", TIMED | {"feedback": "random"}),
}


def settings(case, **chosen):
    """Return the method of a case, and its settings."""
    method, own = CASES[case]
    kind = training.METHODS[method].Settings
    given = {"epochs": 2, "chunks": 4, **own, **chosen}
    return method, kind(**{name: value for name, value in given.items() if name in kind.__dataclass_fields__})


def samples(case, n=21, seed=0):
    """Make samples for a case, whose last batch is smaller, and labels: images of bytes, or series."""
    rng, y = np.random.default_rng(seed), np.arange(n) % 3
    if "steps" in CASES[case][1].values() or case == "eprop":
        return rng.normal(0, 1, (n, 7, 4)).astype(np.float32) + y[:, None, None], y
    return rng.integers(0, 256, (n, 6, 6), dtype=np.uint8), y


def ends(run):
    """Return all that must be the same: every array bit for bit, the state of the random numbers, the records but for their seconds."""
    header, arrays = run.__reduce__()[1]
    records = [{k: v for k, v in r.items() if k != "seconds"} for r in header["records"]]
    return {name: (x.dtype.str, x.shape, x.tobytes()) for name, x in arrays.items()}, header["rng"], records


def same(path, ref):
    """Compare two checkpoints: arrays, random numbers, settings, records but for their seconds."""
    (a, x), (b, y) = checkpoint.read(path), checkpoint.read(ref)
    for record in (*a["records"], *b["records"]):
        del record["seconds"]
    assert (a["records"], a["rng"], a["settings"]) == (b["records"], b["rng"], b["settings"]) and x.keys() == y.keys()
    assert all(w.tobytes() == y[name].tobytes() for name, w in x.items())


def environment():
    """Return the environment in which mpirun starts processes of this checkout, also as root, and also below another mpirun."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMIX_", "PMI_"))}
    return env | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                  "PYTHONPATH": os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])}


class Comm:
    """One of several threads, with what `pysnn.scale.mpi.Team` asks of a communicator."""

    def __init__(self, rank, shared):
        self.rank, self.size, (self.barrier, self.slots) = rank, len(shared[1]), shared

    def allgather(self, value):
        """Return the values of all, each a copy."""
        self.slots[self.rank] = pickle.dumps(value)
        self.barrier.wait()
        found = [pickle.loads(slot) for slot in self.slots]
        self.barrier.wait()
        return found

    def Alltoallv(self, sent, got):
        """Give each its part of what is sent."""
        (data, counts), (into, _) = sent, got
        parts = [part[self.rank] for part in self.allgather(np.split(data.ravel(), np.cumsum(counts)[:-1]))]
        into[...] = np.concatenate(parts).reshape(into.shape)

    def Allgather(self, part, whole):
        """Give all parts to all."""
        whole[...] = np.concatenate(self.allgather(part))

    def Abort(self, code):
        """Stop all."""
        self.barrier.abort()


def together(size, work):
    """Call work(team) in `size` threads that are a team; return the results, or raise the first error."""
    shared = threading.Barrier(size, timeout=60), [None] * size

    def one(rank):
        with mpi.Team(Comm(rank, shared)) as team:
            return work(team)

    with ThreadPoolExecutor(size) as pool:
        return [future.result() for future in [pool.submit(one, rank) for rank in range(size)]]
