"""Time a training step of EventProp on Yin-Yang, 4-200-3 and a bias spike, against the public codes: jaxsnn and two in PyTorch.

Run: make bench      or: python benchmarks/event_prop.py [--json FILE] [--threads N] [--quick]

How it measures. Every contender lives in a process of its own, jaxsnn's in the environment .venv-jax (without it that row is left out, and
the record says so). They take turns, in random order in each round: a step that is not timed, then as many as take half a second (slower
ones: a single step, timed). A figure is the median over rounds of a round's mean step; a ratio is the median over rounds of the ratios
within a round. A step is forward, loss, backward and Adam on spike times in memory; jaxsnn's is compiled before. All have pysnn's weights
and input times, tau_m = 2 tau_s (jaxsnn knows 1 and 2) and the loss of the outputs' first spikes: `many` with about as many spikes a
neuron as the preset for Yin-Yang has, `one` with one at most. jaxsnn computes a fixed number of events for a layer; it gets the least that
these samples need, and runs once more on one thread, which can be faster. exact-event-adjoint's trains take few samples of the batch, and
their time is extrapolated. First spikes and gradients are compared with ours before anything is timed. exact-event-adjoint looks for a
spike only where the potential is above the threshold at an input or a fixed time after one, and misses some: the record says how many.
"""

import datetime
import os
import subprocess
import sys
import time
from multiprocessing import Pipe
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pysnn import _threads, datasets, training
from pysnn.learning import temporal

sys.path.insert(0, str(Path(__file__).parent))
import rate
from _event_contenders import TAU_M, Contender, Job, begin
from temporal import RECORDED, THREAD_VARIABLES, machine

HERE = Path(__file__).resolve().parent
JAX = HERE.parent / ".venv-jax/bin/python"
PRESET = Contender("pysnn, preset: biases in both layers, tau_m = 4, maxima of potentials", "pysnn")
OURS = Contender("pysnn", "pysnn")
TOLERANCE = 0.02        # of gradients, norm of the difference over the norm, and of first spikes: float32, and spikes near tangents
COUNT_TOLERANCE = 1e-3  # of the hidden spikes: near a tangent rounding decides
FULL = {"hidden": 200, "batch": 50, "n_batches": 4, "rounds": 11, "turn": 0.5, "pause": 0.2, "few": 4, "skip": ()}
QUICK = {"hidden": 12, "batch": 6, "n_batches": 2, "rounds": 2, "turn": 0.0, "pause": 0.0, "few": 2,
         "skip": ("jaxsnn 1", "one jaxsnn")}


class Task(NamedTuple):
    """How often neurons fire."""

    name: str
    n_spikes: int           # of a neuron at most
    activity: float | None  # spikes a hidden neuron, by the choice of the weights; None: those of the preset
    peers: dict             # name: Contender


def _jaxsnn(v_reset):
    return {"jaxsnn": Contender("jaxsnn, EventProp", "jaxsnn", {"v_reset": v_reset}),
            "jaxsnn 1": Contender("jaxsnn, EventProp, on one thread", "jaxsnn", {"v_reset": v_reset, "threads": 1})}


TASKS = (
    Task("many", 30, None, {
        **_jaxsnn(0.0),
        "adjoint": Contender("exact-event-adjoint, ExactAdjointMultiSpike, from few samples", "exact-event-adjoint",
                             {"layer": "ExactAdjointMultiSpike", "trains": True})}),
    Task("one", 1, 0.95, {
        **_jaxsnn(-1000.0),                                              # as in its example: too low to fire again
        "adjoint": Contender("exact-event-adjoint, ExactAdjointLinear", "exact-event-adjoint", {"layer": "ExactAdjointLinear"}),
        "exact-snn": Contender("exact-snn-nn, ExactEventLinear", "exact-snn-nn", {"layer": "ExactEventLinear"})}),
)


def inputs(sizes):
    """Return batches of Yin-Yang as points and as spike times with the bias spike, and the preset's spikes a hidden neuron."""
    data, run = datasets.load("yin-yang"), begin({"model": f"4-{sizes['hidden']}-3"})
    n, settings = sizes["batch"], run.nets.settings
    batches = [(data.x_train[i:i + n], data.y_train[i:i + n]) for i in range(0, n * sizes["n_batches"], n)]
    spikes = np.mean([run.rule.gradients(run.nets, x, y).stats["spikes"][0] for x, y in batches])
    times = [(np.log(temporal.encode_batch(run.nets, x)), y) for x, y in batches]
    return batches, [(np.column_stack([t, np.full(len(t), settings.t_bias, t.dtype)]), y) for t, y in times], float(spikes)


def spike_times(run, t):
    """Return the spike times (B, n, K) of both layers."""
    return run.nets.net.forward(np.ascontiguousarray(t[:, :, None]))[0]


