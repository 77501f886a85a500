"""What the tests of the CUDA twins share: an operation, or a skip that says why; blocks so small that tiny arrays cross their edges."""

import importlib
import importlib.util
import os

import numpy as np
import pytest


def twin(name):
    """Return an operation by CUDA, on a GPU or in the simulator; neither may be missing where the simulator is asked for and CI=true."""
    from pysnn.cuda import _target
    if not _target.available():
        if os.environ.get("CI", "").lower() == "true" and os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
            pytest.fail("numba-cuda is not installed, and CI=true demands it")
        pytest.skip(_target._why_not or _target.NO_GPU)
    return importlib.import_module(f"pysnn.cuda.{name}")


def shrink(monkeypatch, side=2, per=2, depth=3, threads=3, piece=7):
    """Make blocks small in the simulator; on a device a kernel keeps the sizes it was compiled with."""
    conv, temporal, target = twin("conv"), twin("temporal"), twin("_target")
    monkeypatch.setattr(conv, "_PIECE", piece)               # these three are arguments of kernels
    monkeypatch.setattr(temporal, "_PIECE", piece)
    monkeypatch.setattr(twin("batch_norm"), "_ROWS", 5)
    if not target.SIMULATED:
        return
    for module in (conv, temporal):
        for name, value in {"_SIDE": side, "_PER": per, "_DEPTH": depth, "_WIDE": side * per, "_TILE": (depth, side * per + 1),
                            "_SUMS": (per, per)}.items():
            monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(temporal, "_THREADS", threads)
    monkeypatch.setattr(twin("spike_times"), "_THREADS", threads)
    monkeypatch.setattr(twin("theta"), "_SAMPLES", 2)
    monkeypatch.setattr(temporal, "_AHEAD", threads + 1)


def same(got, ref, limit):
    """Compare lists of results; the limit is relative to the largest entry."""
    for a, b in zip(got, ref, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert isinstance(a, np.ndarray) and a.shape == b.shape and a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=0, atol=limit * max(np.abs(b).max(), 1e-30))
