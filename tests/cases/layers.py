"""Layers as somebody else might write them, in NumPy: right ones, and what goes wrong in them.

A fault is a change of the text of a right layer; with it stand the kinds of checks of which one must catch it. A variant is another text
that is right, too, and by which convention.
"""

from typing import NamedTuple

NEURON = '''
OPERATION, THRESHOLD = "integrate_fire", 1.0
RULE, SURROGATE, DETACH_RESET = ("subtract", "same", ">="), ("atan", 2.0), True


def slope(x):
    return 1 / (1 + (np.pi * x) ** 2)


def forward(current):
    v, u, spikes = np.zeros(current.shape[1:]), np.empty(current.shape), np.empty(current.shape)
    for t, x in enumerate(current):
        u[t] = v + x
        spikes[t] = u[t] >= THRESHOLD
        v = u[t] - THRESHOLD * spikes[t]
    return spikes, (u, spikes)


def backward(dspikes, cache):
    u, spikes = cache
    dcurrent, dv = np.empty_like(u), np.zeros(u.shape[1:])
    for t in reversed(range(len(u))):
        dv = dv + slope(u[t] - THRESHOLD) * dspikes[t]
        dcurrent[t] = dv
    return dcurrent
'''

WHOLE = '''
OPERATION = "integrate_fire"
RULE, SURROGATE = ("zero", "same", ">="), ("fast_sigmoid", 5.0)


def forward(current, threshold, v_init):
    v, u, s = v_init, np.empty(current.shape), np.empty(current.shape)
    for t, x in enumerate(current):
        u[t] = v + x
        s[t] = u[t] >= threshold
        v = u[t] * (1 - s[t])
    return s, v, (u, s, threshold)


def backward(dspikes, cache, dv_final, how, detach_reset):
    u, s, threshold = cache
    d, dv = np.empty_like(u), dv_final
    for t in reversed(range(len(u))):
        g = 1 / (1 + 5 * np.abs(u[t] - threshold)) ** 2
        ds = dspikes[t] - (0 if detach_reset else u[t] * dv)
        dv = dv * (1 - s[t]) + g * ds
        d[t] = dv
    return d, dv
'''

LEAKY = '''
OPERATION = "leaky"
RULE, SURROGATE, DETACH_RESET = ("subtract", "same", ">="), ("sigmoid", 4.0), True


def forward(current, beta, threshold, v_init):
    v, u, s, before = v_init, np.empty(current.shape), np.empty(current.shape), np.empty(current.shape)
    for t, x in enumerate(current):
        before[t] = v
        u[t] = beta * v + x
        s[t] = u[t] >= threshold
        v = u[t] - threshold * s[t]
    return s, v, (u, s, before, beta, threshold)


def backward(dspikes, cache, dv_final, dv_all):
    u, s, before, beta, threshold = cache
    d, dbeta, dtheta, dv = np.empty_like(u), np.zeros(u.shape[-1]), np.zeros(u.shape[-1]), dv_final
    for t in reversed(range(len(u))):
        e = np.exp(-4 * np.abs(u[t] - threshold))
        g = 4 * e / (1 + e) ** 2 * dspikes[t]
        dtheta -= (dv * s[t] + g).sum(axis=0)
        du = dv + g + dv_all[t]
        d[t] = du
        dbeta += (du * before[t]).sum(axis=0)
        dv = beta * du
    return d, dbeta, dtheta, dv
'''

