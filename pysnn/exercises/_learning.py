"""The exercises on learning rules: the proxy step, and conversion."""

from typing import NamedTuple

import numpy as np

from ..learning import conversion, proxy
from ..reference import integrate_fire
from ..verify import zoo
from ._case import Case, Exercise, Mistake, as_array, replace

N_STEPS, THRESHOLD = 16, 1.0


# ---- proxy_step

def _descent(gradients):
    """Make the exercise's function from the gradients of a learning rule."""
    def proxy_step(w1, w2, x, labels, lr):
        model = f"{w1.shape[0]}-{w1.shape[1]}-{w2.shape[1]}"
        settings = proxy.Settings(model=model, n_steps=N_STEPS, threshold=THRESHOLD, dtype="float64", backend="reference")
        nets = proxy.build(settings, {"w1": w1.copy(), "w2": w2.copy()})
        step = gradients(nets, x, labels)
        return step.loss, w1 - lr * step.grads["w1"], w2 - lr * step.grads["w2"]
    return {"proxy_step": proxy_step}


class Parts(NamedTuple):
    """What a step is computed from."""

    r1: np.ndarray           # spike rates of the hidden layer
    r2: np.ndarray           # spike rates of the output
    a1: np.ndarray           # activations of the hidden layer
    a2: np.ndarray           # output of the ReLU network
    one_hot: np.ndarray      # labels


def _parts(w1, w2, x, labels):
    s1, _, _ = integrate_fire.forward(np.stack([x @ w1] * N_STEPS), THRESHOLD, THRESHOLD / 2)
    s2, _, _ = integrate_fire.forward(s1 @ w2, THRESHOLD, THRESHOLD / 2)
    a1 = np.clip(x @ w1, 0, THRESHOLD)
    return Parts(s1.mean(axis=0), s2.mean(axis=0), a1, a1 @ w2, np.eye(w2.shape[1])[labels])


def _own(output=lambda p: p.r2, inputs=lambda p: p.a1, mask=lambda p: (p.a1 > 0) & (p.a1 < THRESHOLD), scale=1 / N_STEPS,
         loss_of=lambda p: p.r2):
    """Make a step with one part replaced: the output whose error is taken, the inputs of w2, the mask of the ReLU, 1/N_STEPS, the loss."""
    def proxy_step(w1, w2, x, labels, lr):
        parts = _parts(w1, w2, x, labels)
        error = output(parts) - parts.one_hot
        c = 2 * error / error.size * scale
        dw2 = inputs(parts).T @ c
        dw1 = x.T @ ((c @ w2.T) * mask(parts))
        return float(((loss_of(parts) - parts.one_hot) ** 2).mean()), w1 - lr * dw1, w2 - lr * dw2
    return replace(proxy_step=proxy_step)


def _of_step(change):
    """Change the right step: change(step, w1, w2, x, labels, lr)."""
    return lambda right: {"proxy_step": lambda *args: change(right["proxy_step"], *args)}


def _fault(name):
    return lambda right: _descent(zoo.every()[name].inject(proxy.gradients))


def _as_gradients(functions, w1, w2, x, labels, lr):
    """Take a step; return the loss and the changes of the weights divided by lr, which are the gradients."""
    results = functions["proxy_step"](w1, w2, x, labels, lr)
    if not isinstance(results, (tuple, list)) or len(results) != 3:
        return results
    pairs = [(old, as_array(w)) for old, w in zip((w1, w2), results[1:], strict=True)]
    return results[0], *(((old - w) / lr).astype(np.result_type(w, "f4")) if isinstance(w, np.ndarray) and w.shape == old.shape else w
                         for old, w in pairs)


def _proxy_cases(rng):
    outputs = ("loss", "(w1 - new_w1)/lr", "(w2 - new_w2)/lr")
    x, labels = rng.random((8, 5)), np.arange(8) % 3
    w1, w2 = rng.normal(0.3, 0.5, (5, 6)), rng.normal(0.2, 0.5, (6, 3))

    def one(w):
        return np.array([[w]]), np.array([[0.375]]), np.array([[1.0]]), np.array([0]), 0.05

    def case(name, args):
        return Case(name, outputs, _as_gradients, args, returns=("loss", "new_w1", "new_w2"))
    return [
        case("one hidden neuron, rate 1/2", one(0.5)),
        case("one hidden neuron at its ceiling", one(1.5)),
        case("one hidden neuron, silent", one(-0.5)),
        case("one sample", (w1, w2, x[:1], labels[:1], 0.05)),
        case("8 samples", (w1, w2, x, labels, 0.05)),
    ]


