"""Run an experiment and write its record, docs/results/NAME.json; a run that was stopped goes on where it was.

Run: python docs/results/record.py NAME [SEED ...]       NAME: one of the EXPERIMENTS below
Options were chosen on validation splits only; each seed's test set is touched once, when its training has ended.
"""

import datetime
import json
import os
import platform
import sys
from pathlib import Path

import numpy as np

from pysnn import datasets, encode, metrics, training
from pysnn.conventions import Sequences
from pysnn.evaluation import rate as evaluation_rate
from pysnn.learning import temporal
from pysnn.models import BatchNorm, Conv, Dense, Leaky, Model

HERE = Path(__file__).parent
RUNS = HERE.parent.parent / "runs"


def numbers(x, dtype):
    """Take samples as currents as they are, of either sign."""
    return x.reshape(len(x), -1).astype(dtype)


def on_and_off(x, late):
    """Take bright pixels as early spikes of a first channel, and dark ones as early spikes of a second."""
    return np.stack([encode.latency(x, late), encode.latency(1 - x, late)], axis=-1)


def mirrored(x, rng):
    """Mirror images at random, left to right."""
    return encode.flip_images(x, rng)


def moved(x, rng):
    """Mirror images at random and shift them by up to two pixels; what enters is the image mirrored at its edge."""
    return encode.shift_images(mirrored(x, rng), 2, rng, "reflect")


def noisy(x, rng, each=0.2, offset=0.4):
    """Add noise to sequences, in shares of each channel's spread: to each number, and to each channel of a sample."""
    noise = rng.normal(0, each, x.x.shape) + rng.normal(0, offset, (len(x), 1, x.x.shape[2]))
    return Sequences((x.x + noise * x.x.std(axis=(0, 1))).astype(x.x.dtype), x.lengths)


_OF_TUTORIAL = Leaky(0.95, timing="next", order="leak first")            # as of snnTorch, whose tutorial has this network
THROUGH_TIME = {"input": "constant", "readout": "potential", "bias": True, "detach_reset": True, "clip_norm": 0.0}
CONVOLUTIONS = THROUGH_TIME | {
    "model": Model((40, 1, 1), (*(spec for n in (32, 64, 64) for spec in (Conv(n, 5, 2, 2), BatchNorm(), Leaky(0.5))), Dense(10))),
    "n_steps": 6, "encode": numbers, "on": "mean", "over": "sum", "surrogate": "fast_sigmoid", "slope": 2.0, "lr": 3e-3, "lr_end": 1e-5,
    "batch": 50, "epochs": 16}
TUTORIAL = THROUGH_TIME | {
    "model": Model((784,), (Dense(1000), _OF_TUTORIAL, Dense(10), _OF_TUTORIAL)), "n_steps": 25, "over": "each", "on": "counts",
    "fire": ">", "surrogate": "atan", "slope": 2.0, "lr": 5e-4, "lr_end": 5e-6, "batch": 128, "epochs": 10}
SPIKE_CONVOLUTIONS = {"model": "28x28x1-16c5-N-P2-32c5-N-P2-10", "code": "latency", "shift": 1, "drop_in": 0.0, "drop_hidden": 0.0,
                      "epochs": 16}
FASHION_CONVOLUTIONS = SPIKE_CONVOLUTIONS | {"model": "28x28x2-16c5-N-P2-32c5-N-P2-10", "code": on_and_off, "augment": mirrored, "shift": 0,
                                             "late": 6.0, "beta": 40.0, "lr": 2e-3}