def network(task, sizes, batches, activity):
    """Return the settings with which the hidden neurons fire about as often as asked, and what then fires in a sample."""
    found = []
    for mean in np.arange(3, 20.25, 0.25):
        settings = {"model": f"5-{sizes['hidden']}-3", "bias": False, "code": "times", "readout": "first", "tau_m": TAU_M,
                    "n_spikes": task.n_spikes, "init_mean": float(mean)}
        fired = [np.isfinite(layer).sum(axis=2) for layer in spike_times(begin(settings), np.concatenate([t for t, _ in batches]))]
        found.append((abs(fired[0].mean() - activity), settings, fired))
    return min(found, key=lambda each: each[0])[1:]


def start(jobs):
    """Start the contenders, one process each; return our ends of the pipes, the processes, and the versions."""
    pipes, processes, versions = {}, [], {}
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
    for name, job in jobs.items():
        pipes[name], theirs = Pipe()
        python = JAX if job.contender.kind == "jaxsnn" else sys.executable
        processes.append(subprocess.Popen([python, "-c", f"import _event_contenders; _event_contenders.serve({theirs.fileno()})"],
                                          pass_fds=[theirs.fileno()], env=environment))
        theirs.close()
        pipes[name].send(job)
    for name in pipes:
        versions |= rate.answer(pipes, name)
    return pipes, processes, versions


def compare(pipes, jobs):
    """Compare first spikes and gradients with ours, on the same weights; assert what must agree."""
    rows = []
    for name in (name for name in pipes if jobs[name].contender.kind != "pysnn"):
        n = jobs[name].contender.options.get("samples", len(jobs[name].batches[0][1]))
        ours, theirs = (rate.answer(pipes, who, "check", n) for who in ("pysnn", name))
        assert np.isfinite(ours["first"]).any() and all(np.any(ours[w]) for w in ("w1", "w2")), "a dead net says nothing"
        both = np.isfinite(ours["first"]) & np.isfinite(theirs["first"])
        apart = {w: float(np.linalg.norm(ours[w] - theirs[w]) / np.linalg.norm(ours[w])) for w in ("w1", "w2")}
        rows.append({"peer": name, "samples": n, "hidden_spikes": theirs["hidden"], "hidden_spikes_ours": ours["hidden"],
                     "only_one_fires": int((np.isfinite(ours["first"]) != np.isfinite(theirs["first"])).sum()),
                     "first": float(np.abs(ours["first"][both] - theirs["first"][both]).max()), "loss": theirs["loss"],
                     "loss_ours": float(ours["loss"]), **apart})
        misses = jobs[name].contender.kind == "exact-event-adjoint"
        same = abs(theirs["hidden"] / ours["hidden"] - 1) < COUNT_TOLERANCE and not rows[-1]["only_one_fires"]
        same &= max(rows[-1]["first"], *apart.values()) < TOLERANCE
        assert same or (misses and 0.8 * ours["hidden"] < theirs["hidden"] <= ours["hidden"]), f"pysnn and {name} differ: {rows[-1]}"
    return rows


def measure(pipes, rounds, turn, pause):
    """Let the contenders take turns; return seconds a step, (rounds,) for each, and how many steps a turn has."""
    rng, seconds = np.random.default_rng(0), {name: [] for name in pipes}
    steps = {name: int(np.clip(turn / rate.answer(pipes, name, "time", 2)[1], 1, 50)) for name in pipes}
    for _ in range(rounds):
        for name in rng.permutation(list(pipes)):
            time.sleep(pause)                                            # threads of the one before stop spinning
            first, *others = rate.answer(pipes, name, "time", steps[name] + (steps[name] > 1))
            seconds[name].append(float(np.mean(others or [first])))
    return {name: np.array(s) for name, s in seconds.items()}, steps


