"""What Norse 1.1.0, exact-event-adjoint 0.2.0, exact-snn-nn 3.2.3 and PyTorch's gradcheck do on spiking neurons."""

import numpy as np

from ..gradcheck import gradcheck
from ._finding import Finding, Observation
from .adapters import needed
from .neurons import exact_event_adjoint_linear, exact_snn_linear

ALPHAS = 1.0, 10.0, 100.0
NORSE = "norse", "norse", "1.1.0"


def _alpha():
    torch = needed("torch")
    threshold = needed("norse.torch.functional.threshold").threshold
    grads = []
    for alpha in ALPHAS:
        x = torch.tensor([-0.5, -0.1, 0.0, 0.1, 0.5], dtype=torch.float64, requires_grad=True)
        grads.append(torch.autograd.grad(threshold(x, "super", alpha).sum(), x)[0].numpy())
    x = np.array([-0.5, -0.1, 0.0, 0.1, 0.5])
    same = all(np.array_equal(g, grads[0]) for g in grads)
    off = max(float(np.abs(g - 1 / (a * np.abs(x) + 1) ** 2).max()) for g, a in zip(grads, ALPHAS, strict=True))
    words = "identical" if same else "differ"
    return Observation(same, x.size * len(ALPHAS), off,
                       f"gradients for alpha = 1, 10, 100 {words}: {grads[0].round(4).tolist()}", "alpha = 10")


def _adjoint():
    torch = needed("torch")
    lif = needed("norse.torch.functional.lif")
    adjoint = needed("norse.torch.functional.adjoint.lif_adjoint").lif_adjoint_step
    rng = np.random.default_rng(0)
    start, x = rng.normal(0.1, 0.5, (10, 20)), (rng.random((50, 4, 20)) < 0.1) * 1.0
    spikes, grads = [], []
    for step in (lif.lif_step, adjoint):
        w, recurrent = (torch.tensor(a, requires_grad=True) for a in (start, np.zeros((10, 10))))
        rest = torch.zeros(4, 10, dtype=torch.float64)
        state, total = lif.LIFState(rest, rest.clone(), rest.clone()), 0
        for x_t in torch.tensor(x):
            out, state = step(x_t, state, w, recurrent, lif.LIFParameters(), 0.001)
            total = total + out.sum(0)
        total.sum().backward()
        spikes.append(total.detach().numpy())
        grads.append(w.grad.numpy().ravel())
    cosine = float(grads[0] @ grads[1] / np.linalg.norm(grads[0]) / np.linalg.norm(grads[1]))
    equal = np.array_equal(*spikes) and spikes[0].sum() > 0
    return Observation(equal and abs(cosine) < 0.9, grads[0].size, None,
                f"spikes {'equal' if equal else 'differ'}, cosine between the two gradients {cosine:.2f}")


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

    class Spike(torch.autograd.Function):
        """A step forward, the derivative of an arctangent backward."""

        @staticmethod
        def forward(ctx, x):
            """Fire at the threshold."""
            ctx.save_for_backward(x)
            return (x >= 0).to(x.dtype)

        @staticmethod
        def backward(ctx, grad):
            """The surrogate, atan of slope 2."""
            x, = ctx.saved_tensors
            return grad / (1 + (np.pi * x) ** 2)

    def layer(current):
        v, spikes = torch.zeros_like(current[0]), []
        for x in current:
            v = v + x
            spikes.append(Spike.apply(v - 1))
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


CASES = (
    Finding("norse-alpha", *NORSE, "bug", "the surrogate SuperSpike ignores its slope alpha", _alpha, "docs/findings/norse-alpha.md"),
    Finding("norse-adjoint", *NORSE, "different definition",
         "lif_step and lif_adjoint_step return different quantities: a surrogate gradient, and one of spike times", _adjoint),
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
)
"""Seven cases."""
