"""Rebuild what docs/benchmarks.md and docs/scaling.md take from the records in docs/results: tables, machine and command of each.

Run: python docs/_ext/benchmarks.py            rewrites what stands between <!-- record NAME --> and <!-- end -->
"""

import importlib.util
import json
import math
import re
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
PAGE, SCALING = HERE / "benchmarks.md", HERE / "scaling.md"
NAMES = ("temporal", "rate", "deep", "time", "memory")
LIBRARIES = {"python": "Python", "numpy": "NumPy", "numba": "Numba", "torch": "PyTorch", "spikingjelly": "SpikingJelly",
             "snntorch": "snnTorch"}
AXES = {"n_steps": "T", "hidden": "hidden neurons", "rate": "share of inputs that spike",
        "width": "channels", "activity": "spikes a step", "batch": "batch"}


def record(name):
    """Read one record; its command becomes a line.

    Parameters
    ----------
    name : str
        temporal, rate, deep, time or memory.

    Returns
    -------
    dict
        The record.
    """
    data = json.loads((HERE / f"results/benchmark-{name}.json").read_text(encoding="utf-8"))
    if not isinstance(data["command"], str):
        data["command"] = " ".join(["pysnn", *data["command"]])
    return data


def records():
    """Return all records, in the order of the page."""
    return [record(name) for name in NAMES]


def _tables():
    """Load the module that makes the tables of the results page."""
    spec = importlib.util.spec_from_file_location("tables", HERE / "results/tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured(data, name):
    """Say how a record came about: command, machine, versions, date."""
    machine = data.get("machine", {})
    threads = f"{data['threads']} threads on " if "threads" in data else ""
    load = f", load {machine['load']:.2f} before the start" if machine else ""
    versions = ", ".join(f"{label} {data['versions'][key]}" for key, label in LIBRARIES.items() if data["versions"].get(key))
    took = f"; the measurement took {data['seconds'] / 60:.0f} min" if "seconds" in data else ""
    return [f"- **Command**: `{data['command']}` ([record](results/benchmark-{name}.json))",
            f"- **Machine**: {threads}{data['cpu']}, {data['versions']['machine']}{load}",
            f"- **Versions**: pysnn {data['versions']['pysnn']}, {versions}",
            f"- **Date**: {data['date']}{took}"]


def growth_temporal(data):
    """Time a synapse and sample, as each size is doubled."""
    rows = ["| inputs | B x N_in x N_out | forward, ps | step, ps |", "|---|---|---|---|"]
    for g in data["growth"]:
        shape = [f"**{n}**" if axis == g["axis"] else str(n) for axis, n in zip(("B", "N_in", "N_out"), g["shape"], strict=True)]
        rows.append(f"| {g['inputs']} | {' x '.join(shape)} | {1000 * g['forward_ns']:.1f} | {1000 * g['step_ns']:.1f} |")
    return rows


def growth_rate(data):
    """Time of spiking inference, as steps, width, activity and batch grow."""
    rows = ["| what grows | T | channels | spikes a step | batch | s | multiply-adds a second, 1e9 |", "|---|---|---|---|---|---|---|"]
    return rows + [f"| {AXES[g['axis']]} | {g['n_steps']} | {g['width']} | {g['activity']:g} | {g['batch']} | {g['s']:.3f} "
                   f"| {g['gmac_s']:.0f} |" for g in data["growth"]]


def deep_steps(data):
    """A training step of the recipe for images, model by model."""
    lines = []
    for s in data["sections"]:
        head = f"| `{s['model']}`, batch {s['batch']}, T = {s['n_steps']} | s a step | min an epoch | ratio | peak MiB |"
        lines += ["", head, "|---" * 5 + "|"]
        minutes = s["steps_an_epoch"] / 60
        lines += [f"| {row['what']}{'' if row['went_on'] else ' (pilot round)'} | {row['s']:.3f} | {row['s'] * minutes:.1f} "
                  f"| {row['ratio']:.2f} | {row['peak_mib']:.0f} |" for row in s["rows"]]
        limit = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in s["limit"].items())
        lines += ["", f"At the rate of the bare products: {limit}."]
    return lines[1:]


def time_steps(data):
    """A training step of networks with time, task by task."""
    lines = []
    for s in data["sections"]:
        sizes, given = "-".join(map(str, s["sizes"])), f"{s['rate']:.0%} of the inputs spike" if s["rate"] else "constant input"
        lines += ["", f"| `{s['name']}`: {sizes}, T = {s['n_steps']}, batch {s['batch']}, {given} | ms a step | ratio | peak MiB |",
                  "|---" * 4 + "|"]
        lines += [f"| {row['what']}{'' if row['went_on'] else ' (pilot rounds)'} | {1e3 * row['s']:.1f} | {row['ratio']:.2f} "
                  f"| {row['peak_mib']:.0f} |" for row in s["rows"]]
        names, limit = {row["name"]: row["what"] for row in s["rows"]}, s["limit"]
        lines += ["", f"pysnn is {s['times_faster']:.1f} times as fast as the fastest that is written as its users write it "
                  f"({names[s['peer']]}) and {s['times_faster_hoisted']:.1f} times as fast as the fastest with products taken out of the "
                  f"loop ({names[s['hoisted']]}). Limits: the bare products, {1e3 * limit['products_s']:.1f} ms; what must be "
                  f"written and read, at 10 GB a second, {1e3 * limit['bytes_s']:.1f} ms."]
    return lines[1:]


