"""What each process of `mpirun` does in tests/scale/test_mpirun.py: python -m tests.cases.mpi_job FOLDER THREADS WHAT."""

import json
import sys
import zlib
from pathlib import Path

from pysnn import training
from pysnn.learning import run as run_of
from pysnn.scale import mpi
from tests.cases.processes import CASES, ends, samples, settings


def digest(run):
    """Return a checksum of all that must be the same."""
    arrays, *others = ends(run)
    return zlib.crc32((repr(sorted(arrays.items())) + json.dumps(others, sort_keys=True)).encode())


def bits(team, folder):
    """Train each case; write the checksums."""
    found = {}
    for case in CASES:
        run = training.start(*settings(case, backend="auto"), 5)
        for _ in training.epochs(run, samples(case), samples(case, 6, 1), team=team):
            team.save(run, folder / "run.npz")
        found[case] = digest(run), digest(training.load(folder / "run.npz"))
    (folder / f"{team.rank}.json").write_text(json.dumps(found))


def other(team, what):
    """Train with something else in process 1."""
    known = run_of.versions
    run_of.versions = lambda: known() | ({"numba": "0.1"} if what == "version" and team.rank == 1 else {})
    run = training.start(*settings("ann", lr=0.5 if what == "setting" and team.rank == 1 else 1e-3), 0)
    list(training.epochs(run, samples("ann", 20 if what == "samples" and team.rank == 1 else 21), team=team))


if __name__ == "__main__":
    folder, threads, what = sys.argv[1:]
    with mpi.team(int(threads)) as team:
        if what == "bits":
            bits(team, Path(folder))
        elif what == "broken" and team.rank == 1:
            raise ValueError("broken here alone")
        else:
            other(team, what)
