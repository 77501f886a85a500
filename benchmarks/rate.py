"""Time integrate-and-fire networks and the ReLU network behind them, at the authors' size for Fashion-MNIST, against PyTorch frameworks.

Run: make bench      or: python benchmarks/rate.py [--json FILE] [--threads N] [--quick]

How it measures. Every contender lives in a process of its own and they take turns, in random order in each round, while the others sleep. A
figure is the median over rounds; a ratio is the median over rounds of the ratios within a round. After some pilot rounds only the fastest
of each family goes on: for SpikingJelly that is over its step modes, memory formats and a compiled neuron. Inference is 100 test images to
spike counts after T = 15 steps; BatchNorm is folded into the weights for everyone, and the first current is computed once by everyone.
The weights are synthetic: random, scaled layer by layer until all neurons fire with about the given probability a step, for how much there
is to do may depend on it. Training is forward and backward of the ReLU network, BatchNorm in training mode, without an optimiser.
"""

import argparse
import datetime
import importlib.util
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

import numpy as np

from pysnn import _threads, datasets, training

sys.path.insert(0, str(Path(__file__).parent))     # spawned processes inherit it
from _rate_contenders import (
    BATCH,
    INFERENCE,
    RULE,
    STEPS,
    THRESHOLD,
    TRAINING,
    WIDTH,
    Job,
    Pysnn,
    calibrated,
    engine,
    fashion_spec,
    layers_of,
    multiply_adds,
    random_params,
    serve,
)
from temporal import RECORDED, THREAD_VARIABLES, machine

ACTIVITIES = (0.15, 0.3)
SPIKE_TOLERANCE = 1e-3     # relative, beside 1/sqrt(n): a neuron within rounding of the threshold fires or not, and others follow
GRADIENT_TOLERANCE = 1e-9  # float64, norm of the difference over the norm
FULL = {"width": WIDTH, "batch": BATCH, "n_steps": STEPS, "pilot": 2, "rounds": 6, "n_batches": 3, "n_calibrate": 8, "n_check": 16,
        "memory_steps": (4, 60), "growth": {"n_steps": (1, 4, 15, 60), "width": (16, 32, 64, 128), "activity": (0.05, 0.15, 0.3),
                                            "batch": (1, 10, 100)}, "growth_base": (4, 32, 0.15, 100)}
QUICK = {"width": 4, "batch": 6, "n_steps": 3, "pilot": 1, "rounds": 2, "n_batches": 2, "n_calibrate": 4, "n_check": 4,
         "memory_steps": (2, 4), "growth": {"n_steps": (1, 2), "width": (2, 4), "activity": (0.1, 0.3), "batch": (1, 3)},
         "growth_base": (2, 2, 0.1, 3)}


def test_images(n):
    """Return name of the data, n test images (n, 28, 28, 1) in [0, 1], labels: Fashion-MNIST if fetched, else the shipped sample."""
    for name in ("fashion-mnist", "fashion-sample"):
        try:
            data = datasets.load(name)
        except datasets.DataError:
            continue
        x = data.x_test[:n].reshape(-1, 28, 28, 1).astype(np.float32) / np.float32(255)
        return name, x, data.y_test[:n].astype(np.int64)
    raise AssertionError("unreachable: the sample is part of pysnn")


def start(jobs, serve=serve):
    """Start the contenders, one process each; return their ends of the pipes, the processes, and their versions."""
    context, pipes, processes, versions = multiprocessing.get_context("spawn"), {}, [], {}
    for name, job in jobs.items():
        pipes[name], theirs = context.Pipe()
        processes.append(context.Process(target=serve, args=(theirs, job), daemon=True))
        processes[-1].start()
        theirs.close()
    for name in pipes:
        versions |= answer(pipes, name)
    return pipes, processes, versions


def answer(pipes, name, *question):
    """Ask one contender and wait."""
    try:
        if question:
            pipes[name].send(question)
        return pipes[name].recv()
    except (EOFError, BrokenPipeError):
        raise SystemExit(f"benchmarks/rate.py: the process of '{name}' has died; what it said stands above") from None


def stop(pipes, processes):
    """Let the contenders go."""
    for pipe in pipes.values():
        pipe.send(None)
    for process in processes:
        process.join()