TIMES = '''
OPERATION = "temporal"


def forward(z_in, w, threshold):
    order = np.argsort(z_in, axis=1, kind="stable")
    zs = np.take_along_axis(z_in, order, axis=1)[:, :, None]
    there = np.isfinite(zs)
    ws, z0 = np.where(there, w[order], 0), np.where(there, zs, 0)
    num, den = np.cumsum(ws * z0, axis=1), np.cumsum(ws, axis=1) - threshold
    later = np.concatenate([zs[:, 1:], np.full((len(zs), 1, 1), np.inf)], axis=1)
    with np.errstate(invalid="ignore"):
        ok = there & (den > 0) & (later > zs) & (num <= den * later)
    z = np.where(ok, num / np.where(ok, den, 1), np.inf)
    z = np.take_along_axis(z, ok.argmax(axis=1)[:, None], axis=1)[:, 0]
    return z, (z_in, w, z, threshold)


def backward(dz, cache):
    z_in, w, z, threshold = cache
    fired = np.isfinite(z)
    causal = (z_in[:, :, None] < z[:, None, :]) & fired[:, None, :]
    den = np.where(causal, w, 0).sum(axis=1) - threshold
    h = np.where(fired, dz, 0) / np.where(fired, den, 1)
    zi, zo = np.where(np.isfinite(z_in), z_in, 0), np.where(fired, z, 0)
    dw = (np.where(causal, zi[:, :, None] - zo[:, None, :], 0) * h[:, None, :]).sum(axis=0)
    return (np.where(causal, w, 0) * h[:, None, :]).sum(axis=2), dw
'''

DENSE = '''
OPERATION = "dense"


def forward(x, w, b):
    return x @ w + b, (x, w)


def backward(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)
'''

CONV = '''
OPERATION = "conv2d"


def forward(x, w, stride, padding):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, cols = ((x.shape[k + 1] - w.shape[k]) // stride + 1 for k in (0, 1))
    y = np.zeros((len(x), rows, cols, w.shape[3]))
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            y += x[:, i:i + stride * rows:stride, j:j + stride * cols:stride][:, :rows, :cols] @ w[i, j]
    return y, (x, w, stride, padding)


def backward(dy, cache):
    x, w, stride, padding = cache
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    rows, cols = dy.shape[1:3]
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            seen = (slice(None), slice(i, i + stride * rows, stride), slice(j, j + stride * cols, stride))
            dx[seen][:, :rows, :cols] += dy @ w[i, j].T
            dw[i, j] = np.einsum("nijc,nijo->co", x[seen][:, :rows, :cols], dy)
    return dx[:, padding:x.shape[1] - padding, padding:x.shape[2] - padding], dw
'''

POOL = '''
OPERATION = "max_pool2d"


def forward(x, size):
    h, w = x.shape[1] // size, x.shape[2] // size
    windows = x[:, :h * size, :w * size].reshape(len(x), h, size, w, size, -1).transpose(0, 1, 3, 5, 2, 4)
    windows = windows.reshape(len(x), h, w, -1, size ** 2)
    return windows.max(axis=-1), (windows.argmax(axis=-1), x.shape, size)


def backward(dy, cache):
    winner, shape, size = cache
    dx = np.zeros(shape)
    b, i, j, c = np.indices(winner.shape)
    dx[b, i * size + winner // size, j * size + winner % size, c] = dy
    return dx
'''

NORM = '''
OPERATION = "batch_norm"


def forward(x, gamma, beta, mean=None, var=None):
    axes, own = tuple(range(x.ndim - 1)), mean is None
    if own:
        mean, var = x.mean(axis=axes), x.var(axis=axes)
    h = (x - mean) / np.sqrt(var + 1e-5)
    return gamma * h + beta, (h, var, gamma, axes, own)


def backward(dy, cache):
    h, var, gamma, axes, own = cache
    dh = dy * gamma
    dx = (dh - (dh.mean(axis=axes) + h * (dh * h).mean(axis=axes) if own else 0)) / np.sqrt(var + 1e-5)
    return dx, (dy * h).sum(axis=axes), dy.sum(axis=axes)
'''

RELU = '''
OPERATION = "relu"


def forward(x):
    return np.maximum(x, 0), x


def backward(dy, x):
    return dy * (x > 0)
'''


class Fault(NamedTuple):
    """A change that makes a layer wrong."""

    name: str
    text: str        # of the right layer
    kinds: set       # of checks; each of them catches it
    old: str
    new: str


