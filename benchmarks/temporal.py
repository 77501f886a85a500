"""Time a training step of temporal coding, 784-800-10, batch 128, float32, against PyTorch; and how the time grows.

Run: make bench      or: python benchmarks/temporal.py [--json FILE] [--threads N] [--quick]

How it measures. Every contender lives in a process of its own, so that no library's threads spin while another is measured and its peak
memory is its own. The processes take turns: in each round every one, in random order, takes one step that is not timed and then a few
that are, while the others sleep. A figure is the median over rounds of a round's mean step; a ratio is the median over rounds of the
ratios within a round. A step is forward, loss, backward and Adam on encoded input spikes: reading and encoding images is not in it. The
weights are those after some training on the same images, since how early neurons fire decides how much there is to do (for the distinct
times, which mean nothing, those drawn at the start).
"""

import argparse
import datetime
import importlib.util
import json
import multiprocessing
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np

from pysnn import _threads, datasets, encode, losses, models, operations, training
from pysnn.learning import temporal

sys.path.insert(0, str(Path(__file__).parent))     # spawned processes inherit it
from _contenders import BATCH, CONTENDERS, LATE, MODEL, Job, Pysnn, serve

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYSNN_THREADS")
RECORDED = ("OPENBLAS_", "OMP_", "GOMP_", "MKL_", "KMP_", "NUMBA_NUM", "NUMBA_CPU", "PYSNN_THREADS")
CHECKED = (("b", "binary"), ("b", "latency"), ("b", "distinct"), ("b' default", "binary"))   # compared with pysnn on these inputs
FLOAT_TOLERANCE = {"float32": 1e-3, "float64": 1e-9}   # of z_out and gradients, norm of the difference over the norm; sums over 800 terms

def real_images(n):
    """Return the name of the data, n images as intensities, and labels: MNIST if it has been fetched, else the shipped sample."""
    for name in ("mnist", "fashion-sample"):
        try:
            data = datasets.load(name)
        except datasets.DataError:
            continue
        return name, encode.intensities(data.x_train[:n]), data.y_train[:n].astype(np.int64)
    raise AssertionError("unreachable: the sample is part of pysnn")


def input_sets(x):
    """Return the input spikes, set by set."""
    distinct = np.random.default_rng(1).uniform(1, LATE, x.shape).astype(np.float32)
    return {"binary": encode.binary(x, LATE), "latency": encode.latency(x, LATE), "distinct": distinct, "images": x}


def cut_batches(z, y):
    return [(z[i:i + BATCH], y[i:i + BATCH]) for i in range(0, len(z) - BATCH + 1, BATCH)]


def trained(batches, n_steps):
    """Return the weights after some steps by the preset."""
    params = models.temporal_params(MODEL, np.random.default_rng(0))
    job = Job("pysnn", {"drop": True}, batches, params, 0, lr=temporal.Settings().lr)
    contender = Pysnn(job)
    for k in range(n_steps):
        contender.step(k)
    return contender.net.params


def start(jobs):
    """Start the contenders, one process each; return their ends of the pipes and their versions."""
    context, pipes, versions = multiprocessing.get_context("spawn"), {}, {}
    for name, job in jobs.items():
        pipes[name], theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, job), daemon=True).start()
        theirs.close()
    for name in pipes:
        versions |= answer(pipes, name)
    return pipes, versions


def answer(pipes, name, *question):
    """Ask one contender and wait."""
    try:
        if question:
            pipes[name].send(question)
        return pipes[name].recv()
    except (EOFError, BrokenPipeError):
        raise SystemExit(f"benchmarks/temporal.py: the process of '{name}' has died; what it said stands above") from None


