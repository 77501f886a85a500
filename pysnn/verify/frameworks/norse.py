"""What Norse 1.1.0 does differently."""

import numpy as np

from ._finding import Finding, Observation
from .adapters import needed

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


def _factors():
    """Each surrogate against the derivative of the step that its documentation gives (with erf for erfc)."""
    torch, threshold = needed("torch"), needed("norse.torch.functional.threshold").threshold
    steps = {"tanh": lambda x, a: torch.tanh(a * x) / 2, "heavi_erfc": lambda x, a: torch.erf(a * x) / 2,
             "circ": lambda x, a: x / (x ** 2 + a ** 2).sqrt() / 2}
    wanted, worst = {"tanh": lambda a: 2 / a, "heavi_erfc": lambda a: 2 / a, "circ": lambda a: 2 * a}, 0.0
    for method, step in steps.items():
        for alpha in (1.0, 3.0, 10.0):
            x = torch.tensor([-0.3, 0.0, 0.05], dtype=torch.float64, requires_grad=True)
            got, = torch.autograd.grad(threshold(x, method, alpha).sum(), x)
            true, = torch.autograd.grad(step(x, alpha).sum(), x)
            worst = max(worst, float((got / true / wanted[method](alpha) - 1).abs().max()))
    return Observation(worst < 1e-6, 27, worst, f"gradient / derivative is 2 / alpha for tanh and heavi_erfc, 2 alpha for circ, within "
                       f"{worst:.1g}")


def _detach():
    """The potential after a spike is the reset potential whatever the current: what is left of its gradient is the reset's."""
    torch, lif = needed("torch"), needed("norse.torch.functional.lif")
    p, rest, found = lif.LIFParameters(), torch.zeros(1, 1), []
    for step in ("lif_step", "lif_feed_forward_step"):
        x = torch.tensor([[15.0]], requires_grad=True)
        if step == "lif_step":
            s, state = lif.lif_step(x, lif.LIFState(rest, rest, rest), torch.eye(1), rest, p)
        else:
            s, state = lif.lif_feed_forward_step(x, lif.LIFFeedForwardState(rest, rest), p)
        found.append((s.item(), torch.autograd.grad(state.v.sum(), x)[0].item()))
    return Observation(found[0] == (1, 0) and found[1][0] == 1 and found[1][1] != 0, 2, None,
                       f"dv/dx after a spike: {found[0][1]:g} in lif_step, {found[1][1]:.3g} in lif_feed_forward_step")


def _lsnn():
    """An adaptation of 1.8 above the threshold, after 800 steps of 1 ms without a spike."""
    torch, lsnn = needed("torch"), needed("norse.torch.functional.lsnn")
    rest, p = torch.zeros(1, 1), lsnn.LSNNParameters()
    state = lsnn.LSNNFeedForwardState(v=rest, i=rest, b=torch.full((1, 1), 2.8))
    for _ in range(800):
        _, state = lsnn.lsnn_feed_forward_step(rest, state, p)
    left = (state.b.item() - 1) / 1.8
    return Observation(left > 0.99, 1, left / np.exp(-1) - 1, f"{100 * left:.1f} % of the adaptation are left after 800 steps, "
                       f"{100 * np.exp(-1):.0f} % with a time constant of 800 steps", "step 800")


CASES = (
    Finding("norse-alpha", *NORSE, "bug", "the surrogate SuperSpike ignores its slope alpha", _alpha, "docs/findings/norse-alpha.md"),
    Finding("norse-adjoint", *NORSE, "different definition",
         "lif_step and lif_adjoint_step return different quantities: a surrogate gradient, and one of spike times", _adjoint),
    Finding("norse-surrogate-factors", *NORSE, "convention",
         "three surrogates are off by a factor from the derivative of the step that is documented", _factors,
         "docs/findings/norse-surrogate-factors.md"),
    Finding("norse-reset-detach", *NORSE, "convention", "lif_step detaches the reset, lif_feed_forward_step does not", _detach,
         "docs/findings/norse-reset-detach.md"),
    Finding("norse-lsnn-tau", *NORSE, "bug", "the adaptation of LSNN decays over 800 seconds instead of 800 steps of a millisecond", _lsnn,
         "docs/findings/norse-lsnn-tau.md"),
)
"""Five cases."""