FAULTS = (
    # gradients that are cut, late, scaled or clamped
    Fault("cut every 8 steps", NEURON, {"sizes"}, "dv = dv + slope", "dv = dv * (t % 8 != 7) + slope"),
    Fault("cut every 64 steps", NEURON, {"sizes"}, "dv = dv + slope", "dv = dv * (t % 64 != 63) + slope"),
    Fault("the last of 200 steps alone", NEURON, {"sizes"}, "reversed(range(len(u)))", "reversed(range(max(0, len(u) - 200), len(u)))"),
    Fault("blocks of 8 neurons", NEURON, {"sizes"},
          "u, spikes = cache",
          "u, spikes = cache\n    u = u.copy()\n    k = u.shape[-1] // 8 * 8\n    u[1:, ..., :k] = u[:-1, ..., :k].copy()"),
    Fault("blocks of 32 neurons", NEURON, {"sizes"},
          "return dcurrent",
          "dcurrent[..., :dcurrent.shape[-1] // 32 * 32] *= 2\n    return dcurrent"),
    Fault("the first 4 samples alone", NEURON, {"sizes"}, "return dcurrent", "dcurrent[:, 4:] = 0\n    return dcurrent"),
    Fault("clamped at 10", NEURON, {"contract"},
          "dv = dv + slope(u[t] - THRESHOLD) * dspikes[t]",
          "dv = np.clip(dv + slope(u[t] - THRESHOLD) * dspikes[t], -10, 10)"),
    Fault("clamped at 1e5", NEURON, {"contract"}, "return dcurrent", "return np.clip(dcurrent, -1e5, 1e5)"),
    Fault("tiny gradients dropped", NEURON, {"contract"}, "return dcurrent", "return np.where(np.abs(dcurrent) < 1e-4, 0, dcurrent)"),
    Fault("gradient of one norm", NEURON, {"contract"}, "return dcurrent", "return dcurrent / max(1, np.abs(dcurrent).max() / 50)"),
    Fault("mean over the batch", NEURON, {"contract", "sizes"}, "return dcurrent", "return dcurrent / u.shape[1]"),
    Fault("float32 inside", NEURON, {"golden vectors", "sizes"}, "return dcurrent", "return dcurrent.astype(np.float32).astype(float)"),
    # arguments, caches and buffers
    Fault("dspikes in place", NEURON, {"contract"},
          "u, spikes = cache\n",
          "u, spikes = cache\n    dspikes *= slope(u - THRESHOLD)\n    return np.cumsum(dspikes[::-1], axis=0)[::-1]\n"),
    Fault("current in place", NEURON, {"contract"}, "        u[t] = v + x\n", "        x += v\n        u[t] = x\n"),
    Fault("cache in place", NEURON, {"contract"}, "u, spikes = cache\n", "u, spikes = cache\n    spikes += 1\n"),
    Fault("cache emptied", NEURON, {"contract"},
          "return spikes, (u, spikes)\n\n\ndef backward(dspikes, cache):\n    u, spikes = cache\n",
          "return spikes, [u, spikes]\n\n\ndef backward(dspikes, cache):\n    spikes, u = cache.pop(), cache.pop()\n"),
    Fault("spikes in place", NEURON, {"contract"}, "u, spikes = cache\n", "u, spikes = cache\n    spikes[0] = 0\n"),
    Fault("shared buffer of spikes", NEURON, {"contract"},
          "def forward(current):\n    v, u, spikes = np.zeros(current.shape[1:]), np.empty(current.shape), np.empty(current.shape)",
          "BUFFER = {}\n\n\ndef forward(current):\n    v, u = np.zeros(current.shape[1:]), np.empty(current.shape)\n"
          "    spikes = BUFFER.setdefault(current.shape, np.empty(current.shape))"),
    Fault("shared buffer of potentials", NEURON, {"contract"},
          "def forward(current):\n    v, u, spikes = np.zeros(current.shape[1:]), np.empty(current.shape), np.empty(current.shape)",
          "BUFFER = {}\n\n\ndef forward(current):\n    v, spikes = np.zeros(current.shape[1:]), np.empty(current.shape)\n"
          "    u = BUFFER.setdefault(current.shape, np.empty(current.shape))"),
    Fault("shared buffer of gradients", NEURON, {"contract"},
          "def backward(dspikes, cache):\n    u, spikes = cache\n    dcurrent, dv = np.empty_like(u)",
          "GRADS = {}\n\n\ndef backward(dspikes, cache):\n    u, spikes = cache\n"
          "    dcurrent, dv = GRADS.setdefault(u.shape, np.empty_like(u))"),
    Fault("state kept between calls", NEURON, {"contract"},
          "    return spikes, (u, spikes)",
          "    spikes[0] = (spikes[0] + KEPT.get(current.shape, 0)) % 2\n"
          "    KEPT[current.shape] = KEPT.get(current.shape, 0) + 1\n    return spikes, (u, spikes)\n\n\nKEPT = {}"),
    Fault("the cache of the last call", NEURON, {"contract"},
          "return spikes, (u, spikes)\n\n\ndef backward(dspikes, cache):\n    u, spikes = cache\n",
          "LAST[:] = [u]\n    return spikes, None\n\n\nLAST = []\n\n\ndef backward(dspikes, cache):\n    u = LAST[0]\n"),
    # samples
    Fault("sample 0 for all", NEURON, {"contract", "sizes"},
          "u, spikes = cache\n",
          "u, spikes = cache\n    u = np.broadcast_to(u[:, :1], u.shape)\n"),
    Fault("starts where sample 0 ended", NEURON, {"contract", "sizes"},
          "        v = u[t] - THRESHOLD * spikes[t]\n",
          "        v = u[t] - THRESHOLD * spikes[t] + 1e-3 * spikes[t, :1]\n"),
    # the neuron
    Fault("fires above the threshold", NEURON, {"dynamics"}, "u[t] >= THRESHOLD", "u[t] > THRESHOLD"),
    Fault("surrogate off centre", NEURON, {"sizes"}, "slope(u[t] - THRESHOLD)", "slope(u[t])"),
    Fault("no gradient of the last potential through a spike", WHOLE, {"frozen offsets", "sizes"},
          "dv = dv * (1 - s[t]) + g * ds",
          "dv = dv * (1 - s[t] * (t < len(u) - 1)) + g * ds"),
    Fault("attached where declared detached", WHOLE, {"frozen offsets"}, "(0 if detach_reset else u[t] * dv)", "u[t] * dv"),
    Fault("dv_final in place", WHOLE, {"contract"}, "dv = np.empty_like(u), dv_final", "dv = np.empty_like(u), dv_final\n    dv *= 1.5"),
    Fault("v_init in place", WHOLE, {"contract"}, "        v = u[t] * (1 - s[t])", "        v *= 0\n        v += u[t] * (1 - s[t])"),
    Fault("no leak backwards", LEAKY, {"frozen offsets", "sizes"}, "dv = beta * du", "dv = du"),
    Fault("beta of one sample", LEAKY, {"contract", "sizes"}, "(du * before[t]).sum(axis=0)", "(du * before[t])[0]"),
    Fault("threshold without its reset", LEAKY, {"frozen offsets", "sizes"}, "(dv * s[t] + g)", "g"),
    # the temporal neuron
    Fault("crossing at an input belongs to the next set", TIMES, {"edges", "golden vectors"}, "num <= den * later", "num < den * later"),
    Fault("cut inside ties", TIMES, {"edges"},
          "    with np.errstate",
          "    later = np.stack([np.where(zs[:, :, 0] > zs[:, k], zs[:, :, 0], np.inf).min(axis=1) for k in "
          "range(zs.shape[1])], axis=1)[:, :, None]\n    with np.errstate"),
    Fault("denominator of 0.05 at least", TIMES, {"edges", "golden vectors"},
          "- threshold\n    h =",
          "- threshold\n    den = np.maximum(den, 0.05)\n    h ="),
    Fault("denominator of 1e-3 at least", TIMES, {"edges"},
          "- threshold\n    h =",
          "- threshold\n    den = np.maximum(den, 1e-3)\n    h ="),
    Fault("denominator of 1e-5 at least", TIMES, {"edges"},
          "- threshold\n    h =",
          "- threshold\n    den = np.maximum(den, 1e-5)\n    h ="),
    Fault("eps in the denominator", TIMES, {"complex step", "edges"}, "- threshold\n    h =", "- threshold + 1e-6\n    h ="),
    Fault("silent below 1e-4", TIMES, {"edges"}, "(den > 0)", "(den > 1e-4)"),
    Fault("inputs exactly at the spike", TIMES, {"edges"}, "z_in[:, :, None] < z[:, None, :]", "z_in[:, :, None] <= z[:, None, :]"),
    Fault("spike times of 1000 at most", TIMES, {"edges"},
          "    return z, (z_in",
          "    z = np.where(np.isfinite(z), np.minimum(z, 1e3), z)\n    return z, (z_in"),
    Fault("dw of the first 100 inputs", TIMES, {"sizes"},
          "return (np.where(causal, w, 0)",
          "dw[100:] = 0\n    return (np.where(causal, w, 0)"),
    # maps
    Fault("dw averaged", DENSE, {"contract", "gradcheck", "sizes"}, "x.T @ dy", "x.T @ dy / len(x)"),
    Fault("bias of sample 0", DENSE, {"contract", "gradcheck"}, "dy.sum(axis=0)", "dy[0] * len(dy)"),
    Fault("weights in place", DENSE, {"contract"}, "    x, w = cache\n", "    x, w = cache\n    w -= 0.01 * x.T @ dy\n"),
    Fault("square kernels alone", CONV, {"sizes"},
          "for j in range(w.shape[1]):\n            seen",
          "for j in range(w.shape[0]):\n            j %= w.shape[1]\n            seen"),
    Fault("square images alone", CONV, {"sizes"}, "rows, cols = dy.shape[1:3]", "rows, cols = dy.shape[1:3]\n    cols = min(rows, cols)"),
    Fault("stride 3 as 2", CONV, {"sizes"},
          "    x, w, stride, padding = cache\n",
          "    x, w, stride, padding = cache\n    stride = min(stride, 2)\n"),
    Fault("kernel not flipped", CONV, {"gradcheck", "sizes"}, "dy @ w[i, j].T", "dy @ w[-1 - i, -1 - j].T"),
    Fault("channels in blocks of 4", CONV, {"sizes"},
          "    return y, (x,",
          "    y[..., y.shape[-1] // 4 * 4:] = 0 * y[..., y.shape[-1] // 4 * 4:] + y[..., y.shape[-1] // 4 * 4:] * "
          "(y.shape[-1] < 8)\n    return y, (x,"),
    Fault("gradient at the first of each window", POOL, {"golden vectors", "gradcheck", "sizes"}, "winner // size", "0 * winner"),
    Fault("the last of equals", POOL, {"ties"}, "windows.argmax(axis=-1)", "size ** 2 - 1 - windows[..., ::-1].argmax(axis=-1)"),
    Fault("unbiased variance", NORM, {"definition", "sizes"}, "x.var(axis=axes)", "x.var(axis=axes, ddof=1)"),
    Fault("no gradient through the statistics", NORM, {"gradcheck", "sizes"}, "if own else 0", "if False else 0"),
    Fault("gradient through given statistics", NORM, {"gradcheck", "statistics"}, "if own else 0", "if True else 0"),
    Fault("statistics of sample 0", NORM, {"definition"},
          "mean, var = x.mean(axis=axes), x.var(axis=axes)",
          "mean, var = x[:1].mean(axis=axes), x.var(axis=axes)"),
    Fault("running statistics in place", NORM, {"contract"}, "    h = (x - mean)", "    mean *= 1 if own else 0.9\n    h = (x - mean)"),
    Fault("leaks below zero", RELU, {"gradcheck", "sizes"}, "dy * (x > 0)", "dy * np.where(x > 0, 1, 1e-3)"),
    Fault("gradient in place", RELU, {"contract"}, "return dy * (x > 0)", "dy *= x > 0\n    return dy"),
)