def compare(pipes, sets, y, params, n=8):
    """Assert that pysnn and the peers agree about z_out and gradients on the same weights; return the largest differences."""
    rows = []
    for name, inputs in CHECKED:
        for kind in FLOAT_TOLERANCE:
            z, w = sets[inputs][:n].astype(kind), {key: x.astype(kind) for key, x in params[inputs].items()}
            net = models.build(MODEL, params=w)
            outputs, caches = net.forward(z)
            ours = {"z_out": outputs[-1], **net.backward(losses.softmax_t(outputs[-1], y[:n])[1], caches)[1]}
            theirs = answer(pipes, name, "check", z, y[:n], w)
            assert np.isfinite(ours["z_out"]).any() and all(np.any(x) for x in ours.values()), f"{inputs}: a dead net says nothing"
            np.testing.assert_array_equal(np.isinf(ours["z_out"]), np.isinf(theirs["z_out"]))
            fires = np.isfinite(ours["z_out"])
            ours["z_out"], theirs["z_out"] = ours["z_out"][fires], theirs["z_out"][fires]
            worst = {key: float(np.linalg.norm(ours[key] - theirs[key]) / np.linalg.norm(ours[key])) for key in ours}
            rows.append({"peer": name, "inputs": inputs, "dtype": kind, **worst})
            assert max(worst.values()) < FLOAT_TOLERANCE[kind], f"pysnn and {name} differ: {rows[-1]}"
    return rows


def measure(pipes, rounds, steps, pause):
    """Let the contenders take turns; return seconds a step, (rounds,) for each."""
    seconds, rng = {name: [] for name in pipes}, np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(list(pipes)):
            time.sleep(pause)                                            # threads of the one before stop spinning
            seconds[name].append(float(np.mean(answer(pipes, name, "time", 1 if name == "b" else steps))))
    return {name: np.array(s) for name, s in seconds.items()}


def rows_of(seconds, memory):
    """Make the rows of the table; the peer of the ratios is the fastest ReLU network."""
    peer = min((name for name in seconds if name.startswith("c ")), key=lambda name: np.median(seconds[name]))
    rows = []
    for name, s in seconds.items():
        q1, median, q3 = (float(q) for q in np.quantile(1e3 * s, (0.25, 0.5, 0.75)))
        r1, ratio, r3 = (float(q) for q in np.quantile(s / seconds[peer], (0.25, 0.5, 0.75)))
        rows.append({"name": name, "what": CONTENDERS[name].text, "inputs": CONTENDERS[name].inputs, "ms": median, "ms_quartiles": [q1, q3],
                     "ratio": ratio, "ratio_quartiles": [r1, r3], **memory[name], "ms_rounds": [round(1e3 * v, 4) for v in s.tolist()]})
    return peer, rows


def growth(base=(BATCH, 784, 800), halvings=3, doublings=1, rounds=5):
    """Time one layer while one of B, N_in, N_out doubles; nothing but pysnn.

    Returns a list of dicts: inputs, axis, size, and the medians forward_ns and step_ns (forward and backward) per synapse and sample.
    """
    cases = []
    for inputs in ("two times", "distinct"):
        for axis, name in enumerate(("B", "N_in", "N_out")):
            for k in range(-halvings, doublings + 1):
                shape = [max(1, round(n * 2.0**k)) if i == axis else n for i, n in enumerate(base)]
                rng = np.random.default_rng(0)
                z = rng.uniform(1, LATE, shape[:2]) if inputs == "distinct" else np.where(rng.random(shape[:2]) < 0.2, 1, LATE)
                w = models.temporal_params(f"{shape[1]}-{shape[2]}", rng)["w1"]
                cases.append(({"inputs": inputs, "axis": name, "size": shape[axis], "shape": shape}, z.astype(np.float32), w, []))
    op = operations.backend_of("temporal")
    for r in range(rounds + 1):
        for _, z, w, times in cases:
            began = time.perf_counter()
            z_out, cache = op.forward(z, w)
            middle = time.perf_counter()
            op.backward(z_out, cache)
            if r:                                                        # the first round warms up
                times.append((middle - began, time.perf_counter() - began))
    for case, _, _, times in cases:
        case["forward_ns"], case["step_ns"] = (np.median(times, axis=0) / np.prod(case["shape"]) * 1e9).tolist()
    return [case for case, *_ in cases]