def measure(pipes, families, pilot, rounds, pause):
    """Let the contenders take turns; return seconds, (pilot,) or (rounds,) for each, and who went on."""
    rng, seconds, left = np.random.default_rng(0), {name: [] for name in pipes}, list(pipes)
    for name in left:
        answer(pipes, name, "time", 1)                                   # compiles and warms up
    for r in range(rounds):
        if r == pilot:
            best = {families[name]: name for name in sorted(left, key=lambda name: -np.median(seconds[name]))}
            left = [name for name in left if name in best.values()]
        for name in rng.permutation(left):
            time.sleep(pause)                                            # threads of the one before stop spinning
            seconds[name] += answer(pipes, name, "time", 1)
    return {name: np.array(s) for name, s in seconds.items()}, left


def rows_of(seconds, left, contenders, peers):
    """Make the rows of a table; ratios are to the fastest of the peers, over the rounds that both took part in."""
    peer = min((name for name in left if contenders[name].family in peers), key=lambda name: np.median(seconds[name]))
    rows = []
    for name, s in seconds.items():
        q1, median, q3 = (float(q) for q in np.quantile(s, (0.25, 0.5, 0.75)))
        r1, ratio, r3 = (float(q) for q in np.quantile(s / seconds[peer][:len(s)], (0.25, 0.5, 0.75)))
        rows.append({"name": name, "what": contenders[name].text, "s": median, "s_quartiles": [q1, q3], "ratio": ratio,
                     "ratio_quartiles": [r1, r3], "went_on": name in left, "s_rounds": [round(v, 5) for v in s.tolist()]})
    return peer, rows


def compare_spikes(pipes, x):
    """Assert that all engines emit the same spikes but for some that rounding decides; return how many differ."""
    ours, rows = answer(pipes, "pysnn", "check", x), []
    for name in pipes:
        if INFERENCE[name].family in ("pysnn", "products"):
            continue
        theirs = answer(pipes, name, "check", x)
        n = np.array(theirs["n_spikes"])
        layers = np.abs(np.array(ours["n_spikes"]) / n - 1)
        rows.append({"peer": name, "images": len(x), "counts": ours["counts"].size,
                     "counts_that_differ": int((ours["counts"] != theirs["counts"]).sum()),
                     "n_spikes": theirs["n_spikes"], "layer_difference": float(layers.max())})
        assert n.min() > 0, f"{name}: a dead net says nothing"
        assert (layers <= SPIKE_TOLERANCE + 1 / np.sqrt(n)).all(), f"pysnn and {name} differ: {rows[-1]}"
    return rows


def compare_gradients(pipes, x, y):
    """Assert that pysnn and PyTorch agree on loss and gradients, in float64; return the largest differences."""
    ours, rows = answer(pipes, "pysnn", "check", x, y), []
    for name in (name for name in pipes if name.startswith("torch")):
        theirs = answer(pipes, name, "check", x, y)
        assert set(ours) == set(theirs), (set(ours), set(theirs))
        worst = {key: float(np.linalg.norm(ours[key] - theirs[key]) / np.linalg.norm(theirs[key])) for key in ours}
        rows.append({"peer": name, "worst": max(worst.values()), "where": max(worst, key=worst.get)})
        assert all(np.any(v) for v in ours.values()) and rows[-1]["worst"] < GRADIENT_TOLERANCE, f"pysnn and {name} differ: {worst}"
    return rows


def inference(sizes, threads, pause, quick):
    """Time inference at each activity; at the second only those who won at the first."""
    n, spec, sections, chosen = sizes["batch"], fashion_spec(sizes["width"]), [], None
    data, x, y = test_images(n * sizes["n_batches"])
    batches = [(x[i:i + n], y[i:i + n]) for i in range(0, len(x), n)]
    for activity in ACTIVITIES:
        stages, reached = calibrated(spec, activity, x[-sizes["n_calibrate"]:], sizes["n_steps"])
        names = chosen or [name for name in INFERENCE if not (quick and name.startswith("jelly c"))]       # half a minute of compiling
        jobs = {name: job(name, (spec, stages, batches), sizes["n_steps"], threads) for name in names}
        pipes, processes, versions = start(jobs)
        checks = compare_spikes(pipes, x[:sizes["n_check"]])
        seconds, left = measure(pipes, {name: INFERENCE[name].family for name in names}, sizes["pilot"], sizes["rounds"], pause)
        stop(pipes, processes)
        peer, rows = rows_of(seconds, left, INFERENCE, ("jelly",))
        steps = sizes["n_check"] * sizes["n_steps"]
        seen = [float(s / (np.prod(layer["out"]) * steps)) for s, layer in zip(checks[0]["n_spikes"], layers_of(spec), strict=True)]
        sections.append({"weights": "synthetic", "activity": activity, "activity_calibrated": reached, "activity_by_layer": seen,
                         "peer": peer, "rows": rows, "checks": checks})
        chosen = left
    return data, sections, versions, memory(sizes, (spec, stages, batches[:1]), threads, chosen)