class Variant(NamedTuple):
    """A right layer in another style."""

    name: str
    text: str
    old: str = ""
    new: str = ""
    convention: str = ""      # by which it is right, if not the contract's


def _weights_first(text):
    text = text.replace("def forward(z_in, w, threshold):\n", "def forward(z_in, w, threshold):\n    w = w.T\n")
    return text.replace("axis=2), dw\n", "axis=2), dw.T\n")


def _of_times(text):
    text = text.replace("def forward(z_in, w, threshold):\n", "def forward(t_in, w, threshold):\n    z_in = np.exp(t_in)\n")
    text = text.replace("    return z, (z_in", "    return np.log(z), (z_in").replace("backward(dz, cache):\n", "backward(dt, cache):\n")
    text = text.replace("z_in, w, z, threshold = cache\n", "z_in, w, z, threshold = cache\n    dz = dt / z\n")
    return text.replace("return (np.where(causal, w, 0) * h[:, None, :]).sum(axis=2), dw",
                        "return zi * (np.where(causal, w, 0) * h[:, None, :]).sum(axis=2), dw")


def _channels_first(text):
    text = text.replace("def forward(x, w, stride, padding):\n", "def forward(x, w, stride, padding):\n    x, w = x.transpose(0, 2, 3, 1), "
                        "w.transpose(2, 3, 1, 0)\n").replace("return y, (x, w", "return y.transpose(0, 3, 1, 2), (x, w")
    text = text.replace("def backward(dy, cache):\n", "def backward(dy, cache):\n    dy = dy.transpose(0, 2, 3, 1)\n")
    return text.replace("    return dx[:, padding:x.shape[1] - padding, padding:x.shape[2] - padding], dw",
                        "    dx = dx[:, padding:x.shape[1] - padding, padding:x.shape[2] - padding]\n"
                        "    return dx.transpose(0, 3, 1, 2), dw.transpose(3, 2, 0, 1)")