LEAKS = {"model": "4-60-3", "init_mean": 8.0, "init_std": 3.0, "beta": 10.0, "weight_sum": 1.0, "lr": 0.02, "max_norm": 0.0, "epochs": 60}
AUTHORS_BEFORE = {"weight_sum": 10.0, "drop_in": 0.0, "drop_hidden": 0.0, "lr_end": 0.05, "init_mean": 4.0, "init_std": 0.56}
UNBOUND = {"max_norm": 0.0, "lr": 6e-3}
WITHOUT = {"encode": "intensities", "smoothing": 0.0, "epochs": 40}           # the presets of JapaneseVowels as they were
BEFORE = WITHOUT | {"model": "12-128d-R0.9-9d-I0.9", "over": "largest"}
BETWEEN = WITHOUT | {"model": "12-256d-R0.9-9d-I0.9"}
EXPERIMENTS = {   # name: (method, data, preset, seeds, settings other than the preset's)
    "mnist-ours": ("temporal", "mnist", "ours", range(3), {}),
    "mnist-still": ("temporal", "mnist", "ours", range(3), {"shift": 0, "epochs": 40}),      # as the preset was; its seed 0 ships
    "mnist-authors": ("temporal", "mnist", "authors", range(6, 9), {}),
    "mnist-authors-before": ("temporal", "mnist", "authors", range(6), AUTHORS_BEFORE),
    "fashion-ours": ("temporal", "fashion-mnist", "ours", range(3), {}),
    "mnist-conv": ("temporal", "mnist", "ours", range(3), SPIKE_CONVOLUTIONS),
    "mnist-conv-three": ("temporal", "mnist", "ours", range(3), SPIKE_CONVOLUTIONS | {
        "model": "28x28x2-32c3-N-P2-64c3-N-P2-128c3-N-P2-10", "code": "pairs", "late": 20.0, "init_mean": 2.0, "init_std": 1.5,
        "epochs": 12}),
    "fashion-conv": ("temporal", "fashion-mnist", "ours", range(1), FASHION_CONVOLUTIONS),
    "fashion-conv-wide": ("temporal", "fashion-mnist", "ours", range(1), FASHION_CONVOLUTIONS | {
        "model": "28x28x2-32c5-N-P2-64c5-N-P2-10", "epochs": 24}),
    "fashion-conv-three": ("temporal", "fashion-mnist", "ours", range(1), FASHION_CONVOLUTIONS | {
        "model": "28x28x2-40c3-N-P2-80c3-N-P2-160c3-N-P2-10", "shift": 1, "late": 20.0, "init_mean": 2.0, "init_std": 1.5,
        "epochs": 24}),
    "cifar10-conv": ("temporal", "cifar10", "ours", range(1), FASHION_CONVOLUTIONS | {
        "model": "32x32x6-48c3-N-P2-96c3-N-P2-192c3-N-P2-10", "augment": moved, "late": 20.0, "init_mean": 2.0, "init_std": 1.5,
        "epochs": 24}),
    "yin-yang-ours": ("temporal", "yin-yang", "ours", range(5), {}),
    "yin-yang-eventprop": ("eventprop", "yin-yang", "ours", range(5), {}),
    "yin-yang-30": ("temporal", "yin-yang", "ours", range(5), {"model": "4-30-3", **UNBOUND}),
    "yin-yang-30-delays": ("temporal", "yin-yang", "ours", range(5), {"model": "4-30+synaptic-3+synaptic", **UNBOUND}),
    "yin-yang-5-delays": ("temporal", "yin-yang", "ours", range(5), {"model": "4-5+synaptic-3+synaptic", **UNBOUND}),
    **{f"yin-yang-{neuron}": ("temporal", "yin-yang", "ours", range(3), {"neuron": neuron.replace("-", "_"), **LEAKS})
       for neuron in ("leaky-equal", "leaky-double", "alpha")},
    "yin-yang-30-bounded": ("temporal", "yin-yang", "ours", range(5), {"model": "4-30-3"}),
    "yin-yang-30-delays-bounded": ("temporal", "yin-yang", "ours", range(5), {"model": "4-30+synaptic-3+synaptic"}),
    "yin-yang-5-delays-bounded": ("temporal", "yin-yang", "ours", range(5), {"model": "4-5+synaptic-3+synaptic"}),
    "proxy-fashion-mnist": ("proxy", "fashion-mnist", "ours", range(1), {"model": "fashion-proxy:32"}),
    "proxy-cifar10": ("proxy", "cifar10", "ours", range(1), {"model": "cifar-vgg:16", "n_steps": 8, "epochs": 24}),
    "mnist1d-conv": ("surrogate", "mnist1d", "ours", range(5), CONVOLUTIONS),
    "japanese-vowels": ("surrogate", "japanese-vowels", "ours", range(5), {}),
    "japanese-vowels-before": ("surrogate", "japanese-vowels", "ours", range(5), BEFORE),
    "japanese-vowels-noise": ("surrogate", "japanese-vowels", "ours", range(5), BETWEEN | {"augment": noisy, "epochs": 80}),
    "mnist-leaky": ("surrogate", "mnist", "ours", range(3), TUTORIAL),
}
XOR_RATES = (None, 0.01, 0.1, 0.3)   # None: the default
XOR_SEEDS = 300