def measured(task, sizes, threads, given):
    """Time the contenders on one task; return a section of the record, and versions."""
    points, batches, activity = given
    settings, fired = network(task, sizes, batches, activity if task.activity is None else task.activity)
    total, of_out = (layer.sum(axis=1) for layer in fired)
    n_events = int(total.max()) + batches[0][0].shape[1], int((total + of_out).max())
    jobs = {"pysnn": Job(OURS, settings, begin(settings).nets.net.params, batches, n_events, threads)}
    if task.activity is None:
        jobs["preset"] = Job(PRESET, {"model": f"4-{sizes['hidden']}-3"}, {}, points, n_events, threads)
    for name, c in task.peers.items():
        if {name, f"{task.name} {name}"} & set(sizes["skip"]) or (c.kind == "jaxsnn" and not JAX.is_file()):
            continue
        more = {"n_spikes": int(fired[0].max()), "samples": sizes["few"]} if c.options.get("trains") else {}
        jobs[name] = jobs["pysnn"]._replace(contender=c._replace(options=c.options | more))
    pipes, processes, versions = start(jobs)
    checks = compare(pipes, jobs)
    seconds, steps = measure(pipes, sizes["rounds"], sizes["turn"], sizes["pause"])
    rate.stop(pipes, [])
    for process in processes:
        process.wait()
    seen = {"pysnn": (float(fired[0].mean()), None), "preset": (activity, None)}
    seen |= {c["peer"]: (c["hidden_spikes"] / c["samples"] / sizes["hidden"], max(c["w1"], c["w2"])) for c in checks}
    rows = [row_of(name, job, seconds, seen[name]) | {"steps": steps[name]} for name, job in jobs.items()]
    return {"name": task.name, "n_spikes": task.n_spikes, "init_mean": settings["init_mean"], "tau_m": TAU_M,
            "left_out": [] if JAX.is_file() else ["jaxsnn: it has an environment of its own, .venv-jax, which is not here"],
            "spikes_most": int(fired[0].max()), "spikes_out": float(fired[1].mean()), "n_events": n_events, "rows": rows, "checks": checks,
            "fastest": min((row for row in rows if row["name"] in task.peers), key=lambda row: row["s"])["name"]}, versions


def row_of(name, job, seconds, seen):
    """Make a row of the table; ratio: their seconds over ours, within a round."""
    q1, median, q3 = (float(q) for q in np.quantile(seconds[name], (0.25, 0.5, 0.75)))
    r1, ratio, r3 = (float(q) for q in np.quantile(seconds[name] / seconds["pysnn"], (0.25, 0.5, 0.75)))
    c = job.contender
    room = begin(job.settings).nets.settings.n_spikes if c.kind == "pysnn" else c.options.get("n_spikes", 1)
    return {"name": name, "what": c.text, "room": "{} and {} events".format(*job.n_events) if c.kind == "jaxsnn" else str(room),
            "spikes": seen[0], "apart": seen[1], "samples": c.options.get("samples"), "s": median, "s_quartiles": [q1, q3], "ratio": ratio,
            "ratio_quartiles": [r1, r3], "s_rounds": [round(s, 6) for s in seconds[name].tolist()]}


def run(threads=2, quick=False):
    """Measure everything; return the record."""
    began, environment = time.perf_counter(), {k: v for k, v in os.environ.items() if k.startswith(RECORDED)}
    sizes, where, sections, versions = (QUICK if quick else FULL), machine(), [], {}
    os.environ.update(dict.fromkeys((*THREAD_VARIABLES, "NUMBA_NUM_THREADS"), str(threads)))     # for the processes to come
    _threads.set_threads(threads)
    given = inputs(sizes)
    for task in TASKS:
        section, more = measured(task, sizes, threads, given)
        sections.append(section)
        versions |= more
    return {"what": "a training step of EventProp on Yin-Yang", "command": "make bench", "date": datetime.date.today().isoformat(),
            "machine": where, "cpu": f"{where['cpu']}, {where['cores']} cores", "environment": environment,
            "versions": training.versions() | versions, "threads": threads, **sizes, "spikes_of_preset": given[2], "sections": sections,
            "seconds": time.perf_counter() - began}


def show(record):
    """Print the tables."""
    print(f"\n4 inputs and a bias spike-{record['hidden']}-3, batch {record['batch']}, float32, {record['threads']} threads, "
          f"{record['rounds']} rounds in turns; median and quartiles")
    for s in record["sections"]:
        print(f"\n{s['name']}: a neuron fires at most {s['n_spikes']} times\n{'ms a step':>31}{'ratio to ours':>22}{'hidden spikes':>16}")
        for r in s["rows"]:
            print(f"{1e3 * r['s']:10.1f}  {'{:.1f} - {:.1f}'.format(*(1e3 * q for q in r['s_quartiles'])):>20}{r['ratio']:9.1f}  "
                  f"{'{:.1f} - {:.1f}'.format(*r['ratio_quartiles']):>16}{r['spikes']:9.2f}   {r['what']}, room for {r['room']}")
        for c in s["checks"]:
            print(f"{c['peer']}: {c['hidden_spikes']} hidden spikes, ours {c['hidden_spikes_ours']}; first spikes of outputs apart "
                  f"{c['first']:.0e}; gradients {c['w1']:.0e}, {c['w2']:.0e}")
        times = next(r["ratio"] for r in s["rows"] if r["name"] == s["fastest"])
        print(f"pysnn is {times:.1f} times as fast as the fastest, {s['fastest']}")
        for text in s["left_out"]:
            print(f"left out: {text}")
    if record["machine"]["load"] > 0.3:
        print(f"\nWARNING: other programs were running (load {record['machine']['load']:.1f}): these figures are not to be quoted")


if __name__ == "__main__":
    rate.command(__doc__, "event_prop.py", ("torch", "exact_event_adjoint", "exact_snn"), run, show)
