"""The exercises on learning rules: the proxy step, and conversion."""

import numpy as np

from ..learning import conversion, proxy
from ..reference import integrate_fire
from ..verify import zoo
from ._case import Case, Exercise, Mistake

N_STEPS, THRESHOLD = 16, 1.0


# ---- proxy_step

def _by(gradients):
    """Take plain steps by the gradients of a learning rule."""
    def proxy_step(w1, w2, x, labels, lr):
        model = f"{w1.shape[0]}-{w1.shape[1]}-{w2.shape[1]}"
        settings = proxy.Settings(model=model, n_steps=N_STEPS, threshold=THRESHOLD, dtype="float64", backend="reference")
        nets = proxy.build(settings, {"w1": w1.copy(), "w2": w2.copy()})
        step = gradients(nets, x, labels)
        return step.loss, w1 - lr * step.grads["w1"], w2 - lr * step.grads["w2"]
    return {"proxy_step": proxy_step}


def _pieces(w1, w2, x, labels):
    """Return what a step is made of: rates of both layers, activations, output of the ReLU network, one-hot labels."""
    half = THRESHOLD / 2
    s1, _, _ = integrate_fire.forward(np.stack([x @ w1] * N_STEPS), THRESHOLD, half)
    s2, _, _ = integrate_fire.forward(s1 @ w2, THRESHOLD, half)
    a1 = np.clip(x @ w1, 0, THRESHOLD)
    return s1.mean(axis=0), s2.mean(axis=0), a1, a1 @ w2, np.eye(w2.shape[1])[labels]


def _own(error=None, inputs=None, passes=None, scale=1 / N_STEPS):
    """Make a step with a part exchanged: the output that is judged, the inputs of w2, the mask, the factor of the error."""
    def proxy_step(w1, w2, x, labels, lr):
        pieces = _pieces(w1, w2, x, labels)
        _, r2, a1, _, one_hot = pieces
        off = (error(*pieces) if error else r2) - one_hot
        c = 2 * off / off.size * scale
        mask = passes(*pieces) if passes else (a1 > 0) & (a1 < THRESHOLD)
        dw2 = (inputs(*pieces) if inputs else a1).T @ c
        dw1 = x.T @ ((c @ w2.T) * mask)
        return float(((r2 - one_hot) ** 2).mean()), w1 - lr * dw1, w2 - lr * dw2
    return lambda right: {"proxy_step": proxy_step}


def _fault(name):
    return lambda right: _by(zoo.every()[name].inject(proxy.gradients))


def _changes(functions, w1, w2, x, labels, lr):
    """Take a step; return the loss and the changes of the weights over lr, the gradients that were followed."""
    found = functions["proxy_step"](w1, w2, x, labels, lr)
    if not isinstance(found, (tuple, list)) or len(found) != 3:
        return found
    fits = [isinstance(w, np.ndarray) and w.shape == old.shape for old, w in zip((w1, w2), found[1:], strict=True)]
    return found[0], *((old - w) / lr if good else w for good, old, w in zip(fits, (w1, w2), found[1:], strict=True))


def _proxy_cases(rng):
    outputs = ("loss", "(w1 - new_w1)/lr", "(w2 - new_w2)/lr")
    x, labels = rng.random((8, 5)), np.arange(8) % 3
    w1, w2 = rng.normal(0.3, 0.5, (5, 6)), rng.normal(0.2, 0.5, (6, 3))

    def one(w):
        return np.array([[w]]), np.array([[0.375]]), np.array([[1.0]]), np.array([0]), 0.05

    def case(name, args):
        return Case(name, outputs, _changes, args, returns=("loss", "new_w1", "new_w2"))
    return [
        case("one hidden neuron, rate 1/2", one(0.5)),
        case("one hidden neuron at its ceiling", one(1.5)),
        case("one hidden neuron, silent", one(-0.5)),
        case("one sample", (w1, w2, x[:1], labels[:1], 0.05)),
        case("8 samples", (w1, w2, x, labels, 0.05)),
    ]


