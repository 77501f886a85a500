"""The neurons of released frameworks, ready for `identify` and `pysnn verify --framework`.

Each is what the framework ships: nothing of the neuron is written here, but for the loop over time where a framework leaves it to the user.
Where the framework is not installed, all raise an ImportError that says what to install.
"""

from .adapters import from_torch, needed, torch_operation


def spikingjelly_if(threshold=1.0, reset="zero", detach_reset=False, surrogate=None, mode="m"):
    """Make a layer of SpikingJelly's IFNode.

    Parameters
    ----------
    threshold : float
        v_threshold.
    reset : str
        "zero" (v_reset=0.0, its default) or "subtract" (v_reset=None).
    detach_reset : bool
        As IFNode takes it.
    surrogate : object, optional
        One of spikingjelly.activation_based.surrogate; default: its own default, Sigmoid().
    mode : str
        Step mode "m", all steps at once, or "s", one after the other.

    Returns
    -------
    BlackBox
        In float64, with its potential.

    Raises
    ------
    ValueError
        For another reset.
    """
    _known("reset", reset, ("zero", "subtract"))
    torch = needed("torch")
    neuron = needed("spikingjelly.activation_based.neuron")
    options = {} if surrogate is None else {"surrogate_function": surrogate}
    node = neuron.IFNode(v_threshold=threshold, v_reset=0.0 if reset == "zero" else None, detach_reset=detach_reset, step_mode=mode,
                         **options)

    def run(x):
        node.reset()
        spikes = node(x) if mode == "m" else torch.stack([node(x_t) for x_t in x])
        return spikes, node.v
    return from_torch(run, name=f"SpikingJelly IFNode, reset {reset}, {'detached' if detach_reset else 'attached'}")


def snntorch_leaky(threshold=1.0, reset="subtract", reset_delay=True, surrogate=None, dtype="float64"):
    """Make a layer of snnTorch's Leaky with beta = 1, which does not leak.

    Parameters
    ----------
    threshold : float
        As Leaky takes it.
    reset : str
        reset_mechanism: "subtract" (its default), "zero" or "none".
    reset_delay : bool
        As Leaky takes it.
    surrogate : callable, optional
        spike_grad, one of snntorch.surrogate; default: its own default, atan().
    dtype : str
        What the tensors that go in hold.

    Returns
    -------
    BlackBox
        With its potential.

    Raises
    ------
    ValueError
        For another reset.
    """
    _known("reset", reset, ("subtract", "zero", "none"))
    torch = needed("torch")
    neuron = needed("snntorch").Leaky(beta=1.0, threshold=threshold, reset_mechanism=reset, reset_delay=reset_delay, spike_grad=surrogate)

    def run(x):
        v, spikes = torch.zeros_like(x[0]), []
        for x_t in x:
            s, v = neuron(x_t, v)
            spikes.append(s)
        return torch.stack(spikes), v
    return from_torch(run, dtype, f"snnTorch Leaky(beta=1), reset {reset}, {'with' if reset_delay else 'without'} delay")


def norse_if(threshold=1.0, method="super", alpha=100.0):
    """Make a layer of Norse's IAFCell.

    Parameters
    ----------
    threshold : float
        v_th.
    method : str
        Its name for a surrogate: "super" (its default), "triangle", "tanh", "circ" or "heavi_erfc".
    alpha : float
        As IAFParameters takes it.

    Returns
    -------
    BlackBox
        In float64, with its potential.
    """
    torch = needed("torch")
    norse = needed("norse.torch")
    cell = norse.IAFCell(norse.IAFParameters(v_th=torch.as_tensor(float(threshold)), method=method, alpha=torch.as_tensor(float(alpha))))
    rest = norse.IAFFeedForwardState

    def run(x):
        state, spikes = rest(torch.zeros_like(x[0])), []
        for x_t in x:
            s, state = cell(x_t, state)
            spikes.append(s)
        return torch.stack(spikes), state.v
    return from_torch(run, name=f"Norse IAFCell, {method}, alpha {alpha:g}")


def exact_event_adjoint_linear(n_in, n_out, **options):
    """Make an operation of exact-event-adjoint's ExactAdjointLinear.

    Parameters
    ----------
    n_in, n_out : int
        Size.
    **options
        As ExactAdjointLinear takes them.

    Returns
    -------
    Pair
        ``forward(t_in, w)``: (B, n_in) spike times, (n_out, n_in) weights; for `gradcheck`.
    """
    layer = needed("exact_event_adjoint").ExactAdjointLinear(n_in, n_out, **options).double()
    return torch_operation(_with_weight(layer))


def exact_snn_linear(n_in, n_out, **options):
    """Make an operation of exact-snn-nn's ExactTTFSLinear.

    Parameters
    ----------
    n_in, n_out : int
        Size.
    **options
        As ExactTTFSLinear takes them.

    Returns
    -------
    Pair
        ``forward(t_in, w)``: (n_in, B) spike times, (n_out, n_in + 1) weights, the last column for the bias; for `gradcheck`.
    """
    torch = needed("torch")
    layer = needed("exact_snn").ExactTTFSLinear(n_in, n_out, dtype=torch.float64, **options)
    return torch_operation(_with_weight(layer))


def _with_weight(layer):
    """Let a module with one parameter take that parameter as an argument."""
    call = needed("torch.func").functional_call
    (weight, _), = layer.named_parameters()
    return lambda t_in, w: call(layer, {weight: w}, (t_in,))


def _known(name, word, words):
    if word not in words:
        raise ValueError(f"{name}: expected one of {words}, got {word!r}")
