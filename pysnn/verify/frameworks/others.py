"""What exact-event-adjoint 0.2.0, exact-snn-nn 3.2.3, jaxsnn 0.3.0, nir 1.0.8 and PyTorch's gradcheck do."""

import numpy as np

from ..gradcheck import gradcheck
from ._finding import Finding, Observation
from .adapters import needed
from .neurons import exact_event_adjoint_linear, exact_snn_linear, plain_spike


def _existence():
    op = exact_event_adjoint_linear(3, 2, use_existence=True)
    t_in, w = np.array([[1.0, 2.0, 3.0]]), np.full((2, 3), 0.1)
    out, cache = op.forward(t_in, w)
    dt, dw = op.backward(np.zeros_like(out), cache)
    largest = max(float(np.abs(x).max()) for x in (dt, dw))
    return Observation(largest > 0, dt.size + dw.size, largest, f"0 comes in, up to {largest:.2g} goes out")


def _linear():
    """Without the penalty, by differences of its own forward."""
    op, rng = exact_event_adjoint_linear(4, 3), np.random.default_rng(0)
    args = rng.uniform(0, 10, (2, 4)), rng.uniform(0.5, 1.5, (3, 4))
    report = gradcheck(op.forward, op.backward, args, trace=lambda *_: np.zeros(0))
    worst = max(row.max_error for row in report.rows)
    return Observation(report.ok, sum(row.checked for row in report.rows), worst, f"within {worst:.1g} of differences")


def _grid():
    """Differences within one cell of the grid, for two grids; a column of weights at a time, for each neuron has a row of its own."""
    off = {}
    for n_grid in (2001, 8001):
        op, rng = exact_snn_linear(5, 4, grid_pts=n_grid), np.random.default_rng(0)
        t_in, w = rng.uniform(0, 10, (5, 3)), np.concatenate([rng.normal(0, 0.2, (4, 5)), np.full((4, 1), 1.5)], axis=1)
        out, cache = op.forward(t_in, w)
        fired = np.isfinite(out)
        dw = op.backward(fired * 1.0, cache)[1]
        by_differences = np.zeros_like(w)
        for k in range(w.shape[1]):
            step = np.zeros_like(w)
            step[:, k] = 1e-6
            late, early = (np.where(fired, op.forward(t_in, w + s)[0], 0) for s in (step, -step))
            by_differences[:, k] = (late - early).sum(axis=1) / 2e-6
        off[n_grid] = float(np.linalg.norm(dw - by_differences) / np.linalg.norm(by_differences))
    shown = ", ".join(f"{100 * x:.2g} % at {n_grid} points" for n_grid, x in off.items())
    return Observation(off[2001] > 1e-3, by_differences.size * 2, off[2001], f"off by {shown}")


def _gradcheck():
    torch = needed("torch")

    spike = plain_spike()

    def layer(current):
        v, spikes = torch.zeros_like(current[0]), []
        for x in current:
            v = v + x
            spikes.append(spike(v - 1))
            v = v - spikes[-1].detach()
        return torch.stack(spikes)
    current = torch.tensor(np.random.default_rng(0).uniform(0, 1, (4, 3)), requires_grad=True)
    try:
        torch.autograd.gradcheck(layer, (current,))
    except RuntimeError as error:
        why = f"it raises {type(error).__name__}, for all differences of spikes are 0"
        return Observation("mismatch" in str(error), current.numel(), None, why)
    return Observation(False, current.numel(), None, "it passes")


def _half_spike():
    jax = needed("jax")
    superspike = needed("jaxsnn.discrete.functional.threshold").superspike
    below, at, above = (float(s) for s in superspike(jax.numpy.array([-1.0, 0.0, 1.0]), 80.0))
    return Observation((below, at, above) == (0, 0.5, 1), 3, None, f"spikes {below:g}, {at:g}, {above:g} below, at and above the threshold")


def _nir_shape():
    nir, made, right = needed("nir"), [], [(3, 5, 5), (3, 2, 8)]
    for kernel in ((1, 4), (4, 1)):
        node = nir.Conv2d(input_shape=(5, 8), weight=np.zeros((3, 2, *kernel)), stride=1, padding=0, dilation=1, groups=1, bias=np.zeros(3))
        made.append(tuple(int(n) for n in node.output_type["output"]))
    return Observation(made == [(3, 5, 8), (3, 2, 5)], 6, None, f"5 x 8 pixels, kernels 1 x 4 and 4 x 1: {made} instead of {right}")


CASES = (
    Finding("exact-event-adjoint-existence", "exact_event_adjoint", "exact-event-adjoint", "0.2.0", "different definition",
         "with use_existence=True backward adds the gradient of a penalty that is not in the loss: a zero loss has a gradient", _existence,
         "docs/findings/exact-event-adjoint-existence.md"),
    Finding("exact-event-adjoint-linear", "exact_event_adjoint", "exact-event-adjoint", "0.2.0", "positive control",
         "ExactAdjointLinear is the gradient of its own forward pass", _linear),
    Finding("exact-snn-nn-grid", "exact_snn", "exact-snn-nn", "3.2.3", "precision",
         "the gradient is that of the exact crossing, forward returns one interpolated within a cell of its grid", _grid,
         "docs/findings/exact-snn-nn-grid.md"),
    Finding("torch-gradcheck", "torch", "torch", "2.13.0", "different definition",
         "gradcheck rejects every spiking layer with a surrogate gradient, right or wrong", _gradcheck),
    Finding("jaxsnn-half-spike", "jaxsnn", "jaxsnn", "0.3.0", "convention", "half a spike where V is exactly the threshold", _half_spike,
         "docs/findings/jaxsnn-half-spike.md"),
    Finding("nir-conv-shape", "nir", "nir", "1.0.8", "bug", "Conv2d takes the height of the kernel for its width: a wrong output shape",
         _nir_shape, "docs/findings/nir-conv-shape.md"),
)
"""Six cases."""
