"""Rebuild the tables of docs/results.md and README.md from the records, docs/results/*.json.

Run: python docs/results/tables.py            rewrites what stands between <!-- table NAME --> and <!-- end -->
     python docs/results/tables.py --check    says whether anything would change (exit code 1)
"""

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
PAGES = (HERE.parent / "results.md", HERE.parent / "derivations/tandem.md", HERE.parent / "cuda.md", HERE.parent / "conformance.md",
         HERE.parent / "teach/index.md", HERE.parent.parent / "README.md")
LABELS = {"mnist-ours": "MNIST 784-800-10, `ours`", "mnist-still": "the same, images not shifted (seed 0 ships)",
          "mnist-authors": "MNIST 784-800-10, `authors`, spikes lost in training", "mnist-authors-before": "the same, K = 100, none lost",
          "fashion-ours": "Fashion-MNIST 784-800-10, `ours`", "yin-yang-ours": "Yin-Yang 5-200-3, `ours`"}
EXACT = {"mnist-conv": "MNIST, two convolutions 5 x 5, `28x28x1-16c5-N-P2-32c5-N-P2-10`",
         "mnist-conv-three": "MNIST, three convolutions 3 x 3, `28x28x2-32c3-N-P2-64c3-N-P2-128c3-N-P2-10`",
         "fashion-conv": "Fashion-MNIST, two convolutions, bright and dark channels", "fashion-conv-wide": "the same, 32 and 64 channels",
         "fashion-conv-three": "Fashion-MNIST, three convolutions 3 x 3, `28x28x2-40c3-N-P2-80c3-N-P2-160c3-N-P2-10`",
         "cifar10-conv": "CIFAR-10, three convolutions 3 x 3, `32x32x6-48c3-N-P2-96c3-N-P2-192c3-N-P2-10`",
         "yin-yang-5-delays": "Yin-Yang, 5 hidden, delays of synapses", "yin-yang-30-delays": "Yin-Yang, 30 hidden, delays of synapses",
         "yin-yang-30": "Yin-Yang, 30 hidden, weights alone", "yin-yang-leaky-equal": "Yin-Yang, 60 hidden, `leaky_equal`",
         "yin-yang-leaky-double": "Yin-Yang, 60 hidden, `leaky_double`", "yin-yang-alpha": "Yin-Yang, 60 hidden, `alpha`",
         "yin-yang-eventprop": "Yin-Yang, 200 hidden, EventProp",
         "yin-yang-5-delays-bounded": "first try: 5 hidden, delays, gradients bounded",
         "yin-yang-30-delays-bounded": "first try: 30 hidden, delays", "yin-yang-30-bounded": "first try: 30 hidden, weights alone"}
PROXY = {"proxy-fashion-mnist": "Fashion-MNIST, `fashion-proxy:32`", "proxy-cifar10": "CIFAR-10, `cifar-vgg:16`"}
TIME = {"mnist1d-conv": "MNIST-1D as a line of 40 points: three convolutions, T = 6",
        "japanese-vowels": "JapaneseVowels: 256 recurrent neurons, changes as channels, smoothed labels",
        "japanese-vowels-noise": "the same, without changes and smoothing, noise in training",
        "japanese-vowels-before": "the same, without all of this, 128 neurons, largest potential",
        "mnist-leaky": "MNIST, 784-1000-10, T = 25, the network of snnTorch's tutorial"}
STEPS = (1, 2, 4, 8, 15, 30, 60)
SEEDS = {"mnist-authors-before": (3, 4, 5)}     # the other seeds' test figures had a part in choosing the preset


def load(name):
    """Return a record, or None."""
    path = HERE / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def spread(values):
    """Write mean and standard deviation of accuracies in percent."""
    values = 100 * np.array(values)
    return f"{values.mean():.2f}" + (f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else "")


def exact(names=tuple(EXACT)):
    """Test accuracy of convolutions and delays."""
    return accuracy({name: EXACT[name] for name in names})


def limits():
    """How far neurons are apart where one becomes another."""
    rows = ["| neuron | against | at | difference of spike times: median | largest | only one fires |", "|---|---|---|---|---|---|"]
    for r in load("limits")["rows"]:
        for k, f in enumerate(r["found"]):
            at = f["at"] if isinstance(f["at"], str) else f"{r['quantity'].split()[0]} = {f['at']:g}" if r["quantity"] != "-" else "-"
            first = "|  | " if k else f"| {r['what']} | {r['against']}"
            rows.append(f"{first} | {at} | {f['median']:.1e} | {f['apart']:.1e} | {f['alone']} |")
    return rows


