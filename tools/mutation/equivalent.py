"""Changes that survive and change no result: where, which, and why; argued by a reader, not by a machine."""

K = "pysnn/kernels/"

EQUIVALENT = (   # file, function, source line, what becomes what (any of them), why
    (K + "batch_norm.py", "_statistics", "parts = np.empty((len(plan.blocks), 2, n_c))", ("2 -> 3",), "a row of room more than is used"),
    (K + "batch_norm.py", "_moments", "total[c] += (row[c] - mean[c]) ** 2",
     ("row[c] - mean[c] -> mean[c] - row[c]",), "only its square is used"),
    (K + "_event_dense.py", "_add", "some = min(1024, max(256, -(-n_rows // 4))) if few else n_rows",
     ("-n_rows // 4 -> 4 // -n_rows", "-(-n_rows // 4) -> -n_rows // 4", "4 -> 3"),
     "how many rows a block has, one or more; any cut gives the same"),
    (K + "temporal.py", "scan", "some = _SAMPLES if n_out <= WIDTHS[-1] else 4 * _SAMPLES          # a block packs its weights first: "
     "worth it for many samples", ("4 -> 3", "n_out <= WIDTHS[-1] -> n_out < WIDTHS[-1]", "n_out <= WIDTHS[-1] -> n_out > WIDTHS[-1]",
                                                "4 * _SAMPLES -> _SAMPLES"),
     "how many samples a block has; any cut gives the same"),
    (K + "_event_conv.py", "lay_out",
     "return Layer(table, b, (*size[:2], n_in, n_out), width, 3 if 3 * n_in * width * w.itemsize <= _TABLE else 1, pool)",
     ("3 * n_in * width * w.itemsize -> 3 * n_in * width / w.itemsize", "3 * n_in * width -> width",
      "3 * n_in * width -> 3 * n_in / width"),
     "how many pixels' events are taken at once; both ways give the same"),
    (K + "spiking.py", "_Net.__init__",
     "self.counts = [np.zeros_like(v) if keep_counts else np.zeros((len(v), *(0,) * (v.ndim - 1)), v.dtype) for v in self.v]",
     ("(0,) * (v.ndim - 1) -> (0,)",), "never read; with the compiler on it does not compile, and the ordinary tests fail"),
    (K + "spiking.py", "_Net.__init__",
     "self.counts = [np.zeros_like(v) if keep_counts else np.zeros((len(v), *(0,) * (v.ndim - 1)), v.dtype) for v in self.v]",
     ("np.zeros((len(v), *(0,) * (v.ndim - 1)), v.dtype) -> np.ones((len(v), *(0,) * (v.ndim - 1)), v.dtype)",),
     "an empty array, of ones or zeros"),
    (K + "_event_conv.py", "make_lists", "height, width = height // 2, width // 2", ("2 -> 1",), "more room than is used"),
    (K + "_event_conv.py", "block_width", "return 64 if n_out > 32 else 32 if n_out > 16 else 16", ("n_out > 16 -> n_out >= 16",),
     "a block of 16 outputs gets 16 more that are padding"),
    (K + "_event_conv.py", "block_width", "return 64 if n_out > 32 else 32 if n_out > 16 else 16", ("16 -> 15",),
     "where it changes the last number, compiled code needs whole vectors and crashes: the ordinary tests fail"),
    (K + "batch_norm.py", "_pull", "width = len(params[0])", ("0 -> -1",), "all parameters are repeated to one width"),
    (K + "_event_dense.py", "listed", "if n_events.sum() > _BUSY * flags.size:",
     ("_BUSY * flags.size -> flags.size", "n_events.sum() -> n_events.mean()"),
     "never by the product, always by events; both give the same sums"),
    (K + "_event_dense.py", "listed",
     "columns, starts = np.empty(room.sum(), np.uint32), np.empty((len(flags), -(-flags.shape[1] // _INPUTS) + 1), np.int64)",
     ("-flags.shape[1] // _INPUTS -> -flags.shape[1] * _INPUTS",), "blocks of inputs beyond the last one, with nothing in them"),
    (K + "temporal.py", "_last_arrivals", "last = np.arange(len(z_in)), np.maximum(n_all, 1) - 1", ("1 -> 0",),
     "a sample without any spike takes another time; its sums are not read"),
    (K + "_events.py", "adder_in_python.<locals>.add", "if (last - first) % 2:", ("last - first -> last",),
     "zeros are added in other cases than on the machine"),
    ("pysnn/learning/temporal.py", "rescale", "if 0 < max_norm < norm:", ("0 < max_norm < norm -> 0 < max_norm <= norm",),
     "where both are equal the factor is 1"),
    ("pysnn/learning/temporal.py", "report", "n += len(came[0])", ("0 -> 1",), "all layers have the batch's length"),
    ("pysnn/reference/temporal.py", "backward", "h = np.where(fires, dz_out[b], 0) / margin[b]", ("0 -> 1",),
     "a silent neuron's causal set is empty, which masks it again"),
    (K + "activations.py", "_relu", "y[i] = zero if x[i] < zero else (top if x[i] > top else x[i])", ("x[i] > top -> x[i] >= top",),
     "at x = top both are top"),
    ("pysnn/reference/pool.py", "max_pool2d_forward",
     "return y, MaxCache(winner.astype(np.min_scalar_type(size * size - 1)), x.shape, x.dtype, size, stride)",
     ("size * size - 1 -> 1 - size * size",),
     "a signed type that holds -(s * s - 1) holds s * s - 1 as well, for that is no power of two beyond 3"),
    (K + "_event_conv.py", "image", "total, flags = np.empty(part, v.dtype), np.zeros((n_steps, 2, v.shape[1]), np.uint8)", ("2 -> 3",),
     "a row of room more than is used"),
    (K + "temporal.py", "scan", "some = _SAMPLES if n_out <= WIDTHS[-1] else 4 * _SAMPLES          # a block packs its weights first: "
     "worth it for many samples", ("4 -> 5",), "how many samples a block has; any cut gives the same"),
    (K + "_event_conv.py", "make_lists", "height, width = height // 2, width // 2", ("height // 2 -> height * 2",),
     "more room than is used: `image` writes to the places of the pooled size"),
    (K + "_event_conv.py", "lay_out",
     "return Layer(table, b, (*size[:2], n_in, n_out), width, 3 if 3 * n_in * width * w.itemsize <= _TABLE else 1, pool)",
     ("3 if 3 * n_in * width * w.itemsize <= _TABLE else 1 -> 3",), "how many pixels' events are taken at once; both ways give the same"),
    (K + "integrate_fire.py", "surrogate_of", "d[i] = k * max(zero, one - k * abs(u[i] - threshold))",
     ("u[i] - threshold -> threshold - u[i]",), "only the absolute value is used"),
    ("pysnn/reference/integrate_fire.py", "backward", "d = surrogate_grad(u[t] - threshold, surrogate)",
     ("u[t] - threshold -> threshold - u[t]",), "every surrogate is even, to the last bit"),
    (K + "_event_conv.py", "lay_out",
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
