"""Wrong and right attempts at the exercises on time: delays, leaky neuron, plasticity, tutorial, sound; see `attempts`."""

STRETCH, DW7 = "darrival * np.exp(delay)", "((z - causal * np.where(fired, z_out, 0)[:, None, :]) * h[:, None, :]).sum(axis=0)"
DD, H = "ddelay = (darrival * z).sum(axis=0)", "h = np.where(fired, dz_out, 0) / np.where(fired, margin, 1)"
MARGIN = "margin = (causal * w).sum(axis=1) - threshold"
P7, DT8 = "p = -tau_m * dt_out / (current - threshold)", "dt_in = w * (q / tau_s - p / tau_m)"
LATER = "x, y = x + pre_t, y + post_t"
PLUS, MINUS = "dw += a_plus * np.outer(x, post_t)", "dw -= a_minus * np.outer(pre_t, y)"
RESET = "v = u[t] - threshold * spikes[t]"
ADD = "value, du = value + value_t, du + du_t"
EARS = "early, late = (left, right) if d >= 0 else (right, left)"
COUNT = "counts[k] = (early[:len(early) - abs(d)] * late[abs(d):]).sum()"
LARGEST = "delays[np.argmax(coincidences(a, b, delays))]"

WRONG = {
    "delay_backward": [
        ("delay_forgotten_in_dz_in", STRETCH, "darrival"),
        ("sent_for_arrival", DD, "ddelay = (darrival * np.where(causal, arrival / np.exp(delay), 0)).sum(axis=0)"),
        ("sent_for_arrival_in_dw", DW7,
         "((np.where(causal, arrival / np.exp(delay), 0) - causal * np.where(fired, z_out, 0)[:, None, :]) * h[:, None, :]).sum(axis=0)"),
        ("gradient_of_the_arrival", DD, "ddelay = darrival.sum(axis=0)"),
        ("stretch_for_arrival", DD, "ddelay = (darrival * np.exp(delay)).sum(axis=0)"),
        ("weight_forgotten_in_ddelay", DD, "ddelay = (z * h[:, None, :]).sum(axis=0)"),
        ("weight_forgotten_in_dz_in", STRETCH, "causal * h[:, None, :] * np.exp(delay)"),
        ("late_in_ddelay", DD, "ddelay = w * dw"),
        ("numerator_only", DW7, "(z * h[:, None, :]).sum(axis=0)"),
        ("mean_over_batch", "(darrival * z).sum(axis=0)", "(darrival * z).mean(axis=0)"),
        ("mean_over_outputs", "np.exp(delay)).sum(axis=2)", "np.exp(delay)).mean(axis=2)"),
        ("stretched_twice", STRETCH, "darrival * np.exp(2 * delay)"),
        ("denominator_without_threshold", MARGIN, "margin = (causal * w).sum(axis=1)"),
        ("denominator_all_weights", MARGIN, "margin = np.where(np.isfinite(arrival), w, 0).sum(axis=1) - threshold"),
        ("threshold_ignored", MARGIN, "margin = (causal * w).sum(axis=1) - 1"),
        ("no_denominator", H, "h = np.where(fired, dz_out, 0)"),
        ("causal_when_sent", MARGIN, "causal = (arrival / np.exp(delay) < z_out[:, None, :]) & fired[:, None, :]\n    " + MARGIN),
        ("outside_the_causal_set", MARGIN, MARGIN + "\n    causal = np.isfinite(arrival) & fired[:, None, :]"),
        ("simple", DD, "ddelay = -(darrival * z).sum(axis=0)"),
        ("note", DD, "ddelay = (darrival * z).sum(axis=2)"),
        ("note", "return dz_in, dw, ddelay", "return dz_in, dw"),
        ("", DD, "ddelay = (darrival * delay).sum(axis=0)"),
    ],
    "event_prop_spike": [
        ("leak_forgotten", P7, "p = -tau_m * dt_out / current"),
        ("tau_m_forgotten", P7, "p = -dt_out / (current - threshold)"),
        ("tau_s_for_tau_m", P7, "p = -tau_s * dt_out / (current - threshold)"),
        ("tau_m_multiplied", P7, "p = -dt_out / tau_m / (current - threshold)"),
        ("leaks_by_one", P7, "p = -tau_m * dt_out / (current - 1)"),
        ("late_current", "current = np.sum(causal * w * np.exp(-x / tau_s))",
         "came = np.isfinite(t_in)\n    current = np.sum((came * w * np.exp(-(t_out - np.where(came, t_in, 0)) / tau_s)))"),
        ("current_decays_with_tau_m", "w * np.exp(-x / tau_s)", "w * np.exp(-x / tau_m)"),
        ("current_does_not_decay", "causal * w * np.exp(-x / tau_s)", "causal * w"),
        ("slope_forgotten", P7, "p = -dt_out"),
        ("kappa_for_its_slope", DT8, "dt_in = -w * q"),
        ("current_part_alone", DT8, "dt_in = w * q / tau_s"),
        ("potential_part_alone", DT8, "dt_in = -w * p / tau_m"),
        ("parts_added", DT8, "dt_in = w * (q / tau_s + p / tau_m)"),
        ("weight_forgotten", DT8, "dt_in = q / tau_s - p / tau_m"),
        ("weight_in_dw", "dw = q", "dw = w * q"),
        ("decayed_current_in_dw", "dw = q", "dw = -tau_m * dt_out / (current - threshold) * np.where(causal, np.exp(-x / tau_s), 0)"),
        ("from_above_forgotten", P7, "p = -tau_m / (current - threshold)"),
        ("silent_is_nan", "return dt_in, dw", "return (dt_in, dw) if np.isfinite(t_out) else (dt_in * np.nan, dw * np.nan)"),
        ("simple", "dw = q", "dw = -q"),
        ("simple", DT8, "dt_in = -w * (q / tau_s - p / tau_m)"),
        ("note", "return dt_in, dw", "return dw"),
        ("note", "dw = q", "dw = q.sum()"),
        ("", DT8, "dt_in = w * (q / tau_s - p / tau_m) * np.exp(-x / tau_m)"),
        ("p_decayed_first", "q = np.where(causal, p * kappa", "q = np.where(causal, p * np.exp(-x / tau_m) * kappa"),
        ("late_inputs", "causal = t_in < t_out if np.isfinite(t_out)", "causal = np.isfinite(t_in) if np.isfinite(t_out)"),
        ("tau_s_forgotten", DT8, "dt_in = w * (q - p / tau_m)"),
    ],
    "stdp": [
        ("signs_swapped", PLUS, PLUS.replace("+=", "-="), MINUS, MINUS.replace("-=", "+=")),
        ("both_add", MINUS, MINUS.replace("-=", "+=")),
        ("factors_swapped", PLUS, PLUS.replace("plus", "minus"), MINUS, MINUS.replace("minus", "plus")),
        ("post_trace_adds", PLUS, "dw += a_plus * np.outer(pre_t, y)", MINUS, "dw -= a_minus * np.outer(x, post_t)"),
        ("updated_before_use", "x, y = decay_plus * x, decay_minus * y", "x, y = decay_plus * x + pre_t, decay_minus * y + post_t",
         LATER, "pass"),
        ("updated_before_use", "x, y = decay_plus * x, decay_minus * y", "x, y = decay_plus * x + pre_t, decay_minus * y",
         LATER, "y = y + post_t"),
        ("updated_before_use", "x, y = decay_plus * x, decay_minus * y", "x, y = decay_plus * x, decay_minus * y + post_t",
         LATER, "x = x + pre_t"),
        ("nearest_only", LATER, "x, y = np.maximum(x, pre_t), np.maximum(y, post_t)"),
        ("nearest_only", LATER, "x, y = np.where(pre_t == 1, 1, x), np.where(post_t == 1, 1, y)"),
        ("no_decay", "x, y = decay_plus * x, decay_minus * y", "pass"),
        ("decays_swapped", "decay_plus * x, decay_minus * y", "decay_minus * x, decay_plus * y"),
        ("one_decay", "decay_plus * x, decay_minus * y", "decay_plus * x, decay_plus * y"),
        ("one_step_short", "x, y = decay_plus * x, decay_minus * y", "pass", LATER,
         "x, y = decay_plus * x + pre_t, decay_minus * y + post_t"),
        ("decayed_once_more", "x, y = decay_plus * x, decay_minus * y", "pass",
         LATER, "x, y = decay_plus * (x + pre_t), decay_minus * (y + post_t)"),
        ("only_adds", MINUS, "pass"),
        ("only_takes_away", PLUS, "pass"),
        ("of_last_step", PLUS, PLUS.replace("+=", "="), MINUS, "dw = dw - a_minus * np.outer(pre_t, y)"),
        ("note", "return dw, x, y", "return dw.T, x, y"),
        ("note", "return dw, x, y", "return dw"),
        ("", LATER, "x, y = x + (1 - x) * pre_t / 2, y + (1 - y) * post_t / 2"),
    ],
    "repair_tutorial": [
        ("clue_reset", RESET, "v = u[t] - threshold * spikes[t - 1]"),
        ("clue_loss", ADD, "value, du = value_t, du_t"),
        ("clue_reset clue_loss", RESET, "v = u[t] - threshold * spikes[t - 1]", ADD, "value, du = value_t, du_t"),
        ("clue_reset_to_zero", RESET, "v = u[t] * (1 - spikes[t])"),
        ("clue_reset_twice", RESET, "v = u[t] - threshold * (spikes[t] + spikes[t - 1])"),
        ("clue_no_reset", RESET, "v = u[t]"),
        ("clue_size_of_reset", RESET, "v = u[t] - spikes[t]"),
        ("clue_reset_added", RESET, "v = u[t] + threshold * spikes[t]"),
        ("clue_half_of_loss", ADD, "value, du = value + value_t, du_t"),
        ("clue_value_of_loss", ADD, "value, du = value_t, du + du_t"),
        ("clue_mean", ADD, "value, du = value + value_t / len(u), du + du_t / len(u)"),
        ("clue_mean", "return value, du", "return value / len(u), du / len(u)"),
        ("clue_uphill", "w1 - lr * dw1, w2 - lr * dw2", "w1 + lr * dw1, w2 + lr * dw2"),
        ("clue_uphill simple", "return value, du", "return value, -du"),
        ("note", "return value, du", "return value"),
        ("clue_strict", "u[t] >= threshold", "u[t] > threshold"),
        ("clue_reset_twice", RESET, "u[t] = u[t] - threshold * spikes[t - 1]\n        v = u[t] - threshold * spikes[t]"),
    ],
    "localise": [
        ("wrong_ear", EARS, "early, late = (right, left) if d >= 0 else (left, right)"),
        ("goes_round", COUNT, "counts[k] = (np.roll(left, d, axis=0) * right).sum()"),
        ("all_pairs", COUNT, "counts[k] = (early[:len(early) - abs(d)].sum(axis=1) * late[abs(d):].sum(axis=1)).sum()"),
        ("counts_alone", COUNT, "counts[k] = (early[:len(early) - abs(d)].sum(axis=0) * late[abs(d):].sum(axis=0)).sum()"),
        ("magnitude_only", EARS, "early, late = left, right"),
        ("positive_only", COUNT, "counts[k] = (early[:len(early) - abs(d)] * late[abs(d):]).sum() if d >= 0 else 0"),
        ("one_step_off", EARS, "d = d + 1\n        " + EARS),
        ("either", COUNT, "counts[k] = np.maximum(early[:len(early) - abs(d)], late[abs(d):]).sum()"),
        ("alike", COUNT, "counts[k] = (early[:len(early) - abs(d)] == late[abs(d):]).sum()"),
        ("different", COUNT, "counts[k] = np.abs(early[:len(early) - abs(d)] - late[abs(d):]).sum()"),
        ("mean_over_overlap", COUNT, COUNT.replace(".sum()", ".sum() / (len(left) - abs(d))")),
        ("steps_not_fibres", COUNT, COUNT.replace(".sum()", ".any(axis=1).sum()")),
        ("place_of_delay", LARGEST, "np.argmax(coincidences(a, b, delays))"),
        ("fewest", LARGEST, "delays[np.argmin(coincidences(a, b, delays))]"),
        ("last_of_equal", LARGEST, "delays[::-1][np.argmax(coincidences(a, b, delays)[::-1])]"),
        ("smallest_of_equal", LARGEST, "np.sort(delays)[np.argmax(coincidences(a, b, np.sort(delays)))]"),
        ("other_sign", LARGEST, "-delays[np.argmax(coincidences(a, b, delays))]"),
        ("magnitude", LARGEST, "abs(delays[np.argmax(coincidences(a, b, delays))])"),
        ("largest_count", LARGEST, "coincidences(a, b, delays).max()"),
        ("note", COUNT, "counts[k] = (early * late[abs(d):]).sum()"),
        ("note", "return late", "return late[0]"),
        ("simple", COUNT, COUNT.replace("= (", "= 2 * (")),
        ("", COUNT, "counts[k] = (early[:len(early) - abs(d)] * late[abs(d):])[1:].sum()"),
    ],
}

