"""Several methods on one model, with equal data, time steps, readout and epochs: the runs, their results, and one table of them."""

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import _files, checkpoint, learning, training
from . import rate
from .operations import multiply_adds

METHODS = tuple(name for name, rule in training.METHODS.items() if rule.family == "rate")
# Student's t, 97.5 %, 1 to 30 degrees of freedom
T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101,
        2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)


class Job(NamedTuple):
    """One run of a comparison."""

    name: str           # of its files, without the ending
    method: str
    settings: object
    seed: int
    at: tuple           # numbers of steps that it is evaluated at; of the plain ReLU network none


def plan(data, methods, steps, seeds, chosen):
    """List the runs of a comparison.

    Parameters
    ----------
    data : str
        Name of the data set.
    methods : sequence of str
        Some of METHODS.
    steps : sequence of int
        Numbers of steps; most methods train anew for each, conversion trains once and is evaluated at each, ann has none.
    seeds : sequence of int
        Seeds.
    chosen : dict
        Settings by name, for every method that has them; or by method.name, for that one, stronger.

    Returns
    -------
    list of Job
        Method by method.

    Raises
    ------
    ValueError
        If methods, steps or settings are unknown, no method has a setting, or n_steps is among the settings.
    """
    if unknown := [m for m in methods if m not in METHODS and ".py:" not in m]:
        raise ValueError(f"methods: expected some of {', '.join(METHODS)}, got {unknown[0]!r}")
    if len(set(methods)) < len(methods) or not methods or len(set(steps)) < len(steps) or not steps:
        raise ValueError("methods, steps: expected at least one of each, none twice, got "
                         f"{' '.join(methods)} and {' '.join(map(str, steps))}")
    rules = {m: learning.get(m) for m in methods}
    if other := [m for m in methods if rules[m].family != "rate"]:
        raise ValueError(f"methods: expected learning rules of the family rate, got {other[0]} of the family {rules[other[0]].family!r}")
    names = {m: {f.name for f in fields(rule.Settings)} for m, rule in rules.items()}
    for key in chosen:
        method, dot, name = key.rpartition(".")
        if dot and method not in names:
            raise ValueError(f"setting {key!r}: {method} is not among the methods compared, {', '.join(names)}")
        if not any(name in known for m, known in names.items() if m == (method or m)):
            who = f"{method} has" if dot else f"{' or '.join(names)} has"
            raise ValueError(f"unknown setting {key!r}: expected one that {who}")
        if name == "n_steps":
            raise ValueError(f"setting {key!r}: expected the numbers of time steps (--steps) to say that, and once")
    jobs = []
    for m in methods:
        mine = {k: v for k, v in chosen.items() if k in names[m]} | {k[len(m) + 1:]: v for k, v in chosen.items() if k.startswith(f"{m}.")}
        if data in rules[m].best and "model" in names[m]:        # equal terms: the model that all have, not one method's best
            mine = {"model": rules[m].data_settings.get(data, {}).get("model", rules[m].Settings.model)} | mine
        anew = "n_steps" in names[m] and rules[m].trains_with_steps
        for t in steps if anew else [max(steps)] if "n_steps" in names[m] else [None]:
            s = rules[m].settings_for(data, **mine | ({} if t is None else {"n_steps": t}))
            tag, at = (f"-T{t}", (t,)) if anew else ("", tuple(sorted(steps)) if t else ())
            name = _files.short(m)
            jobs += [Job(f"{name.replace('.py:', '.')}{tag}-seed{seed}", name, s, seed, at) for seed in seeds]
    return jobs


def begin(job, folder, data):
    """Load a job's run where there is one, or begin it.

    A conversion trains without time steps, so that its run serves whatever numbers of steps it is evaluated at.

    Parameters
    ----------
    job : Job
        From `plan`.
    folder : Path
        Where checkpoints are.
    data : dict
        What a run remembers about its data.

    Returns
    -------
    pysnn.training.Run
        The run as it stands.

    Raises
    ------
    pysnn.checkpoint.CheckpointError
        If what is there is another run.
    """
    path = Path(folder) / f"{job.name}.npz"
    if not path.is_file():
        return training.start(job.method, job.settings, job.seed, data)
    run = training.load(path)
    there = {"method": run.method, "seed": run.seed, **run.data, **run.nets.settings.plain()}
    here = {"method": job.method, "seed": job.seed, **data, **job.settings.plain()}
    matter = [name for name in here if name != "n_steps" or run.rule.trains_with_steps]
    if differ := [f"{name} {there.get(name)} there, {here[name]} here" for name in matter if there.get(name) != here[name]]:
        raise checkpoint.CheckpointError(f"{path}: is of another comparison ({'; '.join(differ)}); give the same, or another --out")
    return run


