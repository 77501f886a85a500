"""Right but unusual attempts at the exercises: edits of the solution, as in `attempts`. Each has full marks, some of them with a remark.

An attempt is (old, new, old, new, ...); "remark" in front says that the marks have a remark.
"""

from tests.cases import attempts_leaky, attempts_time

GRADIENT = 'np.einsum("bhvc,bhvo->co", padded[at], dy)'
POSITIONS = "for b, h, v, c in np.ndindex(*dy.shape):\n    "
ONE = "x[b, size * h:size * h + size, size * v:size * v + size, c]"
SUMS = "dgamma, dbeta = (dy * x_hat).sum(axis=0), dy.sum(axis=0)\n"
UNIT = "error = counts / N_STEPS - np.eye(w2.shape[1])[labels]\nloss = float((error ** 2).mean())\n"
FALLING = "falling[int((1 - percentile / 100) * falling.size + 1e-9)]"

RIGHT = {
    "spike_time": [
        (" <= z_next", " <= np.nextafter(z_next, np.inf)"),
        ("sum_w > threshold and", "sum_w >= threshold and"),
        ("order = order[np.isfinite(z_in[order])]", "pass"),
        ("return z_out", "return float(z_out)"),
        ("return z_out", "return np.array(z_out)"),
        ("remark", "return z_out", "return np.array([z_out])"),
        ("remark", "return z_out", "return [z_out]"),
        ("remark", "return z_out", "return np.float32(z_out)"),
        (0, "pairs = sorted((float(z), float(x)) for z, x in zip(z_in, w) if z < np.inf)\nz_out, s, p = np.inf, 0.0, 0.0\n"
            "for k, (z, x) in enumerate(pairs):\n    s, p = s + x, p + x * z\n"
            "    later = pairs[k + 1][0] if k + 1 < len(pairs) else np.inf\n"
            "    if z < later and s > threshold and p <= later * (s - threshold):\n        z_out = p / (s - threshold)\n        break"),
        (0, "times = np.unique(z_in[np.isfinite(z_in)])\nz_out = np.inf\nfor a, b in zip(times, np.append(times, np.inf)[1:]):\n"
            "    s, p = w[z_in <= a].sum(), (w * np.where(z_in <= a, z_in, 0)).sum()\n"
            "    if s > threshold and a <= p / (s - threshold) <= b:\n        z_out = p / (s - threshold)\n        break"),
        (0, "order = np.argsort(z_in)[:np.isfinite(z_in).sum()]\nz, x = z_in[order], w[order]\n"
         "z_next, a = np.append(z, np.inf)[1:], np.cumsum(x) - threshold\n"
            "with np.errstate(all='ignore'):\n    c = np.cumsum(x * z) / a\ngood = np.flatnonzero((a > 0) & (c <= z_next) & (z < z_next))\n"
            "z_out = c[good[0]] if len(good) else np.inf"),
        (0, "def search(times, s, p):\n    if not times or times[0] == np.inf:\n        return np.inf\n"
         "    s = s + w[z_in == times[0]].sum()\n"
            "    p = p + w[z_in == times[0]].sum() * times[0]\n    c = p / (s - threshold) if s > threshold else np.inf\n"
            "    return c if c <= (times + [np.inf])[1] else search(times[1:], s, p)\n"
            "z_out = search(sorted(set(z_in.tolist())), 0.0, 0.0)"),
    ],
    "temporal_backward": [
        (0, "fired = np.isfinite(z_out)\nh = np.where(fired, dz_out, 0) / np.where(fired, np.einsum('bij,ij->bj', causal, w) - threshold,"
         " 1)\n"
            "z, z_out = np.where(np.isfinite(z_in), z_in, 0), np.where(fired, z_out, 0)\ndz_in = np.einsum('bij,ij,bj->bi', causal, w, h)\n"
            "dw = np.einsum('bij,bi,bj->ij', causal, z, h) - np.einsum('bij,bj,bj->ij', causal, z_out, h)"),
        (0, "dz_in, dw = np.zeros_like(z_in), np.zeros_like(w)\nfor b, j in zip(*np.nonzero(np.isfinite(z_out))):\n"
         "    c = causal[b, :, j]\n"
            "    h = dz_out[b, j] / (w[c, j].sum() - threshold)\n    dz_in[b, c] += h * w[c, j]\n"
            "    dw[c, j] += h * (z_in[b, c] - z_out[b, j])"),
        (0, "dz_in, dw = np.zeros_like(z_in), np.zeros_like(w)\nfor b in range(len(z_in)):\n    for j in range(w.shape[1]):\n"
            "        if z_out[b, j] < np.inf:\n            c = causal[b, :, j]\n"
            "            a, p = w[c, j].sum() - threshold, (w[c, j] * z_in[b, c]).sum()\n"
            "            dz_in[b, c] += dz_out[b, j] * w[c, j] / a\n            dw[c, j] += dz_out[b, j] * (z_in[b, c] * a - p) / a ** 2"),
        ("z_in, w, threshold, z_out, causal = cache",
         "z_in, w, threshold, _, _ = cache\n    z_out, (*_, causal) = forward(z_in, w, threshold)"),
        ("remark", "return dz_in, dw", "return dz_in.tolist(), dw.tolist()"),
        ("remark", "return dz_in, dw", "return dz_in.astype(np.float32), dw.astype(np.float32)"),
        ("return dz_in, dw", "return [dz_in, dw]"),
        ("z_in, w, threshold, z_out, causal = cache", "z_in, w, threshold, z_out, _ = cache\n"
         "    causal = (z_in[:, :, None] < z_out[:, None, :]) & (z_out < np.inf)[:, None, :]"),
    ],
    "spike_loss": [
        (0, "dz = p.copy()\ndz[np.arange(len(z)), y] -= 1\ndz *= -1 / len(z)\ndz[~np.isfinite(z)] = 0"),
        (0, "dz = np.zeros_like(z)\nfor b in range(len(z)):\n    for j in range(z.shape[1]):\n        if z[b, j] < np.inf:\n"
            "            dz[b, j] = ((j == y[b]) - p[b, j]) / len(z)"),
        (0, "jacobian = np.einsum('bi,ij->bij', p, np.eye(z.shape[1])) - p[:, :, None] * p[:, None, :]\nk = np.arange(len(z))\n"
            "dz = np.where(np.isfinite(z), jacobian[k, y] / np.where(p[k, y] > 0, p[k, y], 1)[:, None] / len(z), 0)\n"
            "dz = np.where((p[k, y] == 0)[:, None] & np.isfinite(z), -p / len(z), dz)"),
        ("one_hot = np.eye(z.shape[1])[y]", "one_hot = y[:, None] == np.arange(z.shape[1])"),
        ("remark", "return value, dz", "return value, dz.tolist()"),
        ("remark", "return value, dz", "return value, dz.astype('f4')"),
        ("return value, dz", "return np.array(value), dz"),
        ("remark", "return value, dz", "return np.array([value]), dz"),
    ],
    "integrate_and_fire": [
        ("remark", "return spikes, v", "return spikes.astype(bool), v"),
        ("remark", "return spikes, v", "return spikes.astype(int), v"),
        ("remark", "return spikes, v", "return spikes.astype(np.float32), v"),
        ("remark", "return spikes, v", "return spikes.tolist(), v.tolist()"),
        ("remark", "v = v + current[t]", "v = v.astype('f4') + current[t].astype('f4')"),
        ("remark", 0, "spikes, v = [], np.full(current.shape[1], v_init)\nfor x in current:\n    v = v + x\n    s = v >= threshold\n"
                      "    v = v - threshold * s if reset == 'subtract' else v * ~s\n    spikes.append(s)"),
        (0, "spikes, v = np.zeros_like(current), np.zeros(current.shape[1]) + v_init\nfor b in range(current.shape[1]):\n"
            "    for t in range(current.shape[0]):\n        v[b] += current[t, b]\n        if v[b] >= threshold:\n"
            "            spikes[t, b] = 1\n"
            "            if reset == 'subtract':\n                v[b] -= threshold\n            else:\n                v[b] = 0"),
        ("spikes[t] = v >= threshold", "spikes[t] = np.heaviside(v - threshold, 1.0)"),
        (0, "import functools\n\ndef step(state, x):\n    u = state[0] + x\n    s = np.where(u >= threshold, 1.0, 0.0)\n"
            "    return (u - s * threshold if reset == 'subtract' else u - s * u), s\nrows = []\nv = np.full_like(current[0], v_init)\n"
            "for x in current:\n    v, s = step((v,), x)\n    rows.append(s)\nspikes = np.stack(rows)"),
    ],
    "surrogate_backward": [
        ("g = slope * e / (1 + e) ** 2", "g = slope / 4 / np.cosh(slope * np.minimum(np.abs(x), 100) / 2) ** 2"),
        ("e = np.exp(-slope * np.abs(x))\n        g = slope * e / (1 + e) ** 2",
         "s = 1 / (1 + np.exp(slope * np.abs(x).clip(0, 700 / slope)))\n"
         "        g = slope * s * (1 - s)"),
        ("dv = dv * (1.0 if detach_reset else 1.0 - threshold * g)", "dv = dv if detach_reset else dv - threshold * g * dv"),
        (1, "rows, dv = [], dv_final\nfor x, ds in zip(u[::-1], dspikes[::-1]):\n    g = surrogate_grad(x - threshold, kind, slope)\n"
            "    dv = g * (ds - (0 if detach_reset else threshold * dv)) + dv\n    rows.insert(0, dv)\ndcurrent = np.array(rows)"),
        (1, "def back(t):\n    if t == len(u):\n        return [dv_final]\n    rest = back(t + 1)\n"
         "    g = surrogate_grad(u[t] - threshold, kind, slope)\n"
            "    return [rest[0] * (1 - threshold * g * (not detach_reset)) + g * dspikes[t]] + rest\nrows = back(0)\n"
            "dcurrent, dv = np.stack(rows[:-1]), rows[0]"),
        ("remark", "return dcurrent, dv", "return list(dcurrent), dv"),
        ("remark", "return dcurrent, dv", "return dcurrent.astype(np.float32), dv.astype(np.float32)"),
        ("(np.pi / 2 * slope * x) ** 2", "np.square(x * slope * np.pi) / 4"),
    ],
    "conv_backward": [
        ("dw[i, j] = " + GRADIENT, "dw[i, j] = np.tensordot(padded[at], dy, axes=([0, 1, 2], [0, 1, 2]))"),
        ("dw[i, j] = " + GRADIENT, "dw[i, j] += padded[at].reshape(-1, w.shape[2]).T @ dy.reshape(-1, w.shape[3])"),
        ("dpadded[at] += dy @ w[i, j].T", "dpadded[at] += np.einsum('bhvo,co->bhvc', dy, w[i, j])"),
        (0, "padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))\n"
         "dpadded, dw = np.zeros_like(padded), np.zeros_like(w)\n"
            "for h in range(dy.shape[1]):\n    for v in range(dy.shape[2]):\n"
            "        at = (slice(None), slice(h * stride, h * stride + w.shape[0]), slice(v * stride, v * stride + w.shape[1]))\n"
            "        dpadded[at] += np.einsum('bo,ijco->bijc', dy[:, h, v], w)\n"
            "        dw += np.einsum('bijc,bo->ijco', padded[at], dy[:, h, v])\n"
            "dx = dpadded[:, padding:padding + x.shape[1], padding:padding + x.shape[2]]"),
        (0, "padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))\nkh, kw = w.shape[:2]\n"
         "full = np.zeros_like(padded)\n"
            "dw = np.zeros_like(w)\nfor i in range(kh):\n    for j in range(kw):\n        for b in range(len(x)):\n"
            "            at = tap_slices(i, j, dy.shape, stride)[1:]\n"
            "            dw[i, j] += np.einsum('hvc,hvo->co', padded[b][at], dy[b])\n"
            "            full[b][at] += np.dot(dy[b], w[i, j].T)\nend = [-padding or None] * 2\n"
            "dx = full[:, padding:end[0], padding:end[1]]"),
        ("remark", "return dx, dw", "return dx.tolist(), dw"),
        ("remark", "return dx, dw", "return dx.astype(np.float32), dw"),
        ("dx = dpadded[:, padding:padding + x.shape[1], padding:padding + x.shape[2]]",
         "dx = np.delete(np.delete(dpadded, [*range(padding), *range(x.shape[1] + padding, dpadded.shape[1])], axis=1),\n"
         "                   [*range(padding), *range(x.shape[2] + padding, dpadded.shape[2])], axis=2)"),
    ],
    "max_pool_backward": [
        (0, "dx = np.zeros_like(x)\n" + POSITIONS + f"i, j = np.unravel_index({ONE}.argmax(), (size, size))\n"
            "    dx[b, size * h + i, size * v + j, c] = dy[b, h, v, c]"),
        (0, "dx = np.zeros_like(x)\n" + POSITIONS + f"window = {ONE}\n    i, j = np.argwhere(window == y[b, h, v, c])[0]\n"
            "    dx[b, size * h + i, size * v + j, c] += dy[b, h, v, c]"),
        (0, "b, h, v, c = dy.shape\nwindows = x[:, :h * size, :v * size].reshape(b, h, size, v, size, c).transpose(0, 1, 3, 5, 2, "
         "4).reshape(b, h, v, c, -1)\n"
            "mask = np.arange(size * size) == windows.argmax(axis=-1)[..., None]\n"
            "back = (mask * dy[..., None]).reshape(b, h, v, c, size, size).transpose(0, 1, 4, 2, 5, 3).reshape(b, h * size, v * size, c)\n"
            "dx = np.zeros_like(x)\ndx[:, :h * size, :v * size] = back"),
        (0, "dx = np.zeros_like(x)\n" + POSITIONS + "done = False\n    for i in range(size):\n        for j in range(size):\n"
            "            if not done and x[b, size * h + i, size * v + j, c] == y[b, h, v, c]:\n"
            "                dx[b, size * h + i, size * v + j, c], done = dy[b, h, v, c], True"),
        ("dx[at] = np.where(first, dy, 0)", "dx[at] = first * dy"),
        ("remark", "return dx", "return dx.tolist()"),
        ("remark", "return dx", "return dx.astype(np.float32)"),
        ("dx, free = np.zeros_like(x), np.ones(y.shape, bool)", "dx, free = np.zeros(x.shape), np.full(y.shape, True)"),
    ],
    "batch_norm_backward": [
        (0, SUMS + "n = len(dy)\ndx = gamma / sigma * (dy if not of_batch else (n * dy - dbeta - x_hat * dgamma) / n)"),
        (0, SUMS + "d = dy * gamma\ndx = d / sigma\nif of_batch:\n"
         "    dx = (d - d.mean(axis=0) - x_hat * (d * x_hat).mean(axis=0)) / sigma"),
        (0, SUMS + "n, d = len(dy), dy * gamma\ndx = d / sigma\nif of_batch:\n    centred = x_hat * sigma\n"
            "    dvar = (d * centred).sum(axis=0) * -0.5 / sigma ** 3\n"
            "    dmean = -(d / sigma).sum(axis=0) + dvar * -2 * centred.mean(axis=0)\n"
            "    dx = d / sigma + dvar * 2 * centred / n + dmean / n"),
        (0, SUMS + "n = len(dy)\ndx = np.zeros_like(dy)\nfor c in range(dy.shape[1]):\n    jacobian = np.eye(n)\n    if of_batch:\n"
            "        jacobian = np.eye(n) - 1 / n - np.outer(x_hat[:, c], x_hat[:, c]) / n\n"
            "    dx[:, c] = gamma[c] / sigma[c] * (jacobian @ dy[:, c])"),
        ("dgamma = (dy * x_hat).sum(axis=0)", "dgamma = np.einsum('nc,nc->c', dy, x_hat)"),
        ("remark", "return dx, dgamma, dbeta", "return dx, list(dgamma), list(dbeta)"),
        ("remark", "return dx, dgamma, dbeta", "return dx.astype('f4'), dgamma.astype('f4'), dbeta.astype('f4')"),
        ("return dx, dgamma, dbeta", "return [dx, dgamma, dbeta]"),
    ],
    "proxy_step": [
        ("return loss, new_w1, new_w2", "return [loss, new_w1, new_w2]"),
        ("return loss, new_w1, new_w2", "return loss, new_w1.tolist(), new_w2.tolist()"),
        ("remark", "return loss, new_w1, new_w2", "return loss, new_w1.astype('f4'), new_w2.astype('f4')"),
        ("loss = float((error ** 2).mean())", "loss = np.mean(np.square(error))"),
        (0, UNIT + "n, m = error.shape\ndw1, dw2 = np.zeros_like(w1), np.zeros_like(w2)\nfor k in range(n):\n"
         "    c = 2 * error[k] / (n * m * N_STEPS)\n"
            "    dw2 += np.outer(a1[k], c)\n    dz = w2 @ c\n    dz[(a1[k] <= 0) | (a1[k] >= THRESHOLD)] = 0\n"
            "    dw1 += np.outer(x[k], dz)\n"
            "new_w1, new_w2 = w1 - lr * dw1, w2 - lr * dw2"),
        (0, "one_hot = (labels[:, None] == np.arange(w2.shape[1])) * N_STEPS\nloss = ((counts - one_hot) ** 2).mean() / N_STEPS ** 2\n"
            "c = (counts - one_hot) * 2 / counts.size / N_STEPS ** 2\nnew_w2 = w2 - lr * np.einsum('bi,bj->ij', a1, c)\n"
            "z = x @ w1\nnew_w1 = w1 - lr * np.einsum('bi,bj->ij', x, c.dot(w2.T) * (z > 0) * (z < THRESHOLD))"),
        ("new_w1, new_w2 = w1 - lr * dw1, w2 - lr * dw2",
         "new_w1, new_w2 = w1.copy(), w2.copy()\n    new_w1 -= lr * dw1\n    new_w2 -= lr * dw2"),
    ],
    "conversion": [
        ("top = " + FALLING,
         "top = sorted(activations.ravel().tolist(), reverse=True)[int((1 - percentile / 100) * activations.size + 1e-9)]"),
        ("top = " + FALLING,
         "k = int(np.floor((1 - percentile / 100) * falling.size + 1e-9))\n    top = np.partition(activations.ravel(), -1 - k)[-1 - k]"),
        ("falling = np.sort(activations.ravel())[::-1]", "import heapq", "top = " + FALLING,
         "top = heapq.nlargest(int((1 - percentile / 100) * activations.size + 1e-9) + 1, activations.ravel())[-1]"),
        ("s = float(top) if top > 0 else 1.0", "s = top or 1"),
        ("s = float(top) if top > 0 else 1.0", "s = np.where(top > 0, top, 1)"),
        ("remark", "s = float(top) if top > 0 else 1.0", "s = np.array([top if top > 0 else 1.0])"),
        ("remark", "return new_w, new_b", "return new_w.tolist(), new_b.tolist()"),
        ("remark", "return new_w, new_b", "return np.float32(new_w), np.float32(new_b)"),
        (1, "new_w = np.array([[before * x / after for x in row] for row in w])\nnew_b = np.divide(b, after)"),
        ("int((1 - percentile / 100) * falling.size + 1e-9)", "int(round((100 - percentile) * falling.size / 100, 9) // 1)"),
    ],
    "find_the_bug": [
        ("weights = w[order, j]", "weights = w[:, j][order]"),
        ("(causal * w).sum(axis=1) - 1.0", "np.einsum('bij,ij->bj', causal, w) - 1.0"),
        ("np.eye(z.shape[1])[y] - p, 0.0) / len(z)", "-(p - (y[:, None] == np.arange(z.shape[1]))), 0.0) / len(z)"),
        ("dz_hidden, _ = backward(dz, (z_hidden, w2, z_out))", "dz_hidden, _ = backward(dz, cache2)"),
        ("remark", "return z_out, (z_in, w, z_out)", "return z_out.tolist(), (z_in, w, z_out)", "z_hidden, cache1 = forward(z_in, w1)",
         "z_hidden, cache1 = forward(z_in, w1)\n    z_hidden = np.array(z_hidden)", "value, dz = loss(z_out, y)",
         "z_out = np.array(z_out)\n    value, dz = loss(z_out, y)"),
        ("return value, w1 - lr * dw1, new_w2", "return [np.float64(value), w1 - lr * dw1, new_w2]"),
        ("remark", "return value, w1 - lr * dw1, new_w2", "return value, np.float32(w1 - lr * dw1), new_w2"),
    ],
}
RIGHT |= attempts_leaky.RIGHT | attempts_time.RIGHT
