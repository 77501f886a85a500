"""Changes that survive and change no result: where, which, and why; a judgement by a reader, not by a machine."""

K = "pysnn/kernels/"

EQUIVALENT = (   # file, function, source line, what becomes what (any of them), why
    (K + "temporal.py", "_advance", "if k % 32 == 0:", ("0 -> 1",), "only how often it looks whether all have fired, to stop early"),
    (K + "temporal.py", "_advance", "live = 0", ("0 -> 1",), "no early stop, which only saves time"),
    (K + "event_conv.py", "image", "total, flags = np.empty(line, v.dtype), np.zeros((2, line), np.uint8)", ("2 -> 3",),
     "a row of room more than is used"),
    (K + "temporal.py", "forward", "some = _SAMPLES if n_out <= 4 * _LANES else 4 * _SAMPLES          # a block packs its weights first: "
     "worth it for many samples", ("4 -> 5",), "how many samples a block has; any cut gives the same"),
    (K + "event_conv.py", "make_lists", "height, width = height // 2, width // 2", ("height // 2 -> height * 2",),
     "more room than is used: `image` writes to the places of the pooled size"),
    (K + "event_conv.py", "lay_out",
     "return Layer(table, b, (*size[:2], n_in, n_out), width, 3 if 3 * n_in * width * w.itemsize <= _TABLE else 1, pool)",
     ("3 if 3 * n_in * width * w.itemsize <= _TABLE else 1 -> 3",), "how many pixels' events are taken at once; both ways give the same"),
    (K + "integrate_fire.py", "_surrogate", "d[i] = k * max(zero, one - k * abs(u[i] - threshold))",
     ("u[i] - threshold -> threshold - u[i]",), "only the absolute value is used"),
    ("pysnn/reference/integrate_fire.py", "backward", "d = surrogate_grad(u[t] - threshold, surrogate)",
     ("u[t] - threshold -> threshold - u[t]",), "every surrogate is even, to the last bit"),
    (K + "event_conv.py", "lay_out",
     "return Layer(np.empty((1, 0), kind), np.empty(width, kind), (*size[:2], n_in, n_out), width, 1, pool)",
     ("1 -> 2",), "the first stage has a constant current: its table and span are never read"),
)


def why(one):
    """Return why a survivor changes no result, or "".

    Parameters
    ----------
    one : dict
        With file, function, text (the source line), old and new.

    Returns
    -------
    str
        The reason.
    """
    for file, function, text, changes, reason in EQUIVALENT:
        if (one["file"], one["function"], one["text"]) == (file, function, text) and f"{one['old']} -> {one['new']}" in changes:
            return reason
    return ""
