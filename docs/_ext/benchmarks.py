"""Rebuild what docs/benchmarks.md takes from the records, docs/results/benchmark-*.json: tables, machine and command of each.

Run: python docs/_ext/benchmarks.py            rewrites what stands between <!-- record NAME --> and <!-- end -->
"""

import importlib.util
import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
PAGE = HERE / "benchmarks.md"
NAMES = ("temporal", "rate", "deep", "memory")
LIBRARIES = {"python": "Python", "numpy": "NumPy", "numba": "Numba", "torch": "PyTorch", "spikingjelly": "SpikingJelly",
             "snntorch": "snnTorch"}
AXES = {"n_steps": "T", "width": "channels", "activity": "spikes a step", "batch": "batch"}


def record(name):
    """Read one record; its command becomes a line.

    Parameters
    ----------
    name : str
        temporal, rate, deep or memory.

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


def parts():
    """Return the lines of each marked part of the page.

    Returns
    -------
    dict of str to list of str
    """
    tables, (temporal, rate, deep, memory) = _tables(), records()
    return {"temporal-how": measured(temporal, "temporal"), "temporal": tables.speed(), "temporal-growth": growth_temporal(temporal),
            "rate-how": measured(rate, "rate"), "rate": tables.rate_speed(), "rate-growth": growth_rate(rate),
            "deep-how": measured(deep, "deep"), "deep": deep_steps(deep), "memory-how": measured(memory, "memory"),
            "memory": [f"Peak: {memory['peak_mib']:.0f} MiB; the limit set for it is {memory['limit_mib']:,} MiB."]}


def page():
    """Return the page as it should read."""
    made = parts()
    return re.sub(r"(<!-- record ([\w-]+) -->\n).*?(<!-- end -->)", lambda m: m[1] + "\n" + "\n".join(made[m[2]]) + "\n\n" + m[3],
                  PAGE.read_text(encoding="utf-8"), flags=re.S)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
