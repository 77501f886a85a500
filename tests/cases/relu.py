"""Sizes of convolutions and poolings, and what the operations of a ReLU network refuse."""

import numpy as np

SINGLE, DOUBLE = np.float32, np.float64
CONVS = {"same": (2, 5, 4, 2, 3, 3, 3, 1, 1), "valid": (2, 4, 5, 3, 2, 3, 3, 1, 0), "stride 2": (2, 6, 7, 2, 2, 3, 3, 2, 1),
         "one by one": (2, 3, 3, 3, 2, 1, 1, 1, 0), "five by five": (1, 5, 6, 1, 2, 5, 5, 1, 2), "one": (1, 1, 1, 1, 1, 1, 1, 1, 0),
         "floors": (2, 6, 6, 1, 2, 3, 3, 2, 0), "oblong": (2, 5, 6, 2, 2, 3, 2, 1, 1), "wide padding": (2, 4, 4, 2, 2, 3, 3, 1, 4),
         "padding and stride": (2, 5, 5, 2, 2, 2, 2, 3, 3), "stride 2, five": (2, 9, 8, 2, 3, 5, 5, 2, 2)}


def draw_conv(rng, b, h, v, n_in, n_out, kh, kw, stride, padding, dtype=DOUBLE):
    x, w = rng.normal(size=(b, h, v, n_in)).astype(dtype), rng.normal(size=(kh, kw, n_in, n_out)).astype(dtype)
    return x, w, stride, padding


POOLS = {"two": (2, 4, 6, 3, 2, None), "floors": (2, 5, 7, 2, 2, None), "overlap": (2, 7, 6, 2, 3, 2), "gaps": (1, 8, 8, 1, 2, 3),
         "step 1": (1, 4, 5, 17, 2, 1), "one": (2, 3, 3, 1, 1, None), "all": (2, 3, 3, 2, 3, None), "17": (1, 17, 18, 1, 17, 1)}
X, W = np.ones((2, 5, 4, 3)), np.ones((3, 3, 3, 2))
ONE = np.ones(3)
BAD = {
    "conv: channels": ("conv", "conv2d", (X, W[:, :, :2]), ValueError, r"x: expected shape \(any, any, any, 2\), got an array of shape"),
    "conv: kernel too large": ("conv", "conv2d", (X, np.ones((3, 5, 3, 2))), ValueError,
                               "w: expected a kernel no larger than the padded input, got 3 x 5 for 5 x 4 with padding 0"),
    "conv: stride 0": ("conv", "conv2d", (X, W, 0), ValueError, "stride: expected a whole number of at least 1, got int 0"),
    "conv: stride 1.0": ("conv", "conv2d", (X, W, 1.0), ValueError, r"stride: expected a whole number of at least 1, got float 1\.0"),
    "conv: stride True": ("conv", "conv2d", (X, W, True), ValueError, "stride: expected a whole number"),
    "conv: padding": ("conv", "conv2d", (X, W, 1, -1), ValueError, "padding: expected a whole number of at least 0, got int -1"),
    "conv: 3 dimensions": ("conv", "conv2d", (X[0], W), ValueError, "x: expected shape"),
    "conv: w with 3": ("conv", "conv2d", (X, W[0]), ValueError, "w: expected 4 dimensions"),
    "conv: mixed": ("conv", "conv2d", (X.astype(SINGLE), W), TypeError, "one float dtype.*x is float32, w is float64"),
    "conv: integers": ("conv", "conv2d", (X.astype(np.uint8), W), TypeError, "x: expected float32 or float64.*uint8.*encode"),
    "conv: empty batch": ("conv", "conv2d", (X[:0], W), ValueError, "x: expected at least one element"),
    "conv: list": ("conv", "conv2d", (X.tolist(), W), TypeError, "x: expected a NumPy array, got list"),
    "pool: window": ("pool", "max_pool2d", (X, 5), ValueError, "size: expected a window no larger than the input, got 5 for 5 x 4"),
    "pool: size": ("pool", "avg_pool2d", (X, 0), ValueError, "size: expected a whole number of at least 1"),
    "pool: stride": ("pool", "max_pool2d", (X, 2, 1.5), ValueError, "stride: expected a whole number of at least 1"),
    "pool: dimensions": ("pool", "avg_pool2d", (X[0],), ValueError, "x: expected 4 dimensions"),
    "bn: channels": ("batch_norm", "batch_norm", (X, np.ones(2), ONE), ValueError, r"gamma: expected shape \(3\), got"),
    "bn: mean alone": ("batch_norm", "batch_norm", (X, ONE, ONE, ONE), ValueError, "mean, var: expected both or neither, got mean alone"),
    "bn: var alone": ("batch_norm", "batch_norm", (X, ONE, ONE, None, ONE), ValueError, "both or neither, got var alone"),
    "bn: var < 0": ("batch_norm", "batch_norm", (X, ONE, ONE, ONE, -ONE), ValueError, r"var: expected no negative number, got -1\.0"),
    "bn: eps": ("batch_norm", "batch_norm", (X, ONE, ONE, None, None, 0), ValueError, "eps: expected a positive number, got int 0"),
    "bn: mixed": ("batch_norm", "batch_norm", (X, ONE.astype(SINGLE), ONE), TypeError, "one float dtype.*gamma is float32"),
    "bn: one dimension": ("batch_norm", "batch_norm", (ONE, ONE, ONE), ValueError, "x: expected 2 dimensions or more"),
    "dense: sizes": ("dense", "dense", (X[0, 0], np.ones((4, 2))), ValueError, r"x: expected shape \(any, 4\)"),
    "dense: b": ("dense", "dense", (X[0, 0], np.ones((3, 2)), ONE), ValueError, r"b: expected shape \(2\)"),
    "dense: b mixed": ("dense", "dense", (X[0, 0], np.ones((3, 2)), np.ones(2, SINGLE)), TypeError, "b is float32"),
    "dropout: p = 1": ("activations", "dropout", (X, 1.0, np.random.default_rng(0)), ValueError,
                       r"p: expected a number from 0 to below 1, got float 1\.0"),
    "dropout: p < 0": ("activations", "dropout", (X, -0.1, np.random.default_rng(0)), ValueError, "p: expected a number from 0"),
    "dropout: p NaN": ("activations", "dropout", (X, np.nan, np.random.default_rng(0)), ValueError, "p: expected a number from 0"),
    "dropout: rng": ("activations", "dropout", (X, 0.5, 7), TypeError, "rng: expected a numpy.random.Generator, got int 7"),
    "relu: integers": ("activations", "relu", (np.ones(3, int),), TypeError, "x: expected float32 or float64"),
    "flatten: one dimension": ("activations", "flatten", (ONE,), ValueError, "x: expected 2 dimensions or more"),
}