def alpha():
    """The public weights of another paper by the neuron with alpha synapses."""
    rows = ["| network | the paper, % | here, % | strict % | without an output spike | decides at, median |", "|---|---|---|---|---|---|"]
    for r in load("alpha")["rows"]:
        paper = f"{100 * r['paper']:.2f}" if r["paper"] else "-"
        rows.append(f"| `{r['name']}` | {paper} | **{100 * r['test']['expected']:.2f}** | {100 * r['test']['strict']:.2f} | "
                    f"{r['n_silent']} | {r['median_decision_time']:.2f} |")
    return rows


def conv_speed():
    """Time of a convolution of exact spike times beside PyTorch's."""
    r = load("benchmark-temporal-conv")
    rows = ["| step | ours | PyTorch | ratio |", "|---|---|---|---|"]
    layer, net = ({**part, **{key: f"{1000 * part[key]:.0f} ms" for key in ("ours", "theirs")}} for part in (r["layer"], r["network"]))
    rows.append(f"| the second convolution, forward and backward, batch {layer['batch']}; PyTorch by sorting | {layer['ours']} "
                f"| {layer['theirs']} | {layer['ratio']:.0f} times faster |")
    rows.append(f"| the network, with Adam, batch {net['batch']}; PyTorch with ReLUs | {net['ours']} | {net['theirs']} "
                f"| {1 / net['ratio']:.1f} times its time |")
    return rows


def event_speed():
    """Time of a training step of EventProp beside public codes."""
    if (r := load("benchmark-event-prop")) is None:
        return ["not measured yet"]
    lines = [f"{r['cpu']}, {r['threads']} threads, batch {r['batch']}, float32, medians of {r['rounds']} rounds in turns, {r['date']}, "
             f"load {r['machine']['load']:.2f} before the start. Ratio: to pysnn, within a round."]
    for s in r["sections"]:
        lines += ["", f"| a neuron fires at most: {s['n_spikes']} | room for spikes | hidden spikes a neuron | gradients differ by "
                  "| ms a step | ratio |", "|---|---|---|---|---|---|"]
        lines += [f"| {row['what']} | {row['room']} | {row['spikes']:.2f} | {'-' if row['apart'] is None else format(row['apart'], '.0e')} "
                  f"| {1e3 * row['s']:.1f} | {row['ratio']:.1f} |" for row in s["rows"]]
        fastest = next(row for row in s["rows"] if row["name"] == s["fastest"])
        lines += ["", f"pysnn is {fastest['ratio']:.1f} times as fast as the fastest of them ({fastest['what']}).", *s["left_out"]]
    return lines


def accuracy(labels=LABELS):
    """Test accuracy by data set and preset."""
    rows = ["| network | seeds | epochs | validation % | test % | strict % | training time |", "|---|---|---|---|---|---|---|"]
    for name, label in labels.items():
        if record := load(name):
            runs = [r for r in record["runs"] if r["seed"] in SEEDS.get(name, (r["seed"],))]
            rows.append(f"| {label} | {len(runs)} | {runs[0]['epochs']} | {spread([r['validation'] for r in runs])} "
                        f"| **{spread([r['test']['expected'] for r in runs])}** | {spread([r['test']['strict'] for r in runs])} "
                        f"| {np.median([r['seconds'] for r in runs]) / 60:.1f} min |")
            if "fresh" in runs[0]:
                fresh = [r["fresh"] for r in runs]
                rows.append(f"| the same on 10,000 fresh points | {len(runs)} | | | **{spread([f['expected'] for f in fresh])}** "
                            f"| {spread([f['strict'] for f in fresh])} | |")
    return rows


def through_time():
    """Test accuracy of leaky networks."""
    rows = ["| data and network | seeds | epochs | validation % | test % | training time |", "|---|---|---|---|---|---|"]
    for name, label in TIME.items():
        runs = (load(name) or {"runs": []})["runs"]
        if runs:
            rows.append(f"| {label} | {len(runs)} | {runs[0]['epochs']} | {spread([r['validation'] for r in runs])} "
                        f"| **{spread([r['test']['expected'] for r in runs])}** "
                        f"| {np.median([r['seconds'] for r in runs]) / 60:.2g} min |")
    return rows


def vowels():
    """Cross-validation of the settings of JapaneseVowels."""
    names = {"before": "128 neurons, largest potential", "mean": "256 neurons, mean potential",
             "mean, noise": "the same, noise of 0.2 and offsets of 0.4 in training",
             **{f"noise {a} and {b}, {n} epochs": f"noise of {a} and offsets of {b}, {n} epochs"
                for a, b, n in ((0.2, 0.4, 80), (0.2, 0.8, 80), (0.4, 0.4, 80), (0.4, 0.8, 80), (0.4, 0.8, 160), (0.6, 1.2, 160))},
             **{f"smoothing {share}": f"no noise, a share of {share} of the labels smoothed" for share in (0.1, 0.2, 0.3)},
             "smoothing 0.2, 80 epochs": "a share of 0.2, 80 epochs", "differences": "changes of the signals as channels, no smoothing",
             **{f"differences, smoothing {share}": f"changes, a share of {share}" for share in (0.2, 0.3)},
             "preset": "changes, a share of 0.3, 80 epochs: the preset"}
    rows, results = ["| settings | random folds % | successive utterances % |", "|---|---|---|"], load("vowels")["results"]
    of = {(r["try"], r["folds"]): f"{100 * r['accuracy']:.1f}" for r in results}
    return rows + [f"| {text} | {of[name, 'random']} | {of[name, 'utterances']} |" for name, text in names.items()]