def _absolute(w1, w2, x, labels):
    parts = _parts(w1, w2, x, labels)
    return float(np.abs(parts.r2 - parts.one_hot).mean())


def _summed(step, w1, w2, x, labels, lr):
    n = len(x) * w2.shape[1]
    loss, new_w1, new_w2 = step(w1, w2, x, labels, lr * n)
    return loss * n, new_w1, new_w2


PROXY_MISTAKES = (
    Mistake("updated_early", "you change w2 before the error has gone through it: compute all gradients first, then update",
            _fault("updated_early")),
    Mistake("unseen_regulariser", "your gradient has a term proportional to the weights, like weight decay; the loss has no such term",
            _fault("unseen_regulariser")),
    *(Mistake("own_error",
              "you take the error at the output of the ReLU network; take it at the spike counts, (P1). The step does not use that output",
              _own(output=lambda p: p.a2, loss_of=loss_of)) for loss_of in (lambda p: p.r2, lambda p: p.a2)),
    Mistake("with_respect_to_rates",
            "that is the error with respect to the rates; with respect to the counts there is another factor 1/N_STEPS, (P1)",
            _own(scale=1.0)),
    Mistake("spikes_as_inputs",
            "you use the rates of the spiking hidden layer, as tandem learning does; proxy learning uses the activations of the ReLU "
            "network, (P2)", _own(inputs=lambda p: p.r1)),
    Mistake("no_ceiling",
            "your ReLU passes the gradient at its ceiling as well; a neuron that fires at every step cannot fire more often, (P3)",
            _own(mask=lambda p: p.a1 > 0)),
    Mistake("mean_over_samples", "the loss is a mean over samples and outputs; you divide the error by the number of samples only",
            _of_step(lambda step, w1, w2, x, labels, lr: step(w1, w2, x, labels, lr * w2.shape[1]))),
    Mistake("loss_over_samples", "the loss is a mean over samples and outputs; yours is a sum over the outputs", _of_step(
        lambda step, w1, w2, x, labels, lr: (step(w1, w2, x, labels, lr)[0] * w2.shape[1], *step(w1, w2, x, labels, lr)[1:]))),
    Mistake("no_factor_2", "the derivative of a square has a factor 2",
            _of_step(lambda step, w1, w2, x, labels, lr: step(w1, w2, x, labels, lr / 2))),
    Mistake("factor_2_and_mean", "the factor 2 of the square is missing, and you divide by the number of samples only; the loss is a mean "
            "over samples and outputs", _of_step(lambda step, w1, w2, x, labels, lr: step(w1, w2, x, labels, lr * w2.shape[1] / 2))),
    Mistake("uphill", "you go up the gradient; descent subtracts lr times the gradient",
            _of_step(lambda step, w1, w2, x, labels, lr: step(w1, w2, x, labels, -lr))),
    Mistake("absolute", "your loss is a mean of absolute errors; it is a mean of their squares",
            _of_step(lambda step, w1, w2, x, labels, lr: (_absolute(w1, w2, x, labels), *step(w1, w2, x, labels, lr)[1:]))),
    Mistake("summed", "the loss is a mean over samples and outputs; yours is a sum", _of_step(_summed)),
    Mistake("counts_as_rates", "you compare the counts with the labels, 0 or 1; compare the rates, counts/N_STEPS",
            _own(output=lambda p: p.r2 * N_STEPS, loss_of=lambda p: p.r2 * N_STEPS)),
    Mistake("no_step", "you return the gradients; return the weights after the step, w - lr times the gradient",
            _of_step(lambda step, *args: _as_gradients({"proxy_step": step}, *args))),
    Mistake("no_mask", "the hidden ReLU passes the error only where its activation lies between 0 and the ceiling, (P3)",
            _own(mask=lambda p: np.ones_like(p.a1))),
)


# ---- conversion

def _positive(top):
    return float(top) if top > 0 else 1.0


def _largest(activations, percentile):
    return conversion.largest(activations, None, (1 - percentile / 100) * activations.size)[0]


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
        scale("percentile 60 of four", small, 60.0),
        scale("percentile 60 of three", np.array([[1.0, 4.0, 2.0]]), 60.0),
        scale("percentile 70 of eight", np.arange(1.0, 9.0).reshape(4, 2), 70.0),
        scale("percentile 99.9 of 1,000", a, 99.9),
        scale("percentile 50 of 1,000", a, 50.0),
        scale("a layer that never fires", np.zeros((5, 2)), 99.9),
        rescale("first layer", w, b, 1.0, 4.0),
        rescale("in between", w, b, 8.0, 0.5),
        Case("rates of two layers", ("rates",), _two_layers, (a[:5, :4], w, b)),
    ]


