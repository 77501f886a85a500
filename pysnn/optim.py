"""Optimisers and learning rate schedules. `update` changes parameters in place; all that it remembers is in the dict of arrays `state`."""

import functools
import importlib.util
import math

import numpy as np

from ._threads import cut, spread

_BLOCK = 1 << 16   # numbers in a block


@functools.cache
def _fastest(step, loop):
    """Return `loop` compiled by Numba, or `step`, the same in NumPy, where Numba is not installed."""
    if importlib.util.find_spec("numba") is None:
        return step
    from ._jit import njit
    return njit(loop)


class SGD:
    """Plain gradient descent, w <- w - lr dw.

    Parameters
    ----------
    params : dict of str to array
        Parameters.
    """

    def __init__(self, params):
        self.state = {}

    @np.errstate(under="ignore")
    def update(self, params, grads, lr):
        """Take one step.

        Parameters
        ----------
        params, grads : dict of str to array
            Parameters, changed in place, and their gradients.
        lr : float
            Learning rate.
        """
        for name, dw in grads.items():
            params[name] -= params[name].dtype.type(lr) * dw


class Nesterov:
    """Gradient descent with Nesterov's momentum: v <- m v + dw, w <- w - lr (dw + m v).

    Parameters
    ----------
    params : dict of str to array
        Parameters.
    momentum : float
        m, 0 to below 1.
    """

    def __init__(self, params, momentum=0.9):
        self.momentum, self.state = momentum, {f"v/{name}": np.zeros_like(w) for name, w in params.items()}

    @np.errstate(under="ignore")
    def update(self, params, grads, lr):
        """Take one step.

        Parameters
        ----------
        params, grads : dict of str to array
            Parameters, changed in place, and their gradients.
        lr : float
            Learning rate.
        """
        for name, dw in grads.items():
            w, v = params[name], self.state[f"v/{name}"]
            m, rate = w.dtype.type(self.momentum), w.dtype.type(lr)
            v *= m
            v += dw
            w -= rate * (dw + m * v)


def _adam_step(w, dw, m, v, c1, c2, rate, eps):
    """Take Adam's step on one block, in place."""
    m += c1 * (dw - m)
    v += c2 * (dw * dw - v)
    w -= rate * m / (np.sqrt(v) + eps)


def _adam_step_loop(w, dw, m, v, c1, c2, rate, eps):
    """Take the same step as `_adam_step`, in one pass over memory; for Numba."""
    for k in range(len(w)):
        m[k] += c1 * (dw[k] - m[k])
        v[k] += c2 * (dw[k] * dw[k] - v[k])
        w[k] -= rate * m[k] / (np.sqrt(v[k]) + eps)


class Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1).

    Parameters
    ----------
    params : dict of str to array
        Parameters.
    beta1, beta2 : float
        Decay of the running means of the gradient and its square.
    eps : float
        Added to the root of the mean square.
    """

    def __init__(self, params, beta1=0.9, beta2=0.999, eps=1e-8):
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self._step = _fastest(_adam_step, _adam_step_loop)
        self.state = {"n_steps": np.zeros((), np.int64)}
        for name, w in params.items():
            self.state[f"m/{name}"] = np.zeros_like(w)
            self.state[f"v/{name}"] = np.zeros_like(w)

    def _scale(self, params, name):
        return 1                                # by what the learning rate of a parameter is multiplied

    @np.errstate(under="ignore")
    def update(self, params, grads, lr):
        """Take one step.

        Parameters
        ----------
        params, grads : dict of str to array
            Parameters, changed in place, and their gradients.
        lr : float
            Learning rate.
        """
        self.state["n_steps"] += 1
        n = int(self.state["n_steps"])
        correct2 = np.sqrt(1 - self.beta2 ** n)
        for name, dw in grads.items():
            rate = lr * correct2 / (1 - self.beta1 ** n) * self._scale(params, name)
            flat = [x.reshape(-1) for x in (params[name], dw, self.state[f"m/{name}"], self.state[f"v/{name}"])]
            cast = flat[0].dtype.type
            c1, c2, rate_, eps = cast(1 - self.beta1), cast(1 - self.beta2), cast(rate), cast(self.eps * correct2)

            def block(start, stop, flat=flat, constants=(c1, c2, rate_, eps)):
                self._step(*(x[start:stop] for x in flat), *constants)

            spread(block, cut(flat[0].size, _BLOCK))


class AdamByInputs(Adam):
    """Adam with a learning rate that fits the number n of inputs of a layer's neurons: lr for 32 inputs, else 32 lr/n, at most 4 lr.

    Adam moves each weight by about the rate, whatever the gradient, and so the current of a neuron by up to n times the rate: with hundreds
    of inputs far past the range between silence and a spike in every step, from where no gradient leads back. Of a layer are its weights
    w{k} and biases b{k}; other parameters have the rate lr.
    """

    def _scale(self, params, name):
        w = params.get(f"w{name[1:]}") if name[0] in "wb" else None
        return 1 if w is None else 32 / max(8, math.prod(w.shape[:-1]))


class Averaged:
    """An optimiser, and a moving average of arrays beside it, a <- m a + (1 - m) w: of parameters and of running statistics.

    Outside an epoch the networks hold the averages, and `state` what training goes on with, average/NAME; `swap` exchanges the two.

    Parameters
    ----------
    optimiser : object
        Has `update` and `state`; the same state takes in what is kept here.
    arrays : dict of str to array
        The arrays that are averaged; `swap` changes them in place.
    """

    def __init__(self, optimiser, arrays):
        self.update, self.state, self.arrays = optimiser.update, optimiser.state, arrays
        self.state.update({f"average/{name}": w.copy() for name, w in arrays.items()})

    def follow(self, share):
        """Move the averages.

        Parameters
        ----------
        share : float
            m, of the old average in the new one.
        """
        for name, w in self.arrays.items():
            a = self.state[f"average/{name}"]
            a += a.dtype.type(1 - share) * (w - a)

    def swap(self):
        """Exchange the averages and what training goes on with."""
        for name, w in self.arrays.items():
            a = self.state[f"average/{name}"]
            a[...], w[...] = w.copy(), a.copy()


def cosine(step, n_steps, lr, lr_end):
    """Learning rate that falls from lr to lr_end along half a cosine.

    Parameters
    ----------
    step, n_steps : int
        Which step of how many.
    lr, lr_end : float
        Rates at the two ends.

    Returns
    -------
    float
        The learning rate.
    """
    return float(lr_end + (lr - lr_end) * 0.5 * (1 + np.cos(np.pi * step / n_steps)))


def exponential(step, n_steps, lr, lr_end):
    """Learning rate that falls from lr to lr_end by a constant factor a step.

    Parameters
    ----------
    step, n_steps : int
        Which step of how many.
    lr, lr_end : float
        Rates at the two ends.

    Returns
    -------
    float
        The learning rate.
    """
    return float(lr * (lr_end / lr) ** (step / n_steps))


def triangle(step, n_steps, lr, lr_end):
    """Learning rate that rises from lr/5 to lr in the first 23 % of the steps, then falls to lr_end, both times along a line.

    Parameters
    ----------
    step, n_steps : int
        Which step of how many.
    lr, lr_end : float
        The highest rate, and the rate at the end.

    Returns
    -------
    float
        The learning rate.
    """
    top = 0.23 * n_steps
    return float(lr * (0.2 + 0.8 * step / top) if step < top else lr + (lr_end - lr) * (step - top) / (n_steps - top))


OPTIMISERS = {"adam": Adam, "adam_by_inputs": AdamByInputs, "sgd": SGD, "nesterov": Nesterov}
SCHEDULES = {"cosine": cosine, "exponential": exponential, "triangle": triangle}