def bridge():
    """One set of weights as ReLUs, first spikes and rates."""
    rows = ["| weights | read as | test % | strict % | decision | spikes a neuron | additions | multiply-adds |",
            "|---|---|---|---|---|---|---|---|"]
    for run in load("bridge")["runs"]:
        data = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}[run["data"]["name"]]
        for k, r in enumerate(run["rows"]):
            when = "-" if r["time"] is None else f"{r['time']:.1f} windows" if k == 1 else f"{r['time']} step" + 's' * (r['time'] != 1)
            rows.append(f"| {'' if k else f'{data}, `' + run['model'] + '`'} | {r['network']} | {100 * r['accuracy']:.2f} | "
                        f"{100 * r['strict']:.2f} | {when} | {r['spikes_a_neuron']:.2f} | {r['additions'] / 1e6:.2f} M | "
                        f"{r['multiply_adds'] / 1e6:.2f} M |")
    return rows


def c_program():
    """Size and time of a network as C."""
    rows = ["| network | bits | images | counts | C source | program | C, 1 core | whole numbers in NumPy | spiking network here |",
            "|---|---|---|---|---|---|---|---|---|"]
    for r in load("c-program")["rows"]:
        c, numpy, ours = (f"{1000 * np.median(r['seconds'][name]) / r['n']:.1f} ms" for name in ("c", "numpy", "float"))
        rows.append(f"| `{r['name']}`, T = {r['n_steps']} | {r['bits']} | {r['n']:,} | {'equal' if r['equal'] else 'NOT EQUAL'} | "
                    f"{r['source_bytes'] / 1e3:.0f} kB | {r['program_bytes'] / 1e3:.0f} kB | {c} | {numpy} | {ours} |")
    return rows