def _gradients(right, w1, w2, x, labels, lr):
    loss, new_w1, new_w2 = right["proxy_step"](w1, w2, x, labels, lr)
    return loss, (w1 - new_w1) / lr, (w2 - new_w2) / lr


def _summed(right):
    def proxy_step(w1, w2, x, labels, lr):
        n = len(x) * w2.shape[1]
        loss, new_w1, new_w2 = right["proxy_step"](w1, w2, x, labels, lr * n)
        return loss * n, new_w1, new_w2
    return {"proxy_step": proxy_step}


def _counts(right):
    def proxy_step(w1, w2, x, labels, lr):
        _, r2, _, _, one_hot = _pieces(w1, w2, x, labels)
        _, *new = _own(error=lambda r1, r2, a1, a2, one_hot: r2 * N_STEPS)(right)["proxy_step"](w1, w2, x, labels, lr)
        return float(((r2 * N_STEPS - one_hot) ** 2).mean()), *new
    return {"proxy_step": proxy_step}


def _over_samples(right):
    def proxy_step(w1, w2, x, labels, lr):
        return right["proxy_step"](w1, w2, x, labels, lr * w2.shape[1])
    return {"proxy_step": proxy_step}


PROXY_MISTAKES = (
    Mistake("updated_early", "you change w2 before the error has gone through it; all gradients first, then the update",
            _fault("updated_early")),
    Mistake("unseen_regulariser",
            "your gradient has a part that follows the weights, as of a cost of the squared weights; the loss contains none",
            _fault("unseen_regulariser")),
    Mistake("own_error",
            "you take the error at the output of the ReLU network; it belongs to the spike counts, and so the ReLU network's own "
            "output is not looked at, (P1)", _own(error=lambda r1, r2, a1, a2, one_hot: a2)),
    Mistake("with_respect_to_rates",
            "that is the error with respect to the rates; with respect to the counts there is another 1/N_STEPS, (P1)", _own(scale=1.0)),
    Mistake("spikes_as_inputs",
            "you use the rates of the spiking hidden layer; that is tandem learning. Proxy takes the activations of the ReLU "
            "network, (P2)", _own(inputs=lambda r1, r2, a1, a2, one_hot: r1)),
    Mistake("no_ceiling",
            "your ReLU lets the gradient through at its ceiling, too; a neuron that fires at every step cannot fire more often, "
            "(P3)", _own(passes=lambda r1, r2, a1, a2, one_hot: a1 > 0)),
    Mistake("mean_over_samples", "the loss is a mean over samples and outputs; your error is divided by the number of samples alone",
            _over_samples),
    Mistake("summed", "the loss is a mean over samples and outputs; yours is a sum", _summed),
    Mistake("counts_as_rates", "you hold the counts against 0 and 1; the rates, counts/N_STEPS, can be 0 and 1", _counts),
    Mistake("no_step", "you return the gradients; asked for are the weights after the step, w - lr times the gradient",
            lambda right: {"proxy_step": lambda w1, w2, x, labels, lr: _gradients(right, w1, w2, x, labels, lr)}),
    Mistake("no_mask", "the error goes through the hidden ReLU: it passes where the activation lies between 0 and the ceiling, (P3)",
            _own(passes=lambda r1, r2, a1, a2, one_hot: np.ones_like(a1))),
)


# ---- conversion

def _scale(activations, percentile):
    top = conversion.largest(activations, None, (1 - percentile / 100) * activations.size)[0]
    return float(top) if top > 0 else 1.0


def _rescale(w, b, before, after):
    return w * (before / after), b / after