def job(name, net, n_steps, threads):
    """Return what the process of one inference contender needs; net: (spec, stages, batches)."""
    return Job(INFERENCE[name].kind, INFERENCE[name].options, *net, n_steps, threads)


def memory(sizes, net, threads, names):
    """Peak memory of one inference, a process each, for few and many steps; layer by layer (m) keeps all steps: few only."""
    rows = []
    for name in [*(n for n in names if INFERENCE[n].family in ("pysnn", "jelly")), *({"jelly m"} - set(names))]:
        for n_steps in sizes["memory_steps"]:
            if INFERENCE[name].options.get("mode") == "m" and n_steps > max(sizes["memory_steps"][0], 15):
                continue
            pipes, processes, _ = start({name: job(name, net, n_steps, threads)})
            answer(pipes, name, "time", 1)
            rows.append({"name": name, "n_steps": n_steps, **answer(pipes, name, "memory")})
            stop(pipes, processes)
    return rows


def relu(sizes, threads, pause):
    """Time forward and backward of the ReLU network."""
    n, spec = sizes["batch"], fashion_spec(sizes["width"])
    _, x, y = test_images(n * sizes["n_batches"])
    batches = [(x[i:i + n], y[i:i + n]) for i in range(0, len(x), n)]
    jobs = {name: Job(c.kind, c.options, spec, random_params(spec), batches, 1, threads) for name, c in TRAINING.items()}
    pipes, processes, versions = start(jobs)
    checks = compare_gradients(pipes, x[:sizes["n_check"]], y[:sizes["n_check"]])
    stop(pipes, processes)                                               # they hold float64 now
    pipes, processes, versions = start(jobs)
    seconds, left = measure(pipes, {name: c.family for name, c in TRAINING.items()}, sizes["pilot"], sizes["rounds"], pause)
    peaks = {name: answer(pipes, name, "memory") for name in pipes}
    stop(pipes, processes)
    peer, rows = rows_of(seconds, left, TRAINING, ("torch",))
    return {"peer": peer, "rows": [row | peaks[row["name"]] for row in rows], "checks": checks}, versions


def growth(axes, base, threads, n_calibrate=8, repeats=3):
    """Time pysnn's inference while one of steps, width, activity, batch changes; coarse: the best of a few.

    axes: values by name. base: (n_steps, width, activity, batch). Returns a list of dicts with seconds and multiply-adds per second.
    """
    rows, known, names = [], {}, ("n_steps", "width", "activity", "batch")
    _, x, y = test_images(max(base[3], n_calibrate, *axes["batch"]))
    for axis, values in axes.items():
        for value in values:
            case = dict(zip(names, base, strict=True)) | {axis: value}
            spec, key = fashion_spec(case["width"]), (case["width"], case["activity"])
            if key not in known:
                known[key] = calibrated(spec, case["activity"], x[-n_calibrate:], 4)[0]
            job = Job("pysnn", {}, spec, known[key], [(x[:case["batch"]], y[:case["batch"]])], case["n_steps"], threads)
            contender, times = Pysnn(job), []
            for _ in range(repeats + 1):
                began = time.perf_counter()
                contender.step(0)
                times.append(time.perf_counter() - began)
            first, *others = multiply_adds(spec)
            work = case["batch"] * (first + case["n_steps"] * sum(others))
            rows.append({"axis": axis, **case, "s": min(times[1:]), "gmac_s": work / min(times[1:]) / 1e9})
    return rows