RIGHT = {
    "delay_backward": [
        (0, "dz_in, dw, ddelay = np.zeros(arrival.shape[:2]), np.zeros_like(w), np.zeros_like(w)\n"
            "for b, j in zip(*np.nonzero(np.isfinite(z_out))):\n"
            "    c = causal[b, :, j]\n    h = dz_out[b, j] / (w[c, j].sum() - threshold)\n    z = arrival[b, c, j]\n"
            "    dz_in[b, c] += h * w[c, j] * np.exp(delay[c, j])\n    dw[c, j] += h * (z - z_out[b, j])\n"
            "    ddelay[c, j] += h * w[c, j] * z"),
        (0, "fired = np.isfinite(z_out)\n"
            "h = np.where(fired, dz_out, 0) / np.where(fired, np.einsum('bij,ij->bj', causal, w) - threshold, 1)\n"
            "z = np.where(causal, arrival, 0)\ndz_in = np.einsum('bij,ij,bj->bi', causal, w * np.exp(delay), h)\n"
            "dw = np.einsum('bij,bj->ij', z, h) - np.einsum('bij,bj->ij', causal, h * np.where(fired, z_out, 0))\n"
            "ddelay = w * np.einsum('bij,bj->ij', z, h)"),
        ("dz_in = (darrival * np.exp(delay)).sum(axis=2)",
         "sent = np.where(causal, arrival / np.exp(delay), 1)\n    dz_in = (darrival * z / sent).sum(axis=2)"),
        ("ddelay = (darrival * z).sum(axis=0)",
         "sent = z * np.exp(-delay)\n    ddelay = (darrival * sent * np.exp(delay)).sum(axis=0)"),
        ("w, delay, threshold, z_out, arrival, causal = cache", "w, delay, threshold, z_out, arrival, _ = cache\n"
         "    causal = (arrival < z_out[:, None, :]) & (z_out < np.inf)[:, None, :]"),
        ("remark", "return dz_in, dw, ddelay", "return dz_in.tolist(), dw.tolist(), ddelay.tolist()"),
        ("remark", "return dz_in, dw, ddelay", "return dz_in.astype('f4'), dw.astype('f4'), ddelay.astype('f4')"),
        ("return dz_in, dw, ddelay", "return [dz_in, dw, ddelay]"),
    ],
    "event_prop_spike": [
        (0, "causal = t_in < t_out\nif not np.isfinite(t_out):\n    causal[:] = False\ndt_in, dw = np.zeros(len(w)), np.zeros(len(w))\n"
            "x = t_out - t_in[causal]\nslope = (np.sum(w[causal] * np.exp(-x / tau_s)) - threshold) / tau_m\n"
            "if len(x):\n    k = kappa(x, tau_m, tau_s)\n    dw[causal] = -dt_out * k / slope\n"
            "    dt_in[causal] = dt_out * w[causal] * (np.exp(-x / tau_s) - k) / tau_m / slope"),
        (0, "dt_in, dw = np.zeros(len(w)), np.zeros(len(w))\nif t_out < np.inf:\n"
            "    early = [i for i in range(len(w)) if t_in[i] < t_out]\n"
            "    current = sum(w[i] * np.exp(-(t_out - t_in[i]) / tau_s) for i in early)\n    for i in early:\n"
            "        x = t_out - t_in[i]\n"
            "        rise = tau_s / (tau_m - tau_s) * (np.exp(-x / tau_s) / tau_s - np.exp(-x / tau_m) / tau_m)\n"
            "        dt_in[i] = dt_out * w[i] * rise * tau_m / (current - threshold)\n"
            "        dw[i] = -dt_out * kappa(x, tau_m, tau_s) * tau_m / (current - threshold)"),
        (0, "dt_in, dw = np.zeros(len(w)), np.zeros(len(w))\norder = [i for i in np.argsort(-t_in) if t_in[i] < t_out < np.inf]\n"
            "p, q, now = 0.0, 0.0, t_out\nif order:\n"
            "    p = -tau_m * dt_out / (sum(w[i] * np.exp((t_in[i] - t_out) / tau_s) for i in order) - threshold)\n"
            "for i in order:\n    back = now - t_in[i]\n"
            "    p, q, now = p * np.exp(-back / tau_m), q * np.exp(-back / tau_s) + p * kappa(back, tau_m, tau_s), t_in[i]\n"
            "    dt_in[i], dw[i] = w[i] * (q / tau_s - p / tau_m), q"),
        ("current = np.sum(causal * w * np.exp(-x / tau_s))", "current = (w[causal] * np.exp(-x[causal] / tau_s)).sum()"),
        ("remark", "return dt_in, dw", "return dt_in.tolist(), dw.tolist()"),
        ("remark", "return dt_in, dw", "return dt_in.astype('f4'), dw.astype('f4')"),
        ("return dt_in, dw", "return [dt_in, dw + 0.0]"),
    ],
    "stdp": [
        (0, "steps = np.arange(len(pre))\nk = steps[None, :] - steps[:, None]\n"
            "dw = pre.T @ window(k, a_plus, a_minus, decay_plus, decay_minus) @ post\n"
            "x = (decay_plus ** steps[::-1, None] * pre).sum(axis=0)\ny = (decay_minus ** steps[::-1, None] * post).sum(axis=0)"),
        (0, "dw = np.zeros((pre.shape[1], post.shape[1]))\nfor s, t in np.ndindex(len(pre), len(post)):\n    if s < t:\n"
            "        dw += a_plus * decay_plus ** (t - s) * np.outer(pre[s], post[t])\n    if s > t:\n"
            "        dw -= a_minus * decay_minus ** (s - t) * np.outer(pre[s], post[t])\n"
            "x, y = np.zeros(pre.shape[1]), np.zeros(post.shape[1])\n"
            "for t in range(len(pre)):\n    x, y = decay_plus * x + pre[t], decay_minus * y + post[t]"),
        (0, "dw, x, y = np.zeros((pre.shape[1], post.shape[1])), np.zeros(pre.shape[1]), np.zeros(post.shape[1])\n"
            "for t in range(len(pre)):\n    x, y = x * decay_plus, y * decay_minus\n    for i in range(len(x)):\n"
            "        for j in range(len(y)):\n"
            "            if post[t, j]:\n                dw[i, j] += a_plus * x[i]\n            if pre[t, i]:\n"
            "                dw[i, j] -= a_minus * y[j]\n    x[pre[t] == 1] += 1\n    y[post[t] == 1] += 1"),
        ("x, y = decay_plus * x, decay_minus * y                           # (H2)", "pass",
         PLUS, "dw += a_plus * decay_plus * np.outer(x, post_t)", MINUS, "dw -= a_minus * decay_minus * np.outer(pre_t, y)",
         LATER, "x, y = decay_plus * x + pre_t, decay_minus * y + post_t"),
        (PLUS, "dw = dw + a_plus * x[:, None] * post_t[None, :]"),
        ("return dw, x, y", "return [dw, x, y]"),
        ("remark", "return dw, x, y", "return dw.tolist(), x.tolist(), y.tolist()"),
        ("remark", "return dw, x, y", "return dw.astype('f4'), x.astype('f4'), y.astype('f4')"),
    ],
    "repair_tutorial": [
        (RESET, "v = np.where(spikes[t] == 1, u[t] - threshold, u[t])"),
        (RESET, "v = u[t] - threshold * (u[t] >= threshold)"),
        (ADD, "value += value_t\n        du += du_t"),
        (ADD, "value, du = np.float64(value_t) + value, np.add(du_t, du)"),
        ("return value, du", "return np.array(value), du"),
        ("remark", "return value, du", "return np.array([value]), du", "value, du2 = loss(u2, labels)",
         "value, du2 = loss(u2, labels)\n    value = value.item()"),
        ("remark", "return spikes, u", "return spikes.astype(bool), u"),
        (RESET, "v = u[t].copy()\n        v[spikes[t] == 1] -= threshold"),
    ],
    "localise": [
        (0, "counts = np.array([sum(left[t - d, i] * right[t, i] for t in range(max(d, 0), min(len(left), len(left) + d))\n"
            "                       for i in range(left.shape[1])) for d in delays])"),
        (0, "counts = np.zeros(len(delays))\nfor i in range(left.shape[1]):\n"
            "    full = np.correlate(right[:, i], left[:, i], mode='full')\n"
            "    counts += full[np.asarray(delays) + len(left) - 1]"),
        (0, "def moved(x, d):\n    out = np.zeros_like(x)\n    out[d:] = x[:len(x) - d]\n    return out\n"
            "counts = np.array([np.sum(moved(left, max(d, 0)) * moved(right, max(-d, 0))) for d in delays])"),
        (0, "n = len(left)\nspectrum = np.fft.rfft(right, 2 * n, axis=0) * np.fft.rfft(left, 2 * n, axis=0).conj()\n"
            "counts = np.rint(np.fft.irfft(spectrum, 2 * n, axis=0).sum(axis=1))[np.asarray(delays) % (2 * n)]"),
        (COUNT, "counts[k] = np.count_nonzero((early[:len(early) - abs(d)] > 0) & (late[abs(d):] > 0))"),
        ("remark", "return counts", "return counts.tolist()", "np.argmax(coincidences(a, b, delays))",
         "int(np.argmax(coincidences(a, b, delays)))"),
        ("remark", "return late", "return late.astype(float)"),
        ("remark", "return counts", "return counts.astype(int)"),
    ],
}