def slopes():
    """Accuracy on held-out sequences against kind and slope of the surrogate."""
    spec = importlib.util.spec_from_file_location("slopes", HERE / "slopes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    record, name = load("slopes"), {"randman": "random manifolds", "sound": "sound"}
    head = "| data | surrogate | reset | " + " | ".join(f"slope {s:g}" for s in module.SLOPES) + " |"
    rows = [head, "|---" * (3 + len(module.SLOPES)) + "|"]
    for (data, kind, detached), row in module.table(record["results"] if record else []).items():
        rows.append(f"| {name[data]} | {kind} | {'detached' if detached else 'attached'} | "
                    + " | ".join(f"{100 * row[s]:.1f}" if s in row else "" for s in module.SLOPES) + " |")
    return rows


def authors():
    """The first full tries of the preset `authors` on MNIST; the last was the preset, by the seeds that had a part in choosing it."""
    rows = ["| lambda | rate | epochs | seeds | validation % | test % | record |", "|---|---|---|---|---|---|---|"]
    for name in ("mnist-authors-lambda-1e-6", "mnist-authors-lambda-2e-5", "mnist-authors-before"):
        runs = [r for r in load(name)["runs"] if r["seed"] not in SEEDS.get(name, ())]
        s = runs[0]["settings"]
        said = (", ".join(str(r["seed"]) for r in runs), ", ".join(f"{100 * r['validation']:.2f}" for r in runs),
                ", ".join(f"{100 * r['test']['expected']:.2f}" for r in runs))
        rows.append(f"| {s['l2']:.0e} | {s['lr']:g} to {s['lr_end']:g} | {s['epochs']} | {' | '.join(said)} "
                    f"| {'the preset then, ' if name in SEEDS else ''}[results/{name}.json](results/{name}.json) |".replace("e-0", "e-"))
    return rows


def xor():
    """XOR restarts solved."""
    rows = ["| learning rate | solved | median epochs | 90 % within | last |", "|---|---|---|---|---|"]
    for run in (load("xor") or {"runs": []})["runs"]:
        after = [e for e in run["solved_after"] if e is not None]
        rows.append(f"| {run['lr']:g}{' (default)' if run['default'] else ''} | {len(after)} of {len(run['solved_after'])} "
                    f"| {np.median(after):.0f} | {np.quantile(after, 0.9):.0f} | {max(after)} |")
    return rows


def speed():
    """Training step against PyTorch."""
    record = load("benchmark-temporal")
    if record is None:
        return ["not measured yet"]
    default = next(row["ms"] for row in record["rows"] if row["name"] == "c default")
    lines = [f"{record['cpu']}, {record['threads']} threads, images of {record['data']}, PyTorch {record['versions']['torch']}, "
             f"{record['rounds']} interleaved rounds, {record['date']}. Ratios: to the ReLU network with PyTorch's default Adam (of the "
             "medians), and to the fastest of the three (median of the ratios within a round).",
             "", "| | what | ms a step | to c default | to c fastest | peak MiB |", "|---|---|---|---|---|---|"]
    return lines + [f"| {row['name']} | {row['what'].strip()} | {row['ms']:.2f} | {row['ms'] / default:.2f} | {row['ratio']:.2f} "
                    f"| {row['peak_mib']:.0f} |" for row in record["rows"]]


def proxy():
    """Convolutional networks trained by proxy."""
    rows = ["| network | T | seeds | epochs | validation % | test % | strict % | inclusive % | training time |",
            "|---|---|---|---|---|---|---|---|---|"]
    for name, label in PROXY.items():
        if record := load(name):
            runs = record["runs"]
            validation, seconds = spread([r["validation"] for r in runs]), np.median([r["seconds"] for r in runs])
            test, strict, inclusive = (spread([r["test"][key] for r in runs]) for key in ("expected", "strict", "inclusive"))
            rows.append(f"| {label} | {runs[0]['settings']['n_steps']} | {len(runs)} | {runs[0]['epochs']} | {validation} | **{test}** "
                        f"| {strict} | {inclusive} | {seconds / 60:.0f} min |")
    return rows


def deep():
    """Deep convolutional networks trained by proxy, from scratch and with a ReLU phase first."""
    rows = ["| network | T | seeds | epochs | test % | strict % | inclusive % | ReLU % | alike % | T = 1 | 2 | 8 | 16 | hours |",
            "|---" * 14 + "|"]
    names = {"scratch": "from scratch", "warm": "`warm`", "half": "`warm`", "plain": "`warm`", "authors": "`authors`"}
    runs = (load("deep") or {"runs": []})["runs"]
    for row in dict.fromkeys(r["name"].rpartition("-")[0] for r in runs):
        some = [r for r in runs if r["name"].rpartition("-")[0] == row]
        s, (data, preset) = some[0]["settings"], row.split("-")
        calibrated = "calibrated" if s["calibrate"] else "not calibrated"
        values = [[r["test"]["expected"], r["test"]["strict"], r["test"]["inclusive"], r["relu"]["expected"], r["agreement"],
                   *(r["by_steps"][t]["expected"] for t in ("1", "2", "8", "16"))] for r in some]
        test, *others = (spread(list(column)) for column in zip(*values, strict=True))
        data = "Fashion-MNIST" if data == "fashion" else "CIFAR-10"
        rows.append(f"| {data}, `{s['model']}`, {names[preset]}, {calibrated} | {s['n_steps']} | {len(some)} | {s['epochs']} "
                    f"| **{test}** | {' | '.join(others)} | {np.median([r['training_seconds'] for r in some]) / 3600:.1f} |")
    return rows


def steps():
    """Accuracy of the same networks at other numbers of steps."""
    rows = []
    for name, label in PROXY.items():
        if record := load(name):
            evaluation = record["runs"][0]["evaluation"]
            at = dict(zip(evaluation["steps"], evaluation["accuracy_at"], strict=True))
            rows.append(f"| {label} | " + " | ".join(f"{100 * at[t]:.2f}" for t in STEPS) + f" | {100 * evaluation['relu']:.2f} |")
    return ["| network | " + " | ".join(f"T = {t}" for t in STEPS) + " | ReLU network |", "|---|" + "---|" * (len(STEPS) + 1), *rows]


def compare():
    """Five methods on one dense network."""
    record = load("compare-dense")
    if record is None:
        return ["not measured yet"]
    table = {(row["method"], row["n_steps"]): row for row in record["table"]}
    steps = sorted({t for _, t in table if t is not None})
    rows = ["| method | " + " | ".join(f"T = {t}" for t in steps) + " |", "|---|" + "---|" * len(steps)]
    for method in dict.fromkeys(m for m, _ in table):
        cells = [table.get((method, t), table.get((method, None))) for t in steps]
        rows.append(f"| {method} | " + " | ".join(f"{100 * row['accuracy']:.2f} ± {100 * row['ci95']:.2f}" for row in cells) + " |")
    return rows


def tuning():
    """Validation accuracy of each try on the dense network."""
    record = load("tuning-dense")
    if record is None:
        return ["not measured yet"]
    tries = record["tries"]
    options = list(dict.fromkeys((t["chosen"]["lr"], t["chosen"]["loss"]) for t in tries))
    rows = ["| method | " + " | ".join(f"{loss}, {lr:g}" for lr, loss in options) + " |", "|---|" + "---|" * len(options)]
    for method in dict.fromkeys(t["method"] for t in tries):
        shares = {(t["chosen"]["lr"], t["chosen"]["loss"]): t["validation"] for t in tries if t["method"] == method}
        rows.append(f"| {method} | " + " | ".join(f"{'**' * (v == max(shares.values()))}{100 * v:.2f}{'**' * (v == max(shares.values()))}"
                                                  for v in (shares[o] for o in options)) + " |")
    return rows


def compare_conv():
    """Every method once on the convolutional network."""
    record = load("compare-conv")
    if record is None:
        return ["not measured yet"]
    rows = ["| line | " + " | ".join(f"T = {t}" for t in STEPS) + " | strict, T = 15 | ReLU network | spikes | additions | training |",
            "|---|" + "---|" * (len(STEPS) + 5)]
    for run in record["runs"]:
        evaluation = run["evaluation"]
        if "steps" in evaluation:
            at = dict(zip(evaluation["steps"], evaluation["accuracy_at"], strict=True))
            cells = [*(f"{100 * at[t]:.2f}" for t in STEPS), f"{100 * evaluation['strict']:.2f}", f"{100 * evaluation['relu']:.2f}",
                     f"{sum(evaluation['spikes']):,.0f}", f"{sum(evaluation['additions']) / 1e6:.1f} M"]
        else:
            cells = [*[""] * (len(STEPS) + 1), f"**{100 * evaluation['accuracy']:.2f}**", "", ""]
        rows.append(f"| {run['line']} | " + " | ".join([*cells, f"{run['seconds'] / 60:.0f} min"]) + " |")
    return rows


def compare_fair():
    """The learning rules on one convolutional network on equal terms."""
    record = load("compare-fair")
    accuracy, operations = {}, {}
    for result in record["results"]:
        for row in result["rows"]:
            accuracy.setdefault(result["method"], {}).setdefault(row["n_steps"], []).append(row["accuracy"])
            operations.setdefault(result["method"], {}).setdefault(row["n_steps"], []).append(row["additions"] + row["multiply_adds"])
    steps, at = sorted({row["n_steps"] for row in record["table"]}), record["tuning"]["n_steps"]
    rows = ["| line | the try that was best | " + " | ".join(f"T = {t}" for t in steps) + f" | its ReLU network | operations, T = {at} |",
            "|---" * (len(steps) + 4) + "|"]
    for line, by_steps in accuracy.items():
        tried, relu = record["chosen"][line], record["relu"].get(line)
        cells = [spread(by_steps[t]) if t in by_steps else "" for t in steps]
        cost = f"{np.mean(operations[line][at]) / 1e6:.2f} M" if at in operations[line] else ""
        rows.append(f"| {line} | {tried['optimiser']}, {tried['lr']:g} | {' | '.join(cells)} | {spread(relu) if relu else ''} | {cost} |")
    return rows


def fair_tuning():
    """Validation accuracy of each try of the comparison on equal terms."""
    tries = load("compare-fair")["tuning"]["tries"]
    options = list(dict.fromkeys((t["chosen"]["optimiser"], t["chosen"]["lr"]) for t in tries))
    rows = ["| line | " + " | ".join(f"{name}, {lr:g}" for name, lr in options) + " |", "|---" * (len(options) + 1) + "|"]
    for line in dict.fromkeys(t["line"] for t in tries):
        shares = {(t["chosen"]["optimiser"], t["chosen"]["lr"]): t["validation"] for t in tries if t["line"] == line}
        rows.append(f"| {line} | " + " | ".join(f"{'**' * (v == max(shares.values()))}{100 * v:.1f}{'**' * (v == max(shares.values()))}"
                                                for v in (shares[o] for o in options)) + " |")
    return rows


def tandem():
    """Tandem learning on a network with max pooling, one change at a time."""
    record = load("tandem")
    rows = ["| changed | training images, last epoch % | held-out images, last epoch % | rates by hidden layer, first epoch | last epoch |",
            "|---" * 5 + "|"]
    for name in dict.fromkeys(run["name"] for run in record["runs"]):
        runs = [run["records"] for run in record["runs"] if run["name"] == name]
        last = [spread([records[-1][key] for records in runs]) for key in ("train_accuracy", "val_accuracy")]
        rates = [" ".join(f"{x:.2f}" for x in np.mean([records[k]["rates"][:6] for records in runs], axis=0)) for k in (0, -1)]
        rows.append(f"| {'nothing' if name == 'as recorded' else name} | {' | '.join([*last, *rates])} |")
    return rows


def full():
    """Networks of full width."""
    rows = ["| network | T | parameters | multiply-adds, ReLU | additions, spikes | optimiser steps | loss, first and last pass "
            "| s a step, no validation | limit, s | distance | peak memory | projected |", "|---|" + "---|" * 11]
    for name in ("fashion-proxy", "cifar-vgg"):
        if r := load(f"full-{name}"):
            losses = [e["loss"] for e in r["records"]]
            rows.append(f"| `{name}` | {r['settings']['n_steps']} | {r['n_params']:,} | {r['multiply_adds'] / 1e6:.0f} M "
                        f"| {r['additions'] / 1e6:.0f} M | {r['n_optimiser_steps']} | {losses[0]:.4f}, {losses[-1]:.4f} "
                        f"| {r['seconds_a_step']:.2f} | {r['limit_seconds_a_step']:.2f} "
                        f"| {r['seconds_a_step'] / r['limit_seconds_a_step']:.1f} "
                        f"| {r['peak_mib'] / 1024:.1f} GiB | {r['projected']['epochs']} epochs: {r['projected']['hours']:.0f} h |")
    return rows


def kappa():
    """The temporal neuron against the 50-digit oracle."""
    rows = ["| backend, dtype | compared | median error | largest | gradients: compared | median | largest | within rounding "
            "| beyond the limit | silent | wrong decisions |", "|---|" + "---|" * 10]
    for s in load("kappa")["series"]:
        g = s["gradient"]
        rows.append(f"| {s['backend']}, {s['dtype']} | {s['compared']:,} | {s['median']:.2f} | {s['max']:.2f} | {g['compared']:,} "
                    f"| {g['median']:.2f} | {g['max']:.2f} | {s['in_band']} | {s['beyond_the_limit']} "
                    f"| {s['silent']} | {s['wrong_decisions']} |")
    return rows


def coordinates():
    """Gradients of temporal networks, coordinate by coordinate."""
    r = load("coordinates")
    c = r["counts"]
    total = c["smooth"] + c["kinks"] + c["jumps"] + c["skipped"] + c["by_complex_step"]
    return ["| coordinates | networks, 1 to 4 layers | by differences | by complex step | kinks | jumps and skipped | wrong "
            "| largest relative error |", "|---|" + "---|" * 7,
            f"| {total:,} | {c['nets']:,} | {c['smooth'] + c['kinks']:,} | {c['by_complex_step']} | {c['kinks']} "
            f"| {c['jumps'] + c['skipped']} | {c['wrong']} | {r['largest_error']:.1e} |"]


def mutation():
    """Do the tests notice small wrong changes?"""
    r = load("mutation")
    rows = ["| mutants drawn | of | seed | noticed at first | noticed now | by a time limit | argued equivalent | unexplained "
            "| noticed now (95 %) | of those that change a result |", "|---|" + "---|" * 9]
    low, high = (100 * x for x in r["interval"])
    rows.append(f"| {r['n']} | {r['n_mutants']:,} | {r['seed']} | {r['killed_at_first']} | {r['killed']} | {r['time_limit']} "
                f"| {r['equivalent']} | {r['n'] - r['killed'] - r['equivalent']} | {100 * r['score']:.1f} % ({low:.1f} to {high:.1f}) "
                f"| {100 * r['score_without_equivalent']:.1f} % |")
    return rows


def mutation_layers():
    """Do the checks of any layer notice small wrong changes of it?"""
    r = load("mutation-layers")
    right = r["right"]
    return ["| mutants | change a result | noticed | right layers | numbers compared | false alarms |", "|---|" + "---|" * 5,
            f"| {r['mutants']} | {r['change a result']} | {r['noticed']} | {right['layers']} | {right['numbers']:,} "
            f"| {len(right['false alarms'])} |"]


def verify():
    """How long `pysnn verify` takes."""
    r = load("verify")
    if r is None:
        return ["not measured yet"]
    total = r["n_right"] + r["n_wrong"] + r["n_unchecked"]
    return ["| entries | right | wrong | numbers compared | not compared | first run, compiling | again, median |", "|---|" + "---|" * 6,
            f"| {total:,} | {r['n_right']:,} | {r['n_wrong']} | {r['n_checked']:,} | {r['n_skipped']} | {r['first_seconds']:.0f} s "
            f"| {np.median(r['again_seconds']):.0f} s |"]


def newcomer():
    """How long the README's first steps take."""
    r = load("newcomer")
    if r is None:
        return ["Not timed yet."]
    return [f"These lines took {r['seconds'] / 60:.1f} minutes on {r['cpu'].rsplit(', ', 1)[1]}, installation included "
            f"([the log](docs/results/newcomer.json), {r['date']})."]


def trial():
    """What the set-up of docs/teach and the marks of a class take."""
    r = load("trial")
    n, words = {who: len(found) for who, found in r["stumbles"].items()}, sum(r["words"].values())
    return ["| step | commands | seconds |", "|---|---|---|",
            *(f"| {step['what']} | {step['lines']} | {step['seconds']:.0f} |" for step in r["steps"]), "",
            f"Together {sum(step['seconds'] for step in r['steps']) / 60:.1f} minutes on {r['cpu'].rsplit(', ', 1)[1]}, {r['date']}.",
            f"The {len(r['words'])} pages that say it have {words:,} words: {words / r['words_a_minute']:.0f} minutes at "
            f"{r['words_a_minute']} words a minute.",
            f"All this was gone through by {r['tried_by']}. {len(r['exercises'])} exercises were done from the stub to full marks,",
            "and the answers of polls and problems computed again.",
            f"What was unclear on the way was changed: {n['teacher']} things for a teacher, {n['student']} for a student, {n['editor']} in "
            "the texts ([the record](../results/trial.json)).", "",
            f"A second time, {r['again']['date']}, with {len(r['again']['exercises'])} exercises and mistakes made on purpose: "
            f"{len(r['again']['stumbles'])} things more. Most cost:", "",
            *(f"- {what}: {change}" for what, change in r["again"]["stumbles"][:r["shown"]])]


def rate_speed():
    """Inference and the ReLU network's training step against the frameworks."""
    record = load("benchmark-rate")
    if record is None:
        return ["not measured yet"]
    lines = [f"{record['cpu']}, {record['threads']} threads, batch {record['batch']}, float32, test images of {record['data']}, medians of "
             f"{record['rounds']} interleaved rounds, {record['date']}. Ratio: to the fastest framework, within a round."]
    sections = []
    for section in record["inference"]:
        activity = " ".join(f"{a:.2f}" for a in section["activity_by_layer"])
        sections.append((f"inference, T = {record['n_steps']}, spikes a step by layer: {activity} (synthetic weights)", section))
    for title, section in [*sections, ("the ReLU network, forward and backward", record["relu"])]:
        lines += ["", f"| {title} | s | ratio |", "|---|---|---|"]
        lines += [f"| {row['what']}{'' if row['went_on'] else ' (pilot rounds)'} | {row['s']:.3f} | {row['ratio']:.2f} |"
                  for row in section["rows"]]
    peaks = ", ".join(f"{m['name']} T = {m['n_steps']}: {m['peak_mib']:.0f}" for m in record["memory"])
    return [*lines, "", f"Peak memory of a process of inference, MiB: {peaks}."]


def exploration():
    """What the weight-sum cost, beta and the late time did on MNIST's validation split."""
    rows = ["| K | beta | late z | other | validation % |", "|---|---|---|---|---|"]
    record = load("exploration")
    for run in record["runs"]:
        chosen = dict(run["chosen"])
        if run["data"] == "mnist" and (chosen.pop("epochs", 0), chosen.pop("lr", 0)) == (8, 1e-3):
            k, beta, late = (chosen.pop(name, record["base"][name]) for name in ("weight_sum", "beta", "late"))
            rows.append(f"| {k:g} | {beta:g} | {late:g} | {', '.join(f'{n} = {v}' for n, v in chosen.items())} "
                        f"| {100 * run['validation']:.2f} |")
    return rows


def exploration_proxy():
    """What was tried for the preset `ours` of proxy."""
    record = load("exploration-proxy")
    rows = ["| ceiling | gamma | loss | on | other than the base | validation % after epoch 1 | 2 |", "|---|---|---|---|---|---|---|"]
    for run in record["runs"]:
        chosen = dict(run["chosen"])
        clip, gamma, loss, on = (chosen.pop(name) for name in ("clip", "gamma", "loss", "on"))
        other = ", ".join(name if value is True else f"{name} = {value}" for name, value in chosen.items()
                          if value != record["base"].get(name))
        accuracy = " | ".join(f"{100 * epoch['val_accuracy']:.1f}" for epoch in run["epochs"])
        rows.append(f"| {'yes' if clip else 'no'} | {gamma:g} | {loss} | {on} | {other} | {accuracy} |")
    return rows


def pooling():
    """How well spike counts follow the ReLU twin behind both kinds of pooling."""
    runs = load("pooling")["runs"]
    rows = ["| pooling | " + " | ".join(f"layer {k + 1}" for k in range(7)) + " |", "|---|" + "---|" * 7]
    for pool in ("max", "mean"):
        of = np.array([run["correlation"] for run in runs if run["pool"] == pool])
        rows.append(f"| {pool} | " + " | ".join(f"{c:.2f}" for c in of.mean(axis=0)[:7]) + " |")
    return rows


def real():
    """The estimators with their defaults on ten data sets, beside a tuned learning rate and logistic regression."""
    record, rows = load("real"), ["| data | features | training samples | logistic regression | proxy | tuned | temporal | tuned |",
                                    "|---" * 8 + "|"]
    for some in zip(record["proxy"], record["temporal"], strict=True):
        means = [f"{100 * np.mean([run['test'] for run in runs]):.1f}" for row in some for runs in (row["runs"], row["tuned"]["runs"])]
        rows.append(f"| {some[0]['data']} | {some[0]['n_features']:,} | {some[0]['n_train']:,} | {100 * some[0]['logistic']:.1f} | "
                    f"{' | '.join(means)} |")
    return rows


def ten_lines():
    """The ten lines from a file to a report, beside logistic regression and a MLP with the same samples."""
    record = load("ten-lines")
    lines = ["| data | method | features | training samples | logistic regression | MLP | ten lines | command line |", "|---" * 8 + "|"]
    for row in record["rows"]:
        of = {"logistic": [r["logistic"] for r in row["runs"]], "mlp": [r["mlp"] for r in row["runs"]],
              "ours": [r["report"]["test"] for r in row["runs"]], "command": [r["command"] for r in row["runs"]]}
        lines.append(f"| {row['data']} | {row['method']} | {row['n_features']:,} | {row['n_train']:,} | "
                     + " | ".join(spread(values) for values in of.values()) + " |")
    return lines


def real_steps():
    """Surrogate learning by the number of steps: the preset, other learning rates, and the preset as it was."""
    rows, names = load("real")["steps"]["surrogate"], ("preset", "lr 0.0003", "lr 0.003", "former")
    lines = ["| T | preset | learning rate 0.0003 | 0.003 | the preset before | its samples without a spike |", "|---" * 6 + "|"]
    accuracy = {row["n_steps"]: [f"{100 * row[name]['val_accuracy']:.1f}" for name in names] for row in rows}
    return lines + [f"| {row['n_steps']} | {' | '.join(accuracy[row['n_steps']])} "
                    f"| {row['former']['n_silent']:,} of 3,000 |" for row in rows]


def gpu():
    """The CUDA kernels on a GPU."""
    r = load("gpu")
    rows = [f"{r['device'].partition(', numba')[0]}, {r['date']}, numba-cuda {r['versions']['numba-cuda']}: "
            f"{r['tests']['passed']} tests passed, {r['tests']['failed']} failed; compute-sanitizer found "
            f"{r['memcheck']['found']} wrong accesses and {r['racecheck']['found']} races in "
            f"{r['memcheck']['tests']['passed']} tests with blocks of their real size.", "",
            *(f"{n['device'].partition(', numba')[0]}, {n['date']}: {n['tests']['passed']} tests passed, {n['tests']['failed']} failed "
              f"(`{n['command']}`).\n" for n in r.get("since", [])),
            "| pass | whole call, us | its kernels, us | estimate, us | largest error |", "|---|---|---|---|---|"]
    return rows + [f"| {row['pass']} | {1e6 * row['seconds']:,.0f} | {1e6 * row['kernel_seconds']:,.0f} | {1e6 * row['h100']:.1f} "
                   f"| {row['off']:.0e} |" for row in r["rows"]]


def of(script, name):
    """Return what makes a table that another script here makes."""
    def made():
        sys.path.insert(0, str(HERE))                                    # the scripts import each other
        try:
            return getattr(importlib.import_module(script), name)()
        finally:
            sys.path.remove(str(HERE))
    return made


TABLES = {**{f"conformance-{name}": of("conformance", name) for name in ("how", "frameworks", "cases", "neurons", "bugs")},
          "real": real, "ten-lines": ten_lines, "gpu": gpu, "real-steps": real_steps, "exploration": exploration, "accuracy": accuracy,
          "authors": authors, "xor": xor, "speed": speed, "proxy": proxy, "steps": steps, "deep": deep, "deep-costs": of("deep", "costs"),
          "through-time": through_time, "slopes": slopes, "vowels": vowels, "bridge": bridge, "exact": exact,
          "maps": lambda: exact(("mnist-conv-three", "fashion-conv-three", "cifar10-conv")), "limits": limits, "alpha": alpha,
          "conv-speed": conv_speed, "event-speed": event_speed, "c-program": c_program, "exploration-proxy": exploration_proxy,
          "pooling": pooling, "tuning": tuning, "compare": compare, "compare-conv": compare_conv, "compare-fair": compare_fair,
          "fair-tuning": fair_tuning, "tandem": tandem, "full": full, "rate-speed": rate_speed, "kappa": kappa, "trial": trial,
          "coordinates": coordinates, "mutation": mutation, "mutation-layers": mutation_layers, "verify": verify, "newcomer": newcomer}


def main(check=False):
    """Rewrite the pages, or say whether they are up to date."""
    stale = []
    for page in PAGES:
        old = page.read_text()
        new = re.sub(r"(<!-- table ([\w-]+) -->\n).*?(<!-- end -->)",
                     lambda m: m[1] + "\n".join(TABLES[m[2]]()) + "\n" + m[3], old, flags=re.S)
        if new != old:
            stale.append(page.name)
            if not check:
                page.write_text(new)
    print("changed: " + ", ".join(stale) if stale else "all tables are those of the records")
    return int(bool(stale) and check)


if __name__ == "__main__":
    raise SystemExit(main("--check" in sys.argv[1:]))