def growth_time(data):
    """Time and peak memory of our step as one size grows."""
    rows = ["| what grows | value | ms a step | peak of the process so far, MiB |", "|---|---|---|---|"]
    return rows + [f"| {AXES[g['axis']]} | {g['value']:g} | {1e3 * g['s']:.1f} | {g['peak_mib']:.0f} |" for g in data["growth"]]


def mpi_steps(data):
    """Time of a training step in one piece, in chunks, and in chunks that processes share."""
    rows = ["| network | processes x threads | chunks | ms a step | of it to add up | MB received |", "|---" * 6 + "|"]
    for r in data["rows"]:
        shared = f"{r['ms_sum']:.2f} | {r['mb_received']:.1f}" if r["ranks"] > 1 else "- | -"
        rows.append(f"| {r['name']} | {r['ranks']} x {r['threads']} | {r['chunks'] or 'one piece'} | {r['ms']:.1f} | {shared} |")
    return [*rows, "", f"The head of a chunk takes {data['ms_a_head']:.3f} ms to unpickle and join. Measured by `{data['command']}` on "
            f"{data['cpu']}, load {data['load']:.1f} before the start, {data['date']}, "
            f"pysnn {data['versions']['pysnn']}, NumPy {data['versions']['numpy']}. "
            "More processes than cores take turns."]


def mpi_model(data):
    """Estimate what it takes to move and add the gradients of one chunk each, by the formulae of the page."""
    rows, size = ["| processes | MB received a step | InfiniBand, ms | Ethernet, ms | heads, ms |", "|---" * 5 + "|"], 2.5e6
    for n in (4, 16, 64, 256, 1000):
        received, rounds = 2 * size * (n - 1) / n, math.ceil(math.log2(n))
        took = [1e3 * ((n - 1 + 3 * rounds) * message + received * byte) for message, byte in ((2e-6, 1e-10), (2e-5, 1e-9))]
        rows.append(f"| {n} | {received / 1e6:.1f} | {took[0]:.2f} | {took[1]:.1f} | {n * data['ms_a_head']:.1f} |")
    return rows


def long_rows(data):
    """Memory and time of one epoch, case by case."""
    rows = ["| case | method | model | samples | batch | s an epoch | MiB before | MiB at most |", "|---" * 8 + "|"]
    return rows + [f"| {r['name']} | {r['method']} | {r['settings']['model']} | {r['samples']:,} | {r['settings']['batch']} "
                   f"| {r['seconds']:.1f} | {r['mib_before']} | {r['mib']} |" for r in data["rows"]] + [
        "", f"Measured by `{data['command']}` on {data['cpu']}, {data['date']}."]


def scaling():
    """Return the lines of each marked part of docs/scaling.md."""
    mpi, long = (json.loads((HERE / f"results/{name}.json").read_text(encoding="utf-8")) for name in ("mpi", "long"))
    return {"mpi": mpi_steps(mpi), "model": mpi_model(mpi), "long": long_rows(long)}


def parts():
    """Return the lines of each marked part of the page.

    Returns
    -------
    dict of str to list of str
    """
    tables, (temporal, rate, deep, steps, memory) = _tables(), records()
    return {"temporal-how": measured(temporal, "temporal"), "temporal": tables.speed(), "temporal-growth": growth_temporal(temporal),
            "rate-how": measured(rate, "rate"), "rate": tables.rate_speed(), "rate-growth": growth_rate(rate),
            "deep-how": measured(deep, "deep"), "deep": deep_steps(deep), "time-how": measured(steps, "time"),
            "time": time_steps(steps), "time-growth": growth_time(steps), "memory-how": measured(memory, "memory"),
            "memory": [f"Peak: {memory['peak_mib']:.0f} MiB; the limit set for it is {memory['limit_mib']:,} MiB."]}


def page(file=PAGE, parts=parts):
    """Return a page as it should read."""
    made = parts()
    return re.sub(r"(<!-- record ([\w-]+) -->\n).*?(<!-- end -->)", lambda m: m[1] + "\n" + "\n".join(made[m[2]]) + "\n\n" + m[3],
                  file.read_text(encoding="utf-8"), flags=re.S)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCALING.write_text(page(SCALING, scaling), encoding="utf-8")
