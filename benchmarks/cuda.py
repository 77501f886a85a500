"""Time the CUDA operations on a GPU, hold each against its reference in float64, and compare with what an H100 could do at best.

Run: python benchmarks/cuda.py [--quick] [--json FILE]      on a card, or with NUMBA_ENABLE_CUDASIM=1 --quick to see that it runs
     python benchmarks/cuda.py --roofline                   only the estimates, no GPU needed: the table of docs/cuda.md

Arrays are on the device before the clock starts. Two times are given: that of the whole call, and that of its kernels alone, between two
events of the device around each launch; the rest is Python, its checks and the memory of the results. Bytes count every array once, as if
caches were perfect; operations count additions, multiplications, comparisons. The estimate is the longer of bytes / 3.35 TB/s and
operations / 67 T/s, the memory bandwidth and the float32 rate of the H100 SXM by NVIDIA's data sheet. Times in the simulator say nothing
about a GPU.
"""

import argparse
import datetime
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pysnn import training
from pysnn.reference import batch_norm, conv, delays, dense, integrate_fire, pool, pooled_fire, spike_times, temporal, theta

BANDWIDTH, RATE = 3.35e12, 67e12
SIZES = {False: {"batch": 100, "side": 28, "channels": 32, "steps": 15, "n_in": 784, "n_out": 800},
         True: {"batch": 1, "side": 4, "channels": 2, "steps": 2, "n_in": 6, "n_out": 5}}
AGREE = 1e-3           # relative to the largest entry, float32
DECIDED = dict.fromkeys(("temporal forward", "leaky_equal forward", "temporal_delays forward"), 1e-3)
"""Share of spikes that may be decided otherwise, within rounding of the threshold."""


class Case(NamedTuple):
    """One pass of one operation."""

    name: str
    module: object       # of the reference
    call: object         # call(module, arrays) -> results
    arrays: tuple
    n_bytes: int
    n_operations: int


