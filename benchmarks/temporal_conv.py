"""Time a training step of a convolutional network of exact spike times against PyTorch.

Run: python benchmarks/temporal_conv.py [--json FILE] [--threads N] [--quick]      needs .venv-frameworks

Two comparisons, float32, update by Adam included. `layer`: the second convolution alone, forward and backward, against the usual way to
write it in PyTorch: unfold, sort, gather the weights, cumulative sums, which holds an array of samples, places, inputs and outputs.
`network`: 28x28x1-16c5-P2-32c5-P2-10 against a ReLU network of the same shape. Both libraries have the same number of threads in one
process and take turns; a figure is the median over rounds, a ratio the median of ratios within a round.
"""

import argparse
import datetime
import json
import time

import numpy as np
import torch
from temporal import machine

from pysnn import _threads, datasets, training
from pysnn.learning import temporal
from pysnn.operations import OPERATIONS

MODEL, ROUNDS = "28x28x1-16c5-N-P2-32c5-N-P2-10", 9
LAYER = ((14, 14, 16), (5, 5, 32), 2)         # image, window and outputs, padding


def torch_layer(z, w, padding):
    """Spike times of a convolution as z (B, C, H, W), w (K, N): the first valid crossing among all prefixes of the sorted inputs."""
    z = torch.nn.functional.pad(z, (padding,) * 4, value=1e6)
    windows = torch.nn.functional.unfold(z, 5).transpose(1, 2)                          # (B, P, K)
    times, order = windows.sort(dim=2)
    heard = w[order]                                                                     # (B, P, K, N)
    sums, moments = heard.cumsum(2), (heard * times[..., None]).cumsum(2)
    later = torch.cat([times[:, :, 1:], torch.full_like(times[:, :, :1], 1e9)], dim=2)[..., None]
    crossing = moments / torch.where(sums > 1, sums - 1, torch.ones_like(sums))
    good = (sums > 1) & (crossing <= later)
    first = torch.where(good.any(2), good.float().argmax(2), 0)[:, :, None]
    return torch.where(good.any(2), crossing.gather(2, first)[:, :, 0], torch.full_like(crossing[:, :, 0], 1e9))


def layer_steps(batch, rng):
    """Return a step of ours and of PyTorch's of one layer, and how far their gradients are apart."""
    (height, width, n_c), (kh, kw, n_out), padding = LAYER
    n_in = kh * kw * n_c
    z = np.exp(rng.uniform(0, 1.8, (batch, height, width, n_c))).astype(np.float32)
    w = rng.normal(4 / n_in, 0.56 / np.sqrt(n_in), (kh, kw, n_c, n_out)).astype(np.float32)
    op = OPERATIONS["temporal_conv"].pair()
    z_torch = torch.from_numpy(z.transpose(0, 3, 1, 2).copy()).requires_grad_()
    w_torch = torch.from_numpy(w.transpose(2, 0, 1, 3).reshape(n_in, n_out).copy()).requires_grad_()

    def ours():
        z_out, cache = op.forward(z, w, None, 1, padding)
        return op.backward(np.where(z_out < 1e3, 1, 0).astype(np.float32), cache)

    def theirs():
        z_torch.grad = w_torch.grad = None
        z_out = torch_layer(z_torch, w_torch, padding)
        (z_out * (z_out < 1e3)).sum().backward()
        return z_torch.grad, w_torch.grad

    (dz, dw, _), (dz_torch, dw_torch) = ours(), theirs()
    same = (dz_torch.numpy().transpose(0, 2, 3, 1), dw_torch.numpy().reshape(n_c, kh, kw, n_out).transpose(1, 2, 0, 3))
    apart = max(float(np.linalg.norm(a - b) / np.linalg.norm(a)) for a, b in zip((dz, dw), same, strict=True))
    assert apart < 1e-3, f"pysnn and PyTorch differ by {apart}"
    return ours, theirs, apart


def network_steps(batch, n_trained):
    """Return a training step of ours, after some training, and of a ReLU network of the same shape."""
    data = datasets.load("mnist")
    settings = temporal.settings_for("mnist", model=MODEL, code="latency", drop_in=0.0, drop_hidden=0.0, batch=batch)
    run, x, y = training.start("temporal", settings, 0), data.x_train[:batch], data.y_train[:batch]

    def ours():
        step = run.rule.gradients(run.nets, x, y)
        run.optimiser.update(run.nets.net.params, step.grads, settings.lr)

    for _ in range(n_trained):
        ours()
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(16, 32, 5, padding=2),
        torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(32 * 49, 10))
    adam = torch.optim.Adam(net.parameters(), fused=True)
    x_torch, y_torch = torch.from_numpy(x[:, None].astype(np.float32) / 255), torch.from_numpy(y.astype(np.int64))

    def theirs():
        adam.zero_grad()
        torch.nn.functional.cross_entropy(net(x_torch), y_torch).backward()
        adam.step()

    return ours, theirs


def measure(ours, theirs, rounds):
    """Let both take turns; return seconds of each, and the ratio theirs / ours."""
    seconds = np.empty((rounds + 1, 2))
    for row in seconds:
        for k, step in enumerate((ours, theirs)):
            began = time.perf_counter()
            step()
            row[k] = time.perf_counter() - began
    seconds = seconds[1:]
    return {"ours": float(np.median(seconds[:, 0])), "theirs": float(np.median(seconds[:, 1])),
            "ratio": float(np.median(seconds[:, 1] / seconds[:, 0]))}


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    _threads.set_threads(args.threads)
    torch.set_num_threads(args.threads)
    about, batches, rounds = machine(), (4, 8) if args.quick else (16, 128), 2 if args.quick else ROUNDS
    ours, theirs, apart = layer_steps(batches[0], np.random.default_rng(0))
    layer = measure(ours, theirs, rounds) | {"batch": batches[0], "apart": apart}
    network = measure(*network_steps(batches[1], 2 if args.quick else 100), rounds) | {"batch": batches[1]}
    print(f"layer    ours {1000 * layer['ours']:.1f} ms, PyTorch by sorting {1000 * layer['theirs']:.1f} ms: "
          f"{layer['ratio']:.1f} times faster")
    print(f"network  ours {1000 * network['ours']:.1f} ms, ReLU in PyTorch {1000 * network['theirs']:.1f} ms: "
          f"{1 / network['ratio']:.1f} times its time")
    if args.json:
        versions = training.versions() | {"torch": torch.__version__}
        record = {"command": "python benchmarks/temporal_conv.py", "date": datetime.date.today().isoformat(),
                  "cpu": f"{about['cpu']}, {about['cores']} cores", "threads": args.threads, "machine": about, "versions": versions,
                  "model": MODEL, "layer": layer, "network": network}
        with open(args.json, "w") as file:
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
