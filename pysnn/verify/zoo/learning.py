"""Known mistakes in what surrounds a backward pass: which potential it looks at, when weights change, what the loss contains.

In the style of `zoo`. The last two take the gradients of a learning rule, (nets, x, y, rng) -> Step, as in `pysnn.learning`.
"""

from ..witness.surrogates import derivative
from .fault import Fault
from .spiking import own_surrogate

LR = 0.05            # of the update that comes too early
DECAY = 0.01         # of the regulariser that the loss does not know


def _slope_of_soft_step(v, threshold, surrogate):
    return derivative(v - threshold, surrogate)


def _update_early(gradients):
    def faulty(nets, x, y, rng=None):
        net, kept = nets.net, {name: w.copy() for name, w in nets.net.params.items()}

        def backward(dx, caches, need_dx=False):
            grads = {}
            for layer, cache in zip(reversed(net.layers), reversed(caches), strict=True):
                _, dparams = layer.backward(dx, cache, True)
                for name, dw in dparams.items():
                    net.params[name] -= LR * dw                          # the layer below gets the error through the new weights
                dx, _ = layer.backward(dx, cache, True)
                grads |= dparams
            return dx, grads

        net.backward = backward
        try:
            return gradients(nets, x, y, rng)
        finally:
            del net.backward
            for name, w in kept.items():
                net.params[name][...] = w
    return faulty


def _unseen_regulariser(gradients):
    def faulty(nets, x, y, rng=None):
        step = gradients(nets, x, y, rng)
        return step._replace(grads={name: dw + DECAY * nets.net.params[name] for name, dw in step.grads.items()})
    return faulty


FAULTS = {fault.name: fault for fault in (
    Fault("stale_membrane", "synthetic",
          "the surrogate is taken at the potential of the step before, not of the step whose spike it stands for",
          "integrate_fire", "frozen offsets", own_surrogate(_slope_of_soft_step, lag=1)),
    Fault("updated_early", "synthetic",
          "each layer's weights change as soon as their gradient is there, and the error goes on through the new ones",
          "proxy", "frozen offsets", _update_early),
    Fault("unseen_regulariser", "synthetic",
          "backward adds the gradient of a regulariser that the loss does not contain",
          "proxy", "frozen offsets", _unseen_regulariser),
)}
"""The mistakes by name."""