def show(record):
    """Print the tables."""
    print(f"\n{MODEL}, batch {BATCH}, float32, {record['threads']} threads, images of {record['data']}, {record['rounds']} rounds of "
          f"{record['steps']} steps, contenders in turn;\nmedian and quartiles; ratio to the fastest ReLU network ({record['peer']})\n\n"
          f"{'':12}{'ms a step':>36}{'ratio':>24}{'peak MiB (after imports)':>32}")
    for row in record["rows"]:
        print(f"{row['name']:18}{row['ms']:10.2f}  {'{:.2f} - {:.2f}'.format(*row['ms_quartiles']):>18}{row['ratio']:10.2f}  "
              f"{'{:.2f} - {:.2f}'.format(*row['ratio_quartiles']):>15}{row['peak_mib']:12.0f} ({row['imports_mib']:.0f})   {row['what']}")
    print("\nb is extrapolated: forward and backward of 8 samples times 16 plus one update; its memory from 4 and 12 samples.")
    print("same z_out and gradients on the same weights, largest differences:",
          ", ".join(f"{c['peer']} {c['inputs']} {c['dtype']} {max(c[k] for k in ('z_out', 'w1', 'w2')):.0e}" for c in record["checks"]))
    print("\npysnn, one layer, ns per synapse and sample as one size doubles: forward, forward and backward")
    for inputs, axis in sorted({(g["inputs"], g["axis"]) for g in record["growth"]}):
        some = [g for g in record["growth"] if (g["inputs"], g["axis"]) == (inputs, axis)]
        print(f"  {inputs:10} {axis:6}" + "".join(f"{g['size']:7}: {g['forward_ns']:.3f} {g['step_ns']:.3f}" for g in some))
    if record["machine"]["load"] > 0.3:
        print(f"\nWARNING: other programs were running (load {record['machine']['load']:.1f}): these figures are not to be quoted")
    print("\nBLAS environment:", {k: v for k, v in record["environment"].items() if "BLAS" in k} or "nothing set")


def machine():
    """Say what the figures were measured on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": model, "cores": os.cpu_count(), "usable": usable, "system": f"{platform.system()} {platform.machine()}",
            "load": os.getloadavg()[0]}



def run(threads=2, rounds=21, steps=5, pause=0.1, n_batches=40):
    """Measure everything; return the record."""
    began, environment = time.perf_counter(), {k: v for k, v in os.environ.items() if k.startswith(RECORDED)}
    where = machine()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))     # for the processes to come
    _threads.set_threads(threads)
    data, x, y = real_images(n_batches * BATCH)
    sets = input_sets(x)
    batches = {name: cut_batches(z, y) for name, z in sets.items()}
    params = {name: trained(batches[name], 2 * len(batches[name])) for name in ("binary", "latency")}
    params["distinct"] = models.temporal_params(MODEL, np.random.default_rng(0))
    jobs = {name: Job(c.kind, c.options, batches[c.inputs][:8], params.get(c.inputs, params["binary"]), threads)
            for name, c in CONTENDERS.items()}
    pipes, versions = start(jobs)
    checks = compare(pipes, sets, y, params)
    seconds = measure(pipes, rounds, steps, pause)
    memory = {name: answer(pipes, name, "memory") for name in pipes}
    for pipe in pipes.values():
        pipe.send(None)
    peer, rows = rows_of(seconds, memory)
    sizes = {"halvings": 3, "doublings": 1} if rounds > 3 else {"halvings": 1, "doublings": 0}
    return {"what": "one training step", "command": "make bench", "date": datetime.date.today().isoformat(),
            "machine": where, "cpu": f"{where['cpu']}, {where['cores']} cores",
            "environment": environment, "versions": training.versions() | versions,
            "data": data, "model": MODEL, "batch": BATCH, "threads": threads, "rounds": rounds, "steps": steps, "pause_s": pause,
            "peer": peer, "rows": rows, "checks": checks, "growth": growth(rounds=min(rounds, 7), **sizes),
            "seconds": time.perf_counter() - began}


def main(argv=None):
    """Read the command line, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="also write everything to FILE")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="to see that it runs; the figures mean little")
    args = parser.parse_args(argv)
    if importlib.util.find_spec("torch") is None:
        raise SystemExit("benchmarks/temporal.py compares with PyTorch, which is not installed here: run `make bench`")
    record = run(args.threads, **({"rounds": 3, "steps": 1, "pause": 0.0, "n_batches": 4} if args.quick else {}))
    show(record)
    if args.json:
        Path(args.json).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
