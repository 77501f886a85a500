"""Wrong attempts at the exercises, as somebody types them: edits of the solution, and what the marks say of each.

An attempt is (said, old, new, old, new, ...). An `old` that is a number k stands for all that is written in the k-th place to fill
in. `said`: names of the hints, "simple" of one without a name; "note": an item says it in words, for instance a shape; "": nothing.
"""

from pysnn import exercises
from tests.cases import attempts_leaky, attempts_time

IN_TIME = "if sum_w > threshold and sum_wz / (sum_w - threshold) <= z_next:"
LATE = "np.where(causal, z_in[:, :, None] - np.where(fired, z_out, 0)[:, None, :], 0)"
DZ = "np.where(np.isfinite(z), -(p - one_hot) / len(z), 0.0)"
FALLING = "falling[int((1 - percentile / 100) * falling.size + 1e-9)]"
RESET = "v = np.where(spikes[t] == 1, v - threshold if reset == \"subtract\" else 0.0, v)"
ADD, FIRE = "v = v + current[t]", "spikes[t] = v >= threshold"
ATTACH = "dv = dv * (1.0 if detach_reset else 1.0 - threshold * g)"
SPIKE = "dv = dv + g * dspikes[t]"
ATAN, SIGMOID = "g = slope / 2 / (1 + (np.pi / 2 * slope * x) ** 2)", "g = slope * e / (1 + e) ** 2"
DPAD, CROP = "dpadded[at] += dy @ w[i, j].T", "dpadded[:, padding:padding + x.shape[1], padding:padding + x.shape[2]]"
DW = 'np.einsum("bhvc,bhvo->co", padded[at], dy)'
DX = "dx = dy - dbeta / len(dy) - x_hat * dgamma / len(dy)"
C, DZ1 = "c = 2 * error / error.size / N_STEPS", "dz1 = (c @ w2.T) * ((a1 > 0) & (a1 < THRESHOLD))"
NEW = "new_w1, new_w2 = w1 - lr * dw1, w2 - lr * dw2"
POOL = ("dx[at] = np.where(first, dy, 0)", "for i in range(size):\n        for j in range(size):")
MARGIN = "margin = (causal * w).sum(axis=1)"

