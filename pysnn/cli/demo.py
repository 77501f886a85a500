"""The verb demo: train by both methods on the shipped sample, evaluate, draw; two minutes, the same on every system."""

import subprocess
import sys
from pathlib import Path

from ._common import emit

STEPS = (
    ("temporal coding: training 784-800-10 on the shipped sample of Fashion-MNIST (5,500 images)",
     "train temporal --data fashion-sample --out {runs}/demo.npz"),
    ("the same network on the test images", "evaluate {runs}/demo.npz --robust"),
    ("figures", "plot all {runs}/demo.npz --out {figures}"),
    ("one neuron", "plot neuron --out {figures}/neuron.png"),
    ("proxy learning: six convolutions on the same images, 4 time steps; in the first epochs the ReLU network alone (warm)",
     "train proxy --data fashion-sample --preset warm --out {runs}/demo-proxy.npz"),
    ("the same network on the test images: other numbers of steps, spikes, operations", "evaluate {runs}/demo-proxy.npz"),
    ("figures", "plot all {runs}/demo-proxy.npz --out {figures}/proxy"),
)


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("demo", demo, "Train by both methods on the shipped sample, evaluate and draw: two minutes. If stopped, it begins anew.",
               "demo", "demo --out lecture")
    sub.add_argument("--out", default=".", metavar="FOLDER", help="where the folders runs and figures go (default: here)")


def demo(args):
    """Run the verbs one after the other, each as a command of its own; stop at the first that fails."""
    folder = Path(args.out)
    common = [f"--seed={args.seed}"] + [f"--threads={args.threads}"] * (args.threads is not None)
    steps = []
    for title, line in STEPS:
        places = {"runs": folder / "runs", "figures": folder / "figures"}
        words = [word.format(**places) for word in line.split()]
        print(f"== {title}\n   pysnn {' '.join(words)}", flush=True)
        steps.append(" ".join(words))
        if code := subprocess.run([sys.executable, "-m", "pysnn", *words, *common], stdout=sys.stdout).returncode:
            return code
    pictures = " and ".join(str(folder / name) for name in ("figures/raster.png", "figures/proxy/raster.png"))
    print(f"== done: look at {pictures} first; next: examples/01_one_neuron.py")
    emit(args, {"steps": steps, "folder": str(folder)})
    return 0