def _conversion_cases(rng):
    a = np.maximum(rng.normal(0.5, 1, (50, 20)), 0)
    w, b = rng.normal(size=(4, 3)), rng.normal(size=3)
    small = np.array([[0.0, 3.0], [2.0, 1.0]])

    def scale(name, a, percentile):
        return Case(name, ("scale",), lambda f, *args: f["scale"](*args), (a, percentile))

    def rescale(name, *args):
        return Case(name, ("new_w", "new_b"), lambda f, *args: f["rescale"](*args), args)
    return [
        scale("the largest of four", small, 100.0),
        scale("percentile 75 of four", small, 75.0),
        scale("percentile 99.9 of 1,000", a, 99.9),
        scale("percentile 50 of 1,000", a, 50.0),
        scale("a layer that never fires", np.zeros((5, 2)), 99.9),
        rescale("first layer", w, b, 1.0, 4.0),
        rescale("in between", w, b, 4.0, 0.5),
        Case("two layers, rates against activations", ("rates",), _two_layers, (a[:5, :4], w, b)),
    ]


def _two_layers(functions, x, w, b):
    """Rescale two layers; the activations of the new ones have to be those of the old ones over the scales."""
    top = float(np.maximum(x @ w + b, 0).max())
    (w1, b1), (w2, b2) = functions["rescale"](w, b, 1.0, top), functions["rescale"](w.T, np.zeros(4), top, 2.0)
    if any(part is ... for part in (w1, b1, w2, b2)):
        return ...
    return np.maximum(np.maximum(x @ w1 + b1, 0) @ w2 + b2, 0)


def _scaled(scale):
    return lambda right: {**right, "scale": scale}


def _rescaled(rescale):
    return lambda right: {**right, "rescale": rescale}


def _at(a, place):
    top = np.sort(a.ravel())[::-1][place]
    return float(top) if top > 0 else 1.0


CONVERSION_MISTAKES = (
    Mistake("maximum", "you take the largest activation, whatever the percentile is",
            _scaled(lambda a, p: float(a.max()) if a.max() > 0 else 1.0)),
    Mistake("between_two", "your percentile lies between two activations; (P7) takes one that occurs, counted from the largest",
            _scaled(lambda a, p: float(np.percentile(a, p)) if np.percentile(a, p) > 0 else 1.0)),
    Mistake("rounded_down", "(1 - 99.9/100) 1000 is 0.9999999999999432 in floating point: add 1e-9 before you round down",
            _scaled(lambda a, p: _at(a, int((1 - p / 100) * a.size)))),
    Mistake("from_the_smallest", "you count from the smallest activation; the percentile is counted from the largest",
            _scaled(lambda a, p: _from_the_smallest(a, p))),
    Mistake("zero_scale", "a layer without a positive activation gets scale 1: by 0 nothing can be divided",
            _scaled(lambda a, p: float(conversion.largest(a, None, (1 - p / 100) * a.size)[0]))),
    Mistake("upside_down", "your ratio stands on its head: divide by the scale of this layer, multiply by that of the layer before",
            _rescaled(lambda w, b, before, after: (w * (after / before), b / after))),
    Mistake("layer_before_forgotten",
            "the rates that come in are activations over the scale of the layer before: multiply the weights by it",
            _rescaled(lambda w, b, before, after: (w / after, b / after))),
    Mistake("bias_as_weight", "the bias comes with no rate: it is divided by the scale of its own layer alone",
            _rescaled(lambda w, b, before, after: (w * (before / after), b * (before / after)))),
    Mistake("bias_forgotten", "the bias has to be divided by the scale of its layer as well",
            _rescaled(lambda w, b, before, after: (w * (before / after), b.copy()))),
)


def _from_the_smallest(a, p):
    top = np.sort(a.ravel())[int((1 - p / 100) * a.size + 1e-9)]
    return float(top) if top > 0 else 1.0


EXERCISES = {exercise.name: exercise for exercise in (
    Exercise("proxy_step", "train spike counts through a ReLU network, one step", "(P1) to (P3)", _by(proxy.gradients), _proxy_cases,
             PROXY_MISTAKES),
    Exercise("conversion", "turn a ReLU network into a spiking one", "(P6), (P7)", {"scale": _scale, "rescale": _rescale},
             _conversion_cases, CONVERSION_MISTAKES),
)}