WRONG = {
    "spike_time": [
        ("simultaneous_one_by_one", "if z_next == z_in[i]:", "if False:"),
        ("strict_next", "<= z_next", "< z_next"),
        ("minimum_of_all", IN_TIME, "if sum_w > threshold:", "z_out = sum_wz / (sum_w - threshold)",
         "z_out = min(z_out, sum_wz / (sum_w - threshold))",
         "break", "continue"),
        ("xor_causal_set", IN_TIME, "if (sum_w > threshold) != (sum_wz / (sum_w - threshold) <= z_next):"),
        ("unsorted_inputs", "order = np.argsort(z_in)", "order = np.arange(len(z_in))"),
        ("late_crossing", IN_TIME, "if sum_w > threshold:"),
        ("weak_prefix", "sum_w > threshold and", "sum_w != threshold and"),
        ("all_inputs", IN_TIME, "if k + 1 == len(order) and sum_w > threshold:"),
        ("denominator_without_threshold", "z_out = sum_wz / (sum_w - threshold)", "z_out = sum_wz / sum_w"),
        ("denominator_without_threshold", "sum_wz / (sum_w - threshold) <=", "sum_wz / sum_w <=", "z_out = sum_wz / (sum_w - threshold)",
         "z_out = sum_wz / sum_w"),
        ("threshold_ignored", "z_out = np.inf", "z_out, threshold = np.inf, 1.0"),
        ("time_instead_of_z", "return z_out", "return np.log(z_out)"),
        ("never_silent", "z_out = np.inf", "z_out = 0.0"),
        ("silent_as_minus_one", "z_out = np.inf", "z_out = -1"),
        ("silent_as_1000", "z_out = np.inf", "z_out = 1000.0"),
        ("silent_as_nan", "z_out = np.inf", "z_out = np.nan"),
        ("note", "z_out = np.inf", "z_out = None"),
        ("last_crossing", "break", "continue"),
        ("minimum_of_all", "break", "continue", "z_out = sum_wz / (sum_w - threshold) ",
         "z_out = min(z_out, sum_wz / (sum_w - threshold)) "),
        ("last_input_time", "z_out = sum_wz / (sum_w - threshold)", "z_out = z_in[i]"),
        ("weights_forgotten", "sum_wz += w[i] * z_in[i]", "sum_wz += z_in[i]"),
        ("note", "z_out = sum_wz / (sum_w - threshold)", "z_out = np.full(3, sum_wz / (sum_w - threshold))"),
    ],
    "temporal_backward": [
        ("denominator_all_weights", MARGIN, "margin = np.where(np.isfinite(z_in)[:, :, None], w, 0).sum(axis=1)"),
        ("denominator_without_threshold", "sum(axis=1) - threshold", "sum(axis=1)"),
        ("threshold_ignored", "sum(axis=1) - threshold", "sum(axis=1) - 1"),
        ("outside_the_causal_set", "late = np", "causal = np.isfinite(z_in)[:, :, None] & fired[:, None, :]\n    late = np"),
        ("inf_times_zero", LATE, "causal * (z_in[:, :, None] - z_out[:, None, :])",
         "np.where(fired, dz_out, 0) / np.where(fired, margin, 1)", "dz_out / margin"),
        ("numerator_only", LATE, "np.where(causal, z_in[:, :, None], 0)"),
        ("mean_over_batch", ".sum(axis=0)", ".mean(axis=0)"),
        ("inf_times_zero simple", "np.where(fired, dz_out, 0) /", "dz_out /"),
        ("simple", "dw = (late", "dw = -(late"),
        ("w_forgotten", "causal * w * h", "causal * h"),
        ("no_denominator", "np.where(fired, dz_out, 0) / np.where(fired, margin, 1)", "np.where(fired, dz_out, 0)"),
        ("denominator_squared", "np.where(fired, margin, 1)", "np.where(fired, margin, 1) ** 2"),
        ("w_in_dw", "dw = (late *", "dw = (late * w *"),
        ("mean_over_outputs", ".sum(axis=2)", ".mean(axis=2)"),
        ("note", ".sum(axis=2)", ".sum(axis=1)"),
        ("with_respect_to_t", "dz_in = (causal", "dz_in = np.where(np.isfinite(z_in), z_in, 0) * (causal"),
        ("", "dw = (late", "late = late / z_in[:, :, None]\n    dw = (late"),
        ("outside_the_causal_set", "dz_in = (causal * w * h[:, None, :]).sum(axis=2)", "dz_in = h @ w.T"),
        ("last_sample_only", "dw = (late * h[:, None, :]).sum(axis=0)",
         "dw = np.zeros_like(w)\n    for b, inside in enumerate(causal):\n        dw[inside] = (late * h[:, None, :])[b][inside]"),
        ("last_output_only", "dz_in = (causal * w * h[:, None, :]).sum(axis=2)", "dz_in = np.zeros_like(z_in)\n"
         "    for j in range(w.shape[1]):\n        dz_in[causal[:, :, j]] = (w * h[:, None, :])[:, :, j][causal[:, :, j]]"),
    ],
    "spike_loss": [
        ("softmax_sign", "-(p - one_hot)", "(p - one_hot)"),
        ("silent_gradient", DZ, "-(p - one_hot) / len(z)"),
        ("sum_over_batch", "one_hot) / len(z)", "one_hot)"),
        ("no_one_hot", "-(p - one_hot)", "-p"),
        ("probability_only", "-(p - one_hot)", "p"),
        ("mean_over_outputs", "/ len(z), 0.0)", "/ z.size, 0.0)"),
        ("no_probability", "-(p - one_hot)", "one_hot"),
        ("flipped_scores", "-(p - one_hot)", "(one_hot - np.exp(-scores) / np.exp(-scores).sum(axis=1, keepdims=True))"),
        ("flipped_scores", "-(p - one_hot)", "(np.exp(-scores) / np.exp(-scores).sum(axis=1, keepdims=True) - one_hot)"),
        ("label_alone", "-(p - one_hot)", "one_hot * (1 - p)"),
        ("softmax_diagonal", "-(p - one_hot)", "(-p * (1 - p))"),
        ("simple", "-(p - one_hot)", "-2 * (p - one_hot)"),
        ("squared_error", "-(p - one_hot)", "-2 * (p - one_hot) * p * (1 - p)"),
        ("with_respect_to_t", "-(p - one_hot)", "-(p - one_hot) * np.where(np.isfinite(z), z, 0)"),
        ("note", "-(p - one_hot)", "-(p - np.eye(len(z))[y])"),
        ("simple", "/ len(z), 0.0)", "/ len(z), np.nan)"),
        ("note", "return value, dz", "return dz"),
        ("log_probability", "-(p - one_hot)", "-(np.log(p) - one_hot)"),
    ],
    "integrate_and_fire": [
        ("fires_above", ">= threshold", "> threshold"),
        ("always_zero", RESET, "v = np.where(spikes[t] == 1, 0.0, v)"),
        ("always_subtract", RESET, "v = v - threshold * spikes[t]"),
        ("resets_to_v_init", "else 0.0, v)", "else v_init, v)"),
        ("subtracts_one", "v - threshold if", "v - 1 if"),
        ("no_reset", RESET, "pass"),
        ("many_spikes", FIRE, "spikes[t] = np.maximum(v // threshold, 0)", "spikes[t] == 1, v - threshold if",
         "spikes[t] > 0, v - threshold * spikes[t] if"),
        ("many_spikes", FIRE, "spikes[t] = np.maximum(v // threshold, 0)", "spikes[t] == 1", "spikes[t] > 0"),
        ("reset_late", ADD, ADD + "\n        if t: v = np.where(spikes[t - 1] == 1, v - threshold if reset == \"subtract\" else 0.0, v)",
         RESET, "pass"),
        ("begins_at_zero", "np.full_like(current[0], v_init)", "np.zeros_like(current[0])"),
        ("recorded_late", "return spikes, v", "return np.concatenate([0 * spikes[:1], spikes[:-1]]), v"),
        ("float32_inside", ADD, "v = v.astype('f4') + current[t].astype('f4')", "return spikes, v", "return spikes, v.astype(float)"),
        ("simple", ADD, "v = (v.astype('f4') + current[t].astype('f4')).astype(float)"),
        ("clipped_at_zero", ADD, "v = np.maximum(v + current[t], 0)"),
        ("leaky", ADD, "v = 0.9 * v + current[t]"),
        ("leaky", ADD, "v = v + (current[t] - v) / 2"),
        ("leaky", ADD, "v = 0.99 * v + current[t]"),
        ("threshold_ignored", ">= threshold", ">= 1.0", "v - threshold if", "v - 1.0 if"),
        ("threshold_ignored", ">= threshold", ">= 1.0"),
        ("current_only", FIRE, "spikes[t] = current[t] >= threshold"),
        ("before_the_reset", RESET, "last = v\n        " + RESET, "return spikes, v", "return spikes, last"),
        ("note", "return spikes, v", "return spikes"),
        ("swapped_resets", 'reset == "subtract"', 'reset == "zero"'),
        ("spikes_of_threshold", "return spikes, v", "return spikes * threshold, v"),
    ],
    "surrogate_backward": [
        ("slope_ignored", 'if kind == "atan":', 'slope = 2.0\n    if kind == "atan":'),
        ("sigmoid_overflow", "-slope * np.abs(x)", "-slope * x"),
        ("surrogate_off_centre", "surrogate_grad(u[t] - threshold,", "surrogate_grad(u[t],"),
        ("twice_as_high", "slope / 2 /", "slope /"),
        ("half_pi_forgotten", "np.pi / 2 * slope * x", "slope * x"),
        ("one_for_half_k", "slope / 2 /", "1 /"),
        ("over_threshold", "surrogate_grad(u[t] - threshold,", "surrogate_grad(u[t] / threshold - 1,"),
        ("surrogate_on_both", SPIKE, "dv = g * (dv + dspikes[t])"),
        ("one_over_pi", ATAN, "g = 1 / np.pi / (1 + (np.pi / 2 * slope * x) ** 2)"),
        ("one_over_pi", ATAN, "g = 1 / np.pi / (1 + (np.pi * x) ** 2)"),
        ("one_over_pi", ATAN, "g = slope / np.pi / (1 + (slope * x) ** 2)"),
        ("k_forgotten", "slope * e /", "e /"),
        ("attached_reset", "(1.0 if detach_reset else 1.0 - threshold * g)", "(1.0 - threshold * g)"),
        ("state_gradient_lost", ATTACH, "dv = (dv if t == len(u) - 1 else 0 * dv) * (1.0 if detach_reset else 1.0 - threshold * g)"),
        ("stale_membrane", "surrogate_grad(u[t] -", "surrogate_grad(u[max(t - 1, 0)] -"),
        ("always_detached", ATTACH, "pass"),
        ("attached_by_one", "1.0 - threshold * g", "1.0 - g"),
        ("wrong_way", "in reversed(range(len(u)))", "in range(len(u))"),
        ("only_where_fired", SPIKE, "dv = dv + g * dspikes[t] * (u[t] >= threshold)"),
        ("final_lost", "np.zeros_like(u), dv_final", "np.zeros_like(u), 0 * dv_final"),
        ("factor_after_spike", ATTACH, "pass", SPIKE, "dv = (dv + g * dspikes[t]) * (1.0 if detach_reset else 1.0 - threshold * g)"),
        ("reset_added", "1.0 - threshold * g", "1.0 + threshold * g"),
        ("final_returned", "return dcurrent, dv", "return dcurrent, dv_final"),
        ("no_surrogate", SPIKE, "dv = dv + (u[t] >= threshold) * dspikes[t]"),
        ("note", "return dcurrent, dv", "return dcurrent"),
        ("sigmoid_itself", SIGMOID, "g = 1 / (1 + np.exp(np.clip(-slope * x, -700, 700)))"),
        ("before_the_spike", "dcurrent[t] = dv", "pass", SPIKE, "dcurrent[t] = dv\n        dv = dv + g * dspikes[t]"),
    ],
    "conv_backward": [
        ("kernel_rotated", "dy @ w[i, j].T", "dy @ w[-1 - i, -1 - j].T"),
        ("dw_rotated", "dw[i, j] =", "dw[-1 - i, -1 - j] ="),
        ("overwritten", "dpadded[at] +=", "dpadded[at] ="),
        ("mean_over_batch", DW, DW + " / len(x)"),
        ("note", "dx = " + CROP, "dx = dpadded"),
        ("note", CROP, "dpadded[:, padding:-padding, padding:-padding]"),
        ("wrong_corner", CROP, "dpadded[:, :x.shape[1], :x.shape[2]]"),
        ("wrong_corner", CROP, "dpadded[:, dpadded.shape[1] - x.shape[1]:, dpadded.shape[2] - x.shape[2]:]"),
        ("note", "dy @ w[i, j].T", "dy @ w[i, j]"),
        ("stride_forgotten", "at = tap_slices(i, j, dy.shape, stride)", "at = tap_slices(i, j, dy.shape, 1)"),
        ("one_sample", DW, 'np.einsum("bhvc,bhvo->co", padded[at][:1], dy[:1])'),
        ("mean_over_pixels", DW, DW + " / dy[:, :, :, 0].size"),
        ("mean_over_pixels", DW, DW + " / dy[0, :, :, 0].size"),
        ("note", DW, 'np.einsum("bhvc,bhvo->oc", padded[at], dy)'),
        ("simple", "dpadded[at] += dy", "dpadded[at] -= dy"),
        ("transposed_kernel", "dy @ w[i, j].T", "dy @ w[min(j, len(w) - 1), min(i, w.shape[1] - 1)].T"),
        ("", DW, "padded[at].sum(axis=(0, 1, 2))[:, None] * np.ones(dy.shape[3])"),
    ],
    "max_pool_backward": [
        ("by_columns", POOL[1], "for j in range(size):\n        for i in range(size):"),
        ("max_pool_tie", POOL[1], "for i in reversed(range(size)):\n        for j in reversed(range(size)):"),
        ("every_equal", "free &= ~first", "pass"),
        ("shared", 0, "n = sum((x[:, i:size * y.shape[1]:size, j:size * y.shape[2]:size] == y) for i in range(size) for j in range(size))\n"
                      "dx = np.zeros_like(x)\nfor i in range(size):\n    for j in range(size):\n"
                      "        at = (slice(None), slice(i, size * y.shape[1], size), slice(j, size * y.shape[2], size))\n"
                      "        dx[at] = (x[at] == y) * dy / n"),
        ("average", POOL[0], "dx[at] = dy / size ** 2"),
        ("everywhere", POOL[0], "dx[at] = dy"),
        ("zeros_without", "(x[at] == y)", "(x[at] == y) & (y > 0)"),
        ("", 0, "dx = np.zeros_like(x)\ndx[:, ::size, ::size][:, :y.shape[1], :y.shape[2]] = dy"),
        ("everywhere", 0, "dx = np.repeat(np.repeat(dy, size, axis=1), size, axis=2)"),
        ("simple", POOL[0], "dx[at] = 0"),
        ("simple", POOL[0], "dx[at] = np.where(first, -dy, 0)"),
        ("times_maximum", POOL[0], "dx[at] = np.where(first, dy * y, 0)"),
        ("dy_forgotten", POOL[0], "dx[at] = first"),
        ("windows_of_2", "x, y, size = cache", "x, y, size = cache\n    size = 2"),
        ("smallest", "first = free & (x[at] == y)",
         "low = -((-x)[:, :size * y.shape[1], :size * y.shape[2]].reshape(len(x), y.shape[1], size, y.shape[2], size, -1)"
                     ".max(axis=(2, 4)))\n            first = free & (x[at] == low)"),
    ],
    "batch_norm_backward": [
        ("batch_norm_statistics", "of_batch = mean is None", "of_batch = True"),
        ("constants_differentiated", "if of_batch:\n        dx", "if True:\n        dx"),
        ("batch_as_constants", DX, "dx = dy"),
        ("variance_as_constant", DX, "dx = dy - dbeta / len(dy)"),
        ("mean_as_constant", DX, "dx = dy - x_hat * dgamma / len(dy)"),
        ("mean_over_batch", "return dx, dgamma, dbeta", "return dx, dgamma / len(dy), dbeta / len(dy)"),
        ("gamma_forgotten", "dx * gamma / sigma", "dx / sigma"),
        ("sigma_forgotten", "dx * gamma / sigma", "dx * gamma"),
        ("variance_for_sigma", "dx * gamma / sigma", "dx * gamma / sigma ** 2"),
        ("n_forgotten", DX, "dx = dy - dbeta - x_hat * dgamma"),
        ("x_hat_added", "- x_hat * dgamma", "+ x_hat * dgamma"),
        ("mean_added", "dx = dy - dbeta", "dx = dy + dbeta"),
        ("x_hat_forgotten", "- x_hat * dgamma", "- dgamma"),
        ("n_minus_one", DX, "dx = dy - dbeta / len(dy) - x_hat * dgamma / (len(dy) - 1)"),
        ("swapped_statistics", "if of_batch:\n        dx", "if not of_batch:\n        dx"),
        ("gamma_in_dgamma", "(dy * x_hat).sum", "(dy * gamma * x_hat).sum"),
        ("gamma_in_dgamma", "return dx, dgamma", "return dx, gamma * dgamma"),
        ("note", "dy.sum(axis=0)", "dy.sum()"),
        ("note", "return dx, dgamma, dbeta", "return dx, dgamma"),
        ("swapped_gradients", "return dx, dgamma, dbeta", "return dx, dbeta, dgamma"),
    ],
    "proxy_step": [
        ("updated_early", "c @ w2.T", "c @ (w2 - lr * dw2).T"),
        ("unseen_regulariser", NEW, "new_w1, new_w2 = w1 - lr * (dw1 + 0.01 * w1), w2 - lr * (dw2 + 0.01 * w2)"),
        ("own_error", "a1, _ = relu", "a1, a2 = relu", C, "c = 2 * (a2 - np.eye(w2.shape[1])[labels]) / error.size / N_STEPS"),
        ("own_error", "a1, _ = relu", "a1, a2 = relu", "error = counts / N_STEPS", "error = a2"),
        ("loss_over_samples", "(error ** 2).mean()", "(error ** 2).sum() / len(x)"),
        ("loss_over_samples mean_over_samples", "(error ** 2).mean()", "(error ** 2).sum() / len(x)",
         C, "c = 2 * error / len(x) / N_STEPS"),
        ("with_respect_to_rates", C, "c = 2 * error / error.size"),
        ("no_ceiling", "((a1 > 0) & (a1 < THRESHOLD))", "(a1 > 0)"),
        ("no_mask", DZ1, "dz1 = c @ w2.T"),
        ("mean_over_samples", C, "c = 2 * error / len(x) / N_STEPS"),
        ("no_factor_2", C, "c = error / error.size / N_STEPS"),
        ("factor_2_and_mean", C, "c = error / len(x) / N_STEPS"),
        ("summed", "(error ** 2).mean()", "(error ** 2).sum()", C, "c = 2 * error / N_STEPS"),
        ("counts_as_rates", "error = counts / N_STEPS", "error = counts"),
        ("no_step", NEW, "new_w1, new_w2 = dw1, dw2"),
        ("spikes_as_inputs", "dw2 = a1.T @ c",
         "v, r = THRESHOLD / 2, 0.0\n    for _ in range(N_STEPS):\n        v = v + x @ w1\n        s = (v >= THRESHOLD) * 1.0\n"
                             "        v = v - THRESHOLD * s\n        r = r + s / N_STEPS\n    dw2 = r.T @ c"),
        ("uphill", NEW, "new_w1, new_w2 = w1 + lr * dw1, w2 + lr * dw2"),
        ("uphill", NEW, "new_w1, new_w2 = w1 - lr * dw1, w2 + lr * dw2"),
        ("simple", "(error ** 2).mean()", "(error ** 2).mean() / 2"),
        ("note", "return loss, new_w1, new_w2", "return new_w1, new_w2"),
        ("note", "dw2 = a1.T @ c", "dw2 = a1 @ c.T"),
        ("absolute", "(error ** 2).mean()", "np.abs(error).mean()"),
    ],
    "conversion": [
        ("maximum", "top = " + FALLING, "top = falling[0]"),
        ("between_two", "top = " + FALLING, "top = np.percentile(activations, percentile)"),
        ("counted_from_below", "top = " + FALLING, "top = np.percentile(activations, percentile, method='higher')"),
        ("counted_from_below", "top = " + FALLING, "top = np.percentile(activations, percentile, method='nearest')"),
        ("counted_from_below", "top = " + FALLING, "top = np.percentile(activations, percentile, method='lower')"),
        ("rounded", "int((1 - percentile / 100) * falling.size + 1e-9)", "round((1 - percentile / 100) * falling.size)"),
        ("rounded", "int((1 - percentile / 100) * falling.size + 1e-9)", "int(np.ceil((1 - percentile / 100) * falling.size - 1e-9))"),
        ("rounded_down", " + 1e-9", ""),
        ("from_the_smallest", ".ravel())[::-1]", ".ravel())"),
        ("one_too_far", "+ 1e-9)]", "+ 1e-9) - 1]"),
        ("zero_scale", "s = float(top) if top > 0 else 1.0", "s = float(top)"),
        ("upside_down", "(before / after)", "(after / before)"),
        ("layer_before_forgotten", "(before / after)", "(1 / after)"),
        ("bias_as_weight", "new_b = b / after", "new_b = b * (before / after)"),
        ("bias_forgotten", "new_b = b / after", "new_b = b.copy()"),
        ("note", "falling = np.sort(activations.ravel())[::-1]", "falling = np.sort(activations, axis=0)[::-1]",
         "top > 0", "top.all()", "float(top)", "top"),
        ("per_sample", ".ravel())[::-1]", ".max(axis=1))[::-1]"),
        ("bias_multiplied", "new_b = b / after", "new_b = b * after"),
        ("not_divided", "(before / after)", "after"),
    ],
    "find_the_bug": [
        ("clue_forward", "w[order, j]", "w[:, j]"),
        ("clue_backward", "(causal * w).sum(axis=1) - 1.0", "w.sum(axis=0) - 1.0"),
        ("clue_loss", "np.eye(z.shape[1])[y] - p", "p - np.eye(z.shape[1])[y]"),
        ("clue_step", "dz_hidden, _ = backward(dz, (z_hidden, w2, z_out))", "dz_hidden, _ = backward(dz, (z_hidden, new_w2, z_out))"),
        ("clue_forward clue_loss", "w[order, j]", "w[:, j]", "np.eye(z.shape[1])[y] - p", "p - np.eye(z.shape[1])[y]"),
        ("clue_backward clue_loss", "(causal * w).sum(axis=1) - 1.0", "w.sum(axis=0) - 1.0", "np.eye(z.shape[1])[y] - p",
         "p - np.eye(z.shape[1])[y]"),
        ("clue_forward clue_backward", "w[order, j]", "w[:, j]", "(causal * w).sum(axis=1) - 1.0", "w.sum(axis=0) - 1.0"),
        ("clue_margin", "(causal * w).sum(axis=1) - 1.0", "(causal * w).sum(axis=1)"),
        ("clue_margin", "margin = (causal * w).sum(axis=1) - 1.0", "margin = w.sum(axis=0)"),
        ("", "z_next = np.append(z[order][1:], np.inf)", "z_next = np.append(z[1:], np.inf)"),
        ("clue_mean", "[y] - p, 0.0) / len(z)", "[y] - p, 0.0)"),
        ("clue_not_updated", "return value, w1 - lr * dw1, new_w2", "return value, w1 - lr * dw1, w2"),
        ("clue_not_updated", "return value, w1 - lr * dw1, new_w2", "return value, w1, new_w2"),
        ("clue_uphill", "w1 - lr * dw1, new_w2", "w1 + lr * dw1, new_w2"),
        ("clue_uphill", "new_w2 = w2 - lr * dw2", "new_w2 = w2 + lr * dw2"),
        ("simple", "np.eye(z.shape[1])[y] - p, 0.0)", "np.eye(z.shape[1])[y] - p, np.nan)"),
    ],
}
WRONG |= attempts_leaky.WRONG | attempts_time.WRONG


def write(name, changes):
    """Write an attempt: change lines of the solution."""
    text = exercises.text(name, True)
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        if isinstance(old, int):
            old = places(text)[old]
            new = "\n".join("    " + line for line in new.splitlines()) + "\n"
        assert text.count(old) == 1 and old != new, (name, old, text.count(old))
        text = text.replace(old, new)
    return text


def places(text):
    """Return what is written in the places to fill in."""
    lines, found = text.splitlines(keepends=True), []
    for k, line in enumerate(lines):
        if "# your lines:" in line:
            end = next(n for n in range(k, len(lines)) if lines[n].startswith("    return "))
            found.append("".join(lines[k + 1:end]))
    return found
