"""The exercise on convolution."""

import numpy as np

from ..reference import conv
from ._case import Case, Exercise, Mistake, differences, run_backward, run_forward


def _cases(rng):
    image, kernel = np.arange(1.0, 10).reshape(1, 3, 3, 1), np.arange(1.0, 5).reshape(2, 2, 1, 1)
    dy = np.array([[1.0, 0], [0, 10]]).reshape(1, 2, 2, 1)

    def case(name, shape, kernel, stride, padding):
        x, w = rng.normal(size=shape), rng.normal(size=kernel)
        dy = rng.normal(size=conv.conv2d_forward(x, w, stride, padding)[0].shape)
        return Case(name, ("dx", "dw"), run_backward, (dy, x, w, stride, padding))
    x, w = rng.normal(size=(2, 5, 5, 2)), rng.normal(size=(3, 3, 2, 3))
    return [
        Case("forward, as given", ("y",), run_forward, (x, w, 2, 1)),
        Case("by hand", ("dx", "dw"), run_backward, (dy, image, kernel, 1, 0)),
        case("one channel, one sample", (1, 5, 5, 1), (3, 3, 1, 1), 1, 0),
        case("padding 1", (1, 4, 5, 1), (3, 3, 1, 1), 1, 1),
        case("stride 2", (1, 7, 6, 1), (3, 2, 1, 1), 2, 0),
        case("3 samples, 2 channels to 4", (3, 6, 5, 2), (3, 3, 2, 4), 2, 1),
        *differences("finite differences", lambda f: lambda x, w: f["forward"](x, w, 2, 1), lambda f: f["backward"], (x, w), ("x", "w")),
    ]


def _own(tap=lambda w, i, j: w[i, j], add=True, stride_of=lambda stride: stride, begin=lambda padding: padding):
    """Make a backward pass with one part replaced: the tap, the sum, the stride, or where dx begins."""
    def backward(dy, cache):
        x, w, stride, padding = cache
        padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        dpadded, dw, s = np.zeros_like(padded), np.zeros_like(w), stride_of(stride)
        for i in range(w.shape[0]):
            for j in range(w.shape[1]):
                at = (slice(None), slice(i, i + s * (dy.shape[1] - 1) + 1, s), slice(j, j + s * (dy.shape[2] - 1) + 1, s))
                dw[i, j] = np.einsum("bhvc,bhvo->co", padded[at], dy)
                dpadded[at] = (dpadded[at] if add else 0) + dy @ tap(w, i, j).T
        first = begin(padding)
        return dpadded[:, first:first + x.shape[1], first:first + x.shape[2]], dw

    def inject(right):
        def forward(x, w, stride=1, padding=0):
            return right["forward"](x, w, stride, padding)[0], (x, w, stride, padding)
        return {"forward": forward, "backward": backward}
    return inject


def _own_dw(change):
    """Change the right dw: change(dw, dy)."""
    def inject(right):
        def backward(dy, cache):
            dx, dw = right["backward"](dy, cache)
            return dx, change(dw, dy)
        return {**right, "backward": backward}
    return inject


def _first_sample(right):
    def forward(x, w, stride=1, padding=0):
        y, cache = right["forward"](x, w, stride, padding)
        return y, (cache, x, w, stride, padding)

    def backward(dy, cache):
        cache, x, w, stride, padding = cache
        return right["backward"](dy, cache)[0], right["backward"](dy[:1], right["forward"](x[:1], w, stride, padding)[1])[1]
    return {"forward": forward, "backward": backward}


CORNER = "you remove the padding at one end only: dx begins at row and column `padding`"
MISTAKES = (
    Mistake("kernel_rotated",
            "your dx uses the kernel rotated by 180 degrees: x[s h + i, s v + j] enters y[h, v] with the weight w[i, j], and its "
            "gradient comes back with the same weight", _own(lambda w, i, j: w[-1 - i, -1 - j])),
    Mistake("dw_rotated", "your dw is rotated by 180 degrees: a cross-correlation does not rotate the kernel",
            _own_dw(lambda dw, dy: dw[::-1, ::-1].copy())),
    Mistake("overwritten", "several taps read the same pixel of the image: add their gradients, with +=", _own(add=False)),
    Mistake("mean_over_batch", "dw is the sum over the samples of the batch, not the mean", _own_dw(lambda dw, dy: dw / len(dy))),
    *(Mistake("mean_over_pixels", "dw is the sum over the positions of the kernel, not the mean", _own_dw(mean)) for mean in (
        lambda dw, dy: dw / dy[..., 0].size, lambda dw, dy: dw / dy[0, ..., 0].size)),
    Mistake("one_sample", "your dw is that of the first sample; it is the sum over the samples of the batch", _first_sample),
    Mistake("transposed_kernel", "rows and columns of your kernel are swapped",
            _own(lambda w, i, j: w[min(j, len(w) - 1), min(i, w.shape[1] - 1)])),
    Mistake("stride_forgotten", "your backward pass has stride 1, whatever the stride is", _own(stride_of=lambda stride: 1)),
    Mistake("wrong_corner", CORNER, _own(begin=lambda padding: 0)),
    Mistake("wrong_corner", CORNER, _own(begin=lambda padding: 2 * padding)),
)

EXERCISES = {"conv_backward": Exercise("conv_backward", "backpropagate through a convolution", "(R3), (R4)",
                                       {"forward": conv.conv2d_forward, "backward": conv.conv2d_backward}, _cases, MISTAKES)}