def show(record):
    """Print the tables."""
    print(f"\n{record['model']}, {record['multiply_adds'] / 1e6:.1f} M multiply-adds an image and step, batch {record['batch']}, float32, "
          f"{record['threads']} threads, test images of {record['data']}\nengine: {record['versions'].get('engine')}")
    for section in record["inference"]:
        print(f"\ninference, T = {record['n_steps']}, threshold {THRESHOLD}, {RULE}; synthetic weights, spikes a step and neuron by layer: "
              + " ".join(f"{a:.2f}" for a in section["activity_by_layer"]))
        table(section)
    print("\nReLU network, forward and backward of one batch")
    table(record["relu"])
    print("\npeak MiB of inference (after imports): "
          + ", ".join(f"{m['name']} T = {m['n_steps']}: {m['peak_mib']:.0f} ({m['imports_mib']:.0f})" for m in record["memory"]))
    checks = [c for section in record["inference"] for c in section["checks"]]
    print("output counts that differ from pysnn's: " + ", ".join(f"{c['peer']} {c['counts_that_differ']}/{c['counts']}" for c in checks))
    print("gradients, largest difference: " + ", ".join(f"{c['peer']} {c['worst']:.0e}" for c in record["relu"]["checks"]))
    print("\npysnn inference as one size grows from T, width, activity, batch =", *record["growth_base"], "(s, G multiply-adds/s)")
    for axis in record["growth_axes"]:
        print(f"  {axis:9}" + "".join(f"{g[axis]:>7}: {g['s']:.4f} {g['gmac_s']:.0f}" for g in record["growth"] if g["axis"] == axis))
    if record["machine"]["load"] > 0.3:
        print(f"\nWARNING: other programs were running (load {record['machine']['load']:.1f}): these figures are not to be quoted")


def table(section):
    """Print one table; ratios are to the fastest peer."""
    print(f"{'':18}{'s':>10}{'quartiles':>22}{'to ' + section['peer']:>18}")
    for row in section["rows"]:
        print(f"{row['name']:18}{row['s']:10.4f}{'{:.4f} - {:.4f}'.format(*row['s_quartiles']):>22}{row['ratio']:18.3f}   {row['what']}"
              f"{'' if row['went_on'] else ' (pilot only)'}")


def run(threads=2, quick=False):
    """Measure everything; return the record."""
    began, environment = time.perf_counter(), {k: v for k, v in os.environ.items() if k.startswith(RECORDED)}
    sizes, where, pause = (QUICK if quick else FULL), machine(), 0.0 if quick else 0.2
    os.environ.update(dict.fromkeys((*THREAD_VARIABLES, "NUMBA_NUM_THREADS"), str(threads)))     # for the processes to come
    _threads.set_threads(threads)
    spec = fashion_spec(sizes["width"])
    data, sections, versions, peaks = inference(sizes, threads, pause, quick)
    ann, relu_versions = relu(sizes, threads, pause)
    return {"what": "inference of the spiking net, forward and backward of the ReLU net", "command": "make bench",
            "date": datetime.date.today().isoformat(), "machine": where, "cpu": f"{where['cpu']}, {where['cores']} cores",
            "environment": environment, "versions": training.versions() | relu_versions | versions | {"engine": engine().__name__},
            "data": data, "model": spec, "multiply_adds": sum(multiply_adds(spec)), "batch": sizes["batch"], "threads": threads,
            "n_steps": sizes["n_steps"], "pilot": sizes["pilot"], "rounds": sizes["rounds"], "pause_s": pause,
            "rule": RULE._asdict(), "threshold": THRESHOLD,
            "inference": sections, "memory": peaks, "relu": ann, "growth_base": sizes["growth_base"], "growth_axes": list(sizes["growth"]),
            "growth": growth(sizes["growth"], sizes["growth_base"], threads, sizes["n_calibrate"]), "seconds": time.perf_counter() - began}


def command(text, file, peers, run, show):
    """Read the command line of a benchmark, measure, print, write; peers are the packages that it needs."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="also write everything to FILE")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="to see that it runs; the figures mean nothing")
    args = parser.parse_args()
    if missing := [name for name in peers if importlib.util.find_spec(name) is None]:
        raise SystemExit(f"benchmarks/{file} compares with PyTorch; not installed here: {', '.join(missing)}; run `make bench`")
    record = run(args.threads, args.quick)
    show(record)
    if args.json:
        Path(args.json).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    command(__doc__, "rate.py", ("torch", "spikingjelly", "snntorch"), run, show)