def _images_first(text):
    text = text.replace("    return dx", "    return np.moveaxis(dx, -1, 1)")
    text = text.replace("(dy, cache):\n", "(dy, cache):\n    dy = np.moveaxis(dy, 1, -1)\n")
    text = text.replace("def forward(x, size):\n", "def forward(x, size):\n    x = np.moveaxis(x, 1, -1)\n")
    text = text.replace("mean=None, var=None):\n", "mean=None, var=None):\n    x = np.moveaxis(x, 1, -1)\n")
    return text.replace("return gamma * h + beta,", "return np.moveaxis(gamma * h + beta, -1, 1),").replace(
        "return windows.max(axis=-1),", "return np.moveaxis(windows.max(axis=-1), -1, 1),")


def _slope(text, formula):
    return text.replace("1 / (1 + (np.pi * x) ** 2)", formula)


SINGLE = "returns float32: compared to 1e-4"
OUTPUT, CHANNELS = "with weights (N_out, N_in)", "with channels first (N, C, H, W)"
CACHE = "return spikes, (u, spikes)\n\n\ndef backward(dspikes, cache):\n    u, spikes = cache\n"
VARIANTS = (
    *(Variant(f"as it is, {k}", text) for k, text in enumerate((NEURON, WHOLE, LEAKY, TIMES, DENSE, CONV, POOL, NORM, RELU))),
    Variant("cumulative sums", NEURON, "    for t in reversed(range(len(u))):\n        dv = dv + slope(u[t] - THRESHOLD) * dspikes[t]\n"
            "        dcurrent[t] = dv\n    return dcurrent\n",
            "    return np.cumsum((slope(u - THRESHOLD) * dspikes)[::-1], axis=0)[::-1]\n"),
    Variant("lists, and a dictionary as cache", NEURON, CACHE,
            "return spikes, {'u': list(u)}\n\n\ndef backward(dspikes, cache):\n    u = np.array(cache['u'])\n"),
    Variant("an object as cache", NEURON, CACHE, "c = Cache()\n    c.u = u\n    return spikes, c\n\n\nclass Cache:\n    pass\n\n\n"
            "def backward(dspikes, cache):\n    u = cache.u\n"),
    Variant("sums of all inputs before, minus spikes", NEURON, "        u[t] = v + x\n",
            "        u[t] = current[:t + 1].sum(axis=0) - spikes[:t].sum(axis=0)\n"),
    Variant("a list of gradients", DENSE, "return dy @ w.T, x.T @ dy, dy.sum(axis=0)", "return [dy @ w.T, x.T @ dy, dy.sum(axis=0)]"),
    Variant("a threshold of its own", NEURON, '"integrate_fire", 1.0', '"integrate_fire", 0.7'),
    Variant("no bias", DENSE.replace("x, w, b)", "x, w)").replace(" + b", ""), ", dy.sum(axis=0)", ""),
    Variant("boxcar", _slope(NEURON, "2.0 * (np.abs(x) < 0.25)"), '("atan", 2.0)', '("boxcar", 2.0)'),
    Variant("triangle of height 0.3", _slope(NEURON, "0.3 * np.maximum(0, 1 - np.abs(x))"), '("atan", 2.0)', '("triangle", 1.0, 0.3)'),
    Variant("boxcar of a whole neuron", WHOLE.replace("1 / (1 + 5 * np.abs(u[t] - threshold)) ** 2", "(np.abs(u[t] - threshold) < 0.5)"),
            '("fast_sigmoid", 5.0)', '("boxcar", 1.0)'),
    Variant("gaussian off centre", _slope(NEURON, "np.exp(-(2 * (x - 0.25)) ** 2 / 2)"), '("atan", 2.0)', '("gaussian", 2.0, 1.0, 0.25)'),
    Variant("a function as surrogate", _slope(NEURON, "1 / np.cosh(x) ** 2"), '("atan", 2.0)', "lambda x: 1 / np.cosh(x) ** 2"),
    Variant("a function as surrogate of a whole neuron",
            WHOLE.replace("1 / (1 + 5 * np.abs(u[t] - threshold)) ** 2", "SURROGATE(u[t] - threshold)"),
            '("fast_sigmoid", 5.0)', "lambda x: 0.5 * np.exp(-np.abs(x))"),
    Variant("float32", NEURON.replace("np.empty(current.shape)", "np.empty_like(current)").replace(
        "np.zeros(current.shape[1:])", "0 * current[0]").replace("np.zeros(u.shape[1:])", "0 * u[0]").replace(
            "= cache\n", "= cache\n    dspikes = dspikes.astype(np.float32)\n"),
            "def forward(current):\n", "def forward(current):\n    current = current.astype(np.float32)\n", SINGLE),
    Variant("float32 weights", DENSE.replace("= cache\n", "= cache\n    dy = dy.astype(np.float32)\n"),
            "(x, w, b):\n", "(x, w, b):\n    x, w, b = (a.astype(np.float32) for a in (x, w, b))\n", SINGLE),
    Variant("weights first", _weights_first(TIMES), convention=OUTPUT),
    Variant("weights first, dense", DENSE.replace("x @ w +", "x @ w.T +").replace("dy @ w.T", "dy @ w").replace("x.T @ dy", "dy.T @ x"),
            convention=OUTPUT),
    Variant("times", _of_times(TIMES), convention="with times t in place of z = exp(t)"),
    Variant("channels first", _channels_first(CONV), convention=CHANNELS + " and weights (O, I, kh, kw)"),
    Variant("channels first, declared", _channels_first(CONV) + '\n\nLAYOUT = "channels first", "output first"\n',
            convention=CHANNELS + " and weights (O, I, kh, kw)"),
    Variant("pools of channels first", _images_first(POOL), convention=CHANNELS),
    Variant("normalisation of channels first", _images_first(NORM), convention=CHANNELS),
    Variant("another eps", NORM, "1e-5", "1e-3", "with eps = 0.001"),
    Variant("another eps, channels first", _images_first(NORM), "1e-5", "1e-3", CHANNELS + " and eps = 0.001"),
    Variant("another eps, declared", NORM + "\n\nEPS = 1e-3\n", "1e-5", "1e-3", "with eps = 0.001"),
)