def main(name, *seeds):
    """Run one experiment, seed by seed."""
    if name == "xor":
        return write(name, {"runs": [xor(rate) for rate in XOR_RATES]})
    method, data_name, preset, default_seeds, chosen = EXPERIMENTS[name]
    data, settings = datasets.load(data_name), training.METHODS[method].settings_for(data_name, preset, **chosen)
    for seed in map(int, seeds or default_seeds):
        result = one((name, method), data, settings, seed)
        old = json.loads((HERE / f"{name}.json").read_text())["runs"] if (HERE / f"{name}.json").is_file() else []
        if other := [r["seed"] for r in old if r["seed"] != seed and r["settings"] != settings.plain()]:
            raise SystemExit(f"{name}.json holds seeds {other} with other settings: remove it to begin a new record")
        runs = sorted([r for r in old if r["seed"] != seed] + [result], key=lambda r: r["seed"])
        write(name, {"method": method, "data": data_name, "preset": preset, "runs": runs})


def one(experiment, data, settings, seed):
    """Train and test one seed."""
    name, method = experiment
    path = RUNS / f"{name}-{seed}.npz"
    train, val = datasets.held_out(data)
    run = training.load(path) if path.is_file() else training.start(
        method, settings, seed, {"name": data.name, "n_val": None if data.name == "yin-yang" else len(val[1]), "split_seed": 0})
    if run.nets.settings != settings:
        raise SystemExit(f"{path} was trained with other settings: remove it to start again")
    for r in training.epochs(run, train, val):
        training.save(run, path)
        print(f"{name} seed {seed} epoch {r['epoch']} loss {r['loss']:.4f} train {r['train_accuracy']:.4f} val {r['val_accuracy']:.4f} "
              f"{r['seconds']:.1f} s", flush=True)
    score = training.METHODS[method].score(run.nets, *data.test)
    result = {"seed": seed, "epochs": run.epoch, "validation": run.records[-1]["val_accuracy"], "test": score._asdict(),
              "seconds": sum(r["seconds"] for r in run.records), "settings": settings.plain(), "records": run.records}
    if run.kind == "rate":
        result["evaluation"] = evaluation_rate.evaluate(run.nets, data.x_test, data.y_test)
    if data.name == "yin-yang":
        x, y = datasets.yin_yang(10_000, 1000 + seed)
        result["fresh"] = training.METHODS[method].score(run.nets, x, y)._asdict()
    print(name, seed, score, flush=True)
    return result


def xor(rate):
    """Count the restarts of XOR that end with all four patterns strictly right, and their epochs."""
    data = datasets.load("xor")
    settings = temporal.settings_for("xor", **({} if rate is None else {"lr": rate}))
    solved = []
    for seed in range(XOR_SEEDS):
        run = training.start("temporal", settings, seed)
        epochs = (r["epoch"] for r in training.epochs(run, (data.x_train, data.y_train))
                  if metrics.accuracy(temporal.predict(run.nets, data.x_train), data.y_train).strict == 1)
        solved.append(next(epochs, None))
    print("xor", settings.lr, sum(s is not None for s in solved), "of", XOR_SEEDS, flush=True)
    return {"lr": settings.lr, "default": rate is None, "limit": settings.epochs, "solved_after": solved}


def origin(command):
    """Return what every record holds: the command, the date, versions and processor."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
               "") if os.path.exists("/proc/cpuinfo") else platform.processor()
    return {"command": command, "date": datetime.date.today().isoformat(), "versions": training.versions(),
            "cpu": f"{cpu}, {os.cpu_count()} cores"}


def write(name, record):
    """Write a record with what is needed to repeat it."""
    record = {**origin(f"python docs/results/record.py {name}"), **record}
    part = HERE / f".{name}.part"
    part.write_text(json.dumps(record, indent=None, separators=(",", ":")) + "\n")
    os.replace(part, HERE / f"{name}.json")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in (*EXPERIMENTS, "xor"):
        raise SystemExit(__doc__ + "\nexperiments: " + ", ".join((*EXPERIMENTS, "xor")))
    main(*sys.argv[1:])