def _two_layers(functions, x, w, b):
    """Rescale two layers; their output must be that of the old ones divided by the scale."""
    top = float(np.maximum(x @ w + b, 0).max())
    (w1, b1), (w2, b2) = functions["rescale"](w, b, 1.0, top), functions["rescale"](w.T, np.zeros(4), top, 2.0)
    if any(part is ... for part in (w1, b1, w2, b2)):
        return ...
    return np.maximum(np.maximum(x @ w1 + b1, 0) @ w2 + b2, 0).astype(np.result_type(*map(as_array, (w1, b1, w2, b2)), "f4"))


def _entry(a, index):
    """Return entry `index` of the activations, sorted from the largest, as a scale."""
    return _positive(np.sort(a.ravel())[::-1][min(index, a.size - 1)])


CONVERSION_MISTAKES = (
    Mistake("maximum", "you take the largest activation, whatever the percentile is", replace(scale=lambda a, p: _entry(a, 0))),
    Mistake("between_two", "you interpolate between two activations; (P7) takes one of the activations, counted from the largest",
            replace(scale=lambda a, p: _positive(np.percentile(a, p)))),
    *(Mistake("counted_from_below", "numpy.percentile and the like count positions from 0 to M - 1, from the smallest; (P7) takes index "
              "floor((1 - percentile/100) M) from the largest",
              replace(scale=lambda a, p, m=method: _positive(np.percentile(a, p, method=m))))
      for method in ("higher", "lower", "nearest")),
    *(Mistake("rounded", "you round the index to the nearest whole number, or up; (P7) rounds it down", replace(scale=how)) for how in (
        lambda a, p: _entry(a, round((1 - p / 100) * a.size)), lambda a, p: _entry(a, int(np.ceil((1 - p / 100) * a.size - 1e-9))))),
    *(Mistake("one_too_far", "your index is too large or too small by 1: it is counted from 0, and percentile 100 gives the maximum",
              replace(scale=lambda a, p, k=k: _entry(a, int((1 - p / 100) * a.size + 1e-9) + k))) for k in (1, -1)),
    Mistake("per_sample", "you take the largest activation of each sample first; the scale is one of all M activations of the layer",
            replace(scale=lambda a, p: _entry(a.max(axis=1), int((1 - p / 100) * len(a) + 1e-9)))),
    Mistake("rounded_down", "(1 - 99.9/100) 1000 is 0.9999999999999432 in floating point: add 1e-9 before you round down",
            replace(scale=lambda a, p: _entry(a, int((1 - p / 100) * a.size)))),
    Mistake("from_the_smallest", "you count from the smallest activation; count from the largest",
            replace(scale=lambda a, p: _entry(a, -1 - int((1 - p / 100) * a.size + 1e-9)))),
    Mistake("zero_scale", "a layer without a positive activation has scale 1: division by 0 is not possible",
            replace(scale=lambda a, p: float(_largest(a, p)))),
    Mistake("upside_down", "your ratio is inverted: divide by the scale of this layer, multiply by that of the layer before",
            replace(rescale=lambda w, b, before, after: (w * (after / before), b / after))),
    Mistake("not_divided", "you multiply the weights by the scale of this layer; divide by it, and multiply by that of the layer before",
            replace(rescale=lambda w, b, before, after: (w * after, b / after))),
    Mistake("bias_multiplied", "you multiply the bias by the scale of its layer; divide by it",
            replace(rescale=lambda w, b, before, after: (w * (before / after), b * after))),
    Mistake("layer_before_forgotten",
            "the input rates are activations divided by the scale of the layer before: multiply the weights by that scale",
            replace(rescale=lambda w, b, before, after: (w / after, b / after))),
    Mistake("bias_as_weight", "the bias is not multiplied by a rate: divide it by the scale of its own layer only",
            replace(rescale=lambda w, b, before, after: (w * (before / after), b * (before / after)))),
    Mistake("bias_forgotten", "divide the bias by the scale of its layer as well",
            replace(rescale=lambda w, b, before, after: (w * (before / after), b.copy()))),
)


EXERCISES = {exercise.name: exercise for exercise in (
    Exercise("proxy_step", "train spike counts through a ReLU network, one step", "(P1) to (P3)", _descent(proxy.gradients), _proxy_cases,
             PROXY_MISTAKES),
    Exercise("conversion", "turn a ReLU network into a spiking one", "(P6), (P7)",
             {"scale": lambda a, p: _positive(_largest(a, p)), "rescale": _rescale}, _conversion_cases, CONVERSION_MISTAKES),
)}
