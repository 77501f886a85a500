"""The exercise on convolution."""

import numpy as np

from ..reference import conv
from ._case import Case, Exercise, Mistake, differences


def _back(functions, dy, x, w, stride, padding):
    _, cache = functions["forward"](x, w, stride, padding)
    return functions["backward"](dy, cache)


def _cases(rng):
    image, kernel = np.arange(1.0, 10).reshape(1, 3, 3, 1), np.arange(1.0, 5).reshape(2, 2, 1, 1)
    dy = np.array([[1.0, 0], [0, 10]]).reshape(1, 2, 2, 1)

    def case(name, shape, kernel, stride, padding):
        x, w = rng.normal(size=shape), rng.normal(size=kernel)
        dy = rng.normal(size=conv.conv2d_forward(x, w, stride, padding)[0].shape)
        return Case(name, ("dx", "dw"), _back, (dy, x, w, stride, padding))
    x, w = rng.normal(size=(2, 5, 5, 2)), rng.normal(size=(3, 3, 2, 3))
    return [
        Case("forward, as given", ("y",), lambda f, *a: f["forward"](*a)[0], (x, w, 2, 1)),
        Case("by hand", ("dx", "dw"), _back, (dy, image, kernel, 1, 0)),
        case("one channel, one sample", (1, 5, 5, 1), (3, 3, 1, 1), 1, 0),
        case("padding 1", (1, 4, 5, 1), (3, 3, 1, 1), 1, 1),
        case("stride 2", (1, 7, 6, 1), (3, 2, 1, 1), 2, 0),
        case("3 samples, 2 channels to 4", (3, 6, 5, 2), (3, 3, 2, 4), 2, 1),
        *differences("against differences", lambda f: lambda x, w: f["forward"](x, w, 2, 1), lambda f: f["backward"], (x, w), ("x", "w")),
    ]


def _turned(product=lambda w, i, j: w[i, j], add=True, stride_of=lambda stride: stride, cut=None):
    """Make a backward pass with a part exchanged."""
    def backward(dy, cache):
        x, w, stride, padding = cache
        padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        dpadded, dw, s = np.zeros_like(padded), np.zeros_like(w), stride_of(stride)
        for i in range(w.shape[0]):
            for j in range(w.shape[1]):
                at = (slice(None), slice(i, i + s * (dy.shape[1] - 1) + 1, s), slice(j, j + s * (dy.shape[2] - 1) + 1, s))
                dw[i, j] = np.einsum("bhvc,bhvo->co", padded[at], dy)
                dpadded[at] = (dpadded[at] if add else 0) + dy @ product(w, i, j).T
        begin = padding if cut is None else cut
        return dpadded[:, begin:begin + x.shape[1], begin:begin + x.shape[2]], dw

    def inject(right):
        def forward(x, w, stride=1, padding=0):
            return right["forward"](x, w, stride, padding)[0], (x, w, stride, padding)
        return {"forward": forward, "backward": backward}
    return inject


def _turned_dw(right):
    def backward(dy, cache):
        dx, dw = right["backward"](dy, cache)
        return dx, dw[::-1, ::-1].copy()
    return {**right, "backward": backward}


def _mean_dw(dx, dw, n):
    return dx, dw / n


MISTAKES = (
    Mistake("kernel_turned",
            "your dx goes back by another way than y came: y[h, v] saw x[s h + i, s v + j] by w[i, j], and by this same w[i, j] its "
            "gradient returns", _turned(lambda w, i, j: w[-1 - i, -1 - j])),
    Mistake("dw_turned", "your dw is turned by half a turn: the kernel is not turned in a correlation", _turned_dw),
    Mistake("overwritten", "a pixel of the image is seen by several taps: their gradients add up, with +=", _turned(add=False)),
    Mistake("mean_over_batch", "dw is summed over the samples of the batch, not averaged",
            lambda right: {**right, "backward": lambda dy, cache: _mean_dw(*right["backward"](dy, cache), len(dy))}),
    Mistake("stride_forgotten", "you go back with stride 1, whatever the stride was", _turned(stride_of=lambda stride: 1)),
    Mistake("wrong_corner", "you cut the padding off at one end alone: dx begins at row and column `padding`", _turned(cut=0)),
)

EXERCISES = {"conv_backward": Exercise("conv_backward", "pull a gradient back through a convolution", "(R3), (R4)",
                                       {"forward": conv.conv2d_forward, "backward": conv.conv2d_backward}, _cases, MISTAKES)}