def cases(quick):
    """Return all passes, at the sizes of networks that this package trains; a backward pass includes no forward pass."""
    s, rng = SIZES[quick], np.random.default_rng(0)
    b, c, n, t = s["batch"], s["channels"], s["side"]**2, s["steps"]
    n_in, n_out = s["n_in"], s["n_out"]

    def draw(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    x, dy, w = draw(b, s["side"], s["side"], c), draw(b, s["side"], s["side"], c), draw(3, 3, c, c)
    half = draw(b, s["side"] // 2, s["side"] // 2, c)
    z, weights = np.exp(np.abs(draw(b, n_in))), np.float32(4 / n_in) + np.float32(0.56 / np.sqrt(n_in)) * draw(n_in, n_out)
    flat, wide, dz, current = draw(b, n_in), draw(n_in, n_out), draw(b, n_out), draw(t, b, n * c)
    maps, pooled = current.reshape(t, *x.shape), draw(t, *half.shape)
    one, image, square = np.ones(c, np.float32), 4 * b * n * c, 4 * (b * n_in + n_in * n_out + b * n_out)
    macs, some = 9 * b * n * c * c, max(1, b // 5)                       # the references of some are slow
    times = np.round(8 * np.log(z[:some])) / 8                           # spikes are rarely within rounding of an input
    small, up, delay, pairs = wide / np.float32(10), np.abs(weights), np.abs(draw(n_in, n_out)), some * n_in * n_out
    flow = 4 * (some * n_in + n_in * n_out + some * n_out)
    return [
        Case("temporal forward", temporal, lambda m, a: m.forward(*a)[:1], (z, weights), square + 8 * b * n_out,
             b * n_in * (2 * n_in + 6 * n_out)),
        Case("temporal backward", temporal, lambda m, a: m.backward(a[2], _cache(m.forward, a[:2])), (z, weights, dz), 2 * square,
             7 * b * n_in * n_out),
        Case("leaky_equal forward", spike_times, lambda m, a: m.leaky_equal_forward(*a)[:1], (times, up), flow + 8 * some * n_out,
             2 * some * n_in * n_in + 10 * pairs),
        Case("leaky_equal backward", spike_times, lambda m, a: m.leaky_equal_backward(a[2], _cache(m.leaky_equal_forward, a[:2])),
             (times, up, dz[:some]), 2 * flow, 21 * pairs),
        Case("temporal_delays forward", delays, lambda m, a: m.forward(*a)[:1], (z[:some], up, delay), flow + delay.nbytes,
             4 * pairs * n_in),
        Case("temporal_delays backward", delays, lambda m, a: m.backward(a[3], _cache(m.forward, a[:3])), (z[:some], up, delay, dz[:some]),
             2 * (flow + delay.nbytes), 12 * pairs),
        Case("theta forward", theta, lambda m, a: m.forward(*a, 2.0)[:1], (times, small), flow,
             2 * some * n_in * n_in + 10 * pairs),
        Case("theta backward", theta, lambda m, a: m.backward(a[2], _cache(m.forward, (*a[:2], 2.0))), (times, small, dz[:some]),
             2 * flow, 20 * pairs),
        Case("integrate_fire forward", integrate_fire, lambda m, a: m.forward(*a)[:2], (current,), 3 * t * image, 4 * t * b * n * c),
        Case("integrate_fire backward", integrate_fire, lambda m, a: m.backward(a[1], _cache(m.forward, a[:1])), (current, current),
             3 * t * image, 10 * t * b * n * c),
        Case("pooled_fire forward", pooled_fire, lambda m, a: m.forward(*a)[:1], (maps,), t * image * 9 // 4, 5 * t * b * n * c),
        Case("pooled_fire backward", pooled_fire, lambda m, a: m.backward(a[1], _cache(m.forward, a[:1])), (maps, pooled),
             t * image * 9 // 4, 10 * t * b * n * c),
        Case("conv2d forward", conv, lambda m, a: m.conv2d_forward(*a, 1, 1)[:1], (x, w), 2 * image + w.nbytes, 2 * macs),
        Case("conv2d backward", conv, lambda m, a: m.conv2d_backward(a[2], _cache(m.conv2d_forward, (*a[:2], 1, 1))), (x, w, dy),
             3 * image + 2 * w.nbytes, 4 * macs),
        Case("dense forward", dense, lambda m, a: m.dense_forward(*a)[:1], (flat, wide), square, 2 * b * n_in * n_out),
        Case("dense backward", dense, lambda m, a: m.dense_backward(a[2], _cache(m.dense_forward, a[:2]))[:2], (flat, wide, dz),
             2 * square, 4 * b * n_in * n_out),
        Case("max_pool2d forward", pool, lambda m, a: m.max_pool2d_forward(*a)[:1], (x,), image + image * 5 // 16, b * n * c),
        Case("max_pool2d backward", pool, lambda m, a: (m.max_pool2d_backward(a[1], _cache(m.max_pool2d_forward, a[:1])),), (x, half),
             image + image * 5 // 16, b * n * c),
        Case("batch_norm forward", batch_norm, lambda m, a: m.batch_norm_forward(*a)[:1], (x, one, one), 4 * image, 6 * b * n * c),
        Case("batch_norm backward", batch_norm, lambda m, a: m.batch_norm_backward(a[3], _cache(m.batch_norm_forward, a[:3])),
             (x, one, one, dy), 5 * image, 8 * b * n * c)]


_kept = {}


def _cache(forward, arrays):
    """Return what backward needs of a forward pass, made once."""
    key = (forward, *(id(a) for a in arrays))
    if key not in _kept:
        _kept[key] = forward(*arrays)[-1], arrays
    return _kept[key][0]


def best(case):
    """Return the estimate for an H100 in seconds, and what bounds it."""
    moving, computing = case.n_bytes / BANDWIDTH, case.n_operations / RATE
    return max(moving, computing), "memory" if moving > computing else "arithmetic"


def measure(case, target, repeat):
    """Run a pass on the device, compare it with the reference, time it; return a row of the record."""
    op = __import__(f"pysnn.cuda.{case.module.__name__.rpartition('.')[2]}", fromlist=["x"])
    arrays = tuple(target.send(a, a, "input") for a in case.arrays)
    off, differ, n = 0.0, 0, 0
    exact = case._replace(arrays=tuple(a.astype(np.float64) for a in case.arrays))
    for got, ref in zip(case.call(op, arrays), case.call(case.module, exact.arrays), strict=True):
        got = got.copy_to_host() if target.on_device(got) else got
        both = np.isfinite(got) & np.isfinite(ref)
        n += got.size
        off = np.inf if np.isnan(got).any() else off
        differ += int((np.isfinite(got) != np.isfinite(ref)).sum())                 # spikes within rounding of the threshold
        apart = np.subtract(got, ref, out=np.zeros_like(ref), where=both)
        off = max(off, float(np.abs(apart).max() / max(np.abs(ref[both]).max(initial=0), 1e-30)))
    seconds = []
    for _ in range(repeat):
        target.cuda.synchronize()
        began = time.perf_counter()
        case.call(op, arrays)
        target.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    inside = [_in_kernels(target, lambda: case.call(op, arrays)) for _ in range(repeat)]
    estimate, bound = best(case)
    return {"pass": case.name, "seconds": None if target.SIMULATED else statistics.median(seconds),
            "kernel_seconds": None if target.SIMULATED else statistics.median(inside), "of": repeat, "off": off,
            "differ": differ, "n": n, "bytes": case.n_bytes, "operations": case.n_operations, "h100": estimate, "bound": bound}


def _in_kernels(target, call):
    """Return how long the kernels of a call run on the device, in seconds; 0 in the simulator."""
    if target.SIMULATED:
        return 0.0
    run, events = target.Kernel.run, []

    def timed(kernel, *args):
        events.append((target.cuda.event(), target.cuda.event()))
        events[-1][0].record()
        run(kernel, *args)
        events[-1][1].record()

    target.Kernel.run = timed
    try:
        call()
        target.cuda.synchronize()
    finally:
        target.Kernel.run = run
    return sum(begin.elapsed_time(end) for begin, end in events) / 1e3


def roofline(quick):
    """Print the estimates as a table."""
    print("| pass | MB | M operations | operations a byte | estimate, us | bound by |\n|---|---|---|---|---|---|")
    for case in cases(quick):
        estimate, bound = best(case)
        print(f"| {case.name} | {case.n_bytes / 1e6:.2f} | {case.n_operations / 1e6:,.0f} | {case.n_operations / case.n_bytes:.1f} | "
              f"{estimate * 1e6:.1f} | {bound} |")


def main(argv=None):
    """Measure, print, write; return 1 where a result is not the reference's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny arrays, one repetition")
    parser.add_argument("--roofline", action="store_true", help="only the estimates")
    parser.add_argument("--json", metavar="FILE", help="also write the times to FILE")
    args = parser.parse_args(argv)
    if args.roofline:
        return roofline(args.quick)
    here = Path(__file__).resolve().parent
    sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != here]     # else this file hides NVIDIA's package `cuda`
    from pysnn.cuda import _target as target
    try:
        target.ready()
    except (ImportError, RuntimeError) as error:
        raise SystemExit(f"benchmarks/cuda.py: {error}") from None
    print(target.describe()["cuda"])
    rows = [measure(case, target, 1 if args.quick else 20) for case in cases(args.quick)]
    for row in rows:
        whole, inside = (None if row[key] is None else f"{1e6 * row[key]:,.0f}" for key in ("seconds", "kernel_seconds"))
        took = "simulated" if whole is None else f"{whole} us, kernels {inside} us (an H100 at best {row['h100'] * 1e6:.1f} us)"
        print(f"{row['pass']:26s} {took:>60s}, off by {row['off']:.1e}, {row['differ']} decisions differ")
    if args.json:
        record = {"command": "python benchmarks/cuda.py", "date": datetime.date.today().isoformat(), "versions": training.versions(),
                  "cpu": f"{os.cpu_count()} cores", "device": target.describe()["cuda"], "rows": rows}
        Path(args.json).write_text(json.dumps(record, indent=1) + "\n")
    return int(any(row["off"] > AGREE or row["differ"] > DECIDED.get(row["pass"], 0) * row["n"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