def evaluate(job, run, folder, samples, on):
    """Evaluate a finished run, or read what an earlier call wrote.

    Parameters
    ----------
    job : Job
        From `plan`.
    run : pysnn.training.Run
        The finished run.
    folder : Path
        Where results are kept, NAME.json.
    samples : (x, y)
        Samples and labels.
    on : str
        What they are: test or validation.

    Returns
    -------
    dict
        method, seed, train_seconds, and rows: for each number of steps (None: the ReLU network) a dict of n_steps; accuracy, strict,
        inclusive, by_potential, relu, see `pysnn.evaluation.rate.evaluate`; spikes and additions a sample, and multiply_adds. key tells
        what all this is about.
    """
    path = Path(folder) / f"{job.name}.json"
    key = {"on": on, "n": len(samples[1]), "at": list(job.at), "data": run.data, "settings": job.settings.plain(), "seed": job.seed,
           "epoch": run.epoch, "sha256": digest(run.nets), "pysnn": training.versions()["pysnn"]}
    try:
        stored = json.loads(path.read_text())
        if stored["key"] == key:
            return stored
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    rows, macs = [], multiply_adds(job.settings.model)
    for t in job.at or (None,):
        nets = run.nets if t is None or t == run.nets.settings.n_steps else _with_steps(run.nets, t)
        e = rate.evaluate(nets, *samples, steps=[t or 1])
        rows.append({"n_steps": t, **{k: e[k] for k in ("accuracy", "strict", "inclusive")}, "by_potential": e.get("by_potential"),
                     "relu": e.get("relu"), "spikes": sum(e["spikes"]) if t else None,
                     "additions": sum(e["additions"]) if t else None, "multiply_adds": macs[0] if t else sum(macs)})
    result = {"key": key, "method": job.method, "seed": job.seed, "rows": rows, "train_seconds": sum(r["seconds"] for r in run.records)}
    _files.write_text(path, json.dumps(result, indent=1) + "\n")
    return result


def digest(nets):
    """Return the SHA-256 of parameters and state.

    Parameters
    ----------
    nets : tuple
        From `build` of a learning rule.

    Returns
    -------
    str
        In hexadecimal digits; equal where all bits are.
    """
    digest = hashlib.sha256()
    for name, x in sorted({**nets.net.params, **{f"state/{name}": x for name, x in nets.state.items()}}.items()):
        digest.update(f"{name} {x.dtype} {x.shape} ".encode() + np.ascontiguousarray(x).tobytes())
    return digest.hexdigest()


def _with_steps(nets, n_steps):
    """Return networks that run for another number of steps."""
    return nets._replace(snn=rate.with_steps(nets.snn, n_steps), settings=replace(nets.settings, n_steps=n_steps))


def table(results):
    """Put the runs of a comparison together, method by method and number of steps by number of steps.

    Parameters
    ----------
    results : list of dict
        From `evaluate`.

    Returns
    -------
    list of dict
        method, n_steps, n_seeds; of accuracy, strict, by_potential, spikes, additions and multiply_adds the mean, and of accuracy also
        std (None of one seed) and ci95: half the 95 % interval of the mean by Student's t; seconds: mean time of training.
    """
    groups = {}
    for result in results:
        for row in result["rows"]:
            groups.setdefault((result["method"], row["n_steps"]), []).append({**row, "seconds": result["train_seconds"]})
    lines = []
    for (method, n_steps), rows in groups.items():
        means = {k: None if rows[0][k] is None else float(np.mean([row[k] for row in rows]))
                 for k in ("accuracy", "strict", "by_potential", "spikes", "additions", "multiply_adds", "seconds")}
        lines.append({"method": method, "n_steps": n_steps, "n_seeds": len(rows), **means, **deviation([row["accuracy"] for row in rows])})
    return lines


def deviation(values):
    """Say how far values lie apart, and how well their mean is known.

    Parameters
    ----------
    values : sequence of float
        One a seed.

    Returns
    -------
    dict
        std: standard deviation, n - 1 in the denominator; ci95: half the 95 % interval of the mean; both None of one value.
    """
    n = len(values)
    if n < 2:
        return {"std": None, "ci95": None}
    std = float(np.std(values, ddof=1))
    quantile = T_95[n - 2] if n <= 31 else 1.96 * (1 + (1.96 ** 2 + 1) / (4 * (n - 1)))
    return {"std": std, "ci95": quantile * std / n ** 0.5}


def curves(rows):
    """Turn the table into curves over the number of steps, and lines without.

    Parameters
    ----------
    rows : list of dict
        From `table`.

    Returns
    -------
    curves : dict of str to (steps, accuracy, std)
        By method.
    upper : dict of str to (float, float)
        Accuracy and standard deviation of the ReLU network, and of other methods without time steps.
    """
    lines, upper = {}, {}
    for row in rows:
        if row["n_steps"] is None:
            upper["ReLU network (ann)" if row["method"] == "ann" else row["method"]] = (row["accuracy"], row["std"] or 0.0)
        else:
            line = lines.setdefault(row["method"], ([], [], []))
            for values, value in zip(line, (row["n_steps"], row["accuracy"], row["std"] or 0.0), strict=True):
                values.append(value)
    return {name: tuple(np.array(v)[np.argsort(line[0])] for v in line) for name, line in lines.items()}, upper
