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


def spikingjelly_lif(kind="LIFNode", threshold=1.0, reset="zero", detach_reset=False, **options):
    """Make a layer of SpikingJelly's LIFNode or ParametricLIFNode.

    Parameters
    ----------
    kind : str
        The name of the class.
    threshold : float
        v_threshold.
    reset : str
        "zero" (v_reset=0.0, its default) or "subtract" (v_reset=None).
    detach_reset : bool
        As the class takes it.
    **options
        More of what it takes: tau or init_tau, decay_input, surrogate_function.

    Returns
    -------
    BlackBox
        In float64, with its potential.

    Raises
    ------
    ValueError
        For another kind or reset.
    """
    _known("kind", kind, ("LIFNode", "ParametricLIFNode"))
    _known("reset", reset, ("zero", "subtract"))
    node = getattr(needed("spikingjelly.activation_based.neuron"), kind)(
        v_threshold=threshold, v_reset=0.0 if reset == "zero" else None, detach_reset=detach_reset, step_mode="m", **options).double()

    def run(x):
        node.reset()
        return node(x), node.v
    return from_torch(run, name=f"SpikingJelly {kind}, reset {reset}, {'detached' if detach_reset else 'attached'}")


def snntorch_leaky(threshold=1.0, reset="subtract", reset_delay=True, surrogate=None, dtype="float64", beta=1.0):
    """Make a layer of snnTorch's Leaky; with beta = 1 it does not leak.

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
    beta : float
        As Leaky takes it.

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
    neuron = needed("snntorch").Leaky(beta=beta, threshold=threshold, reset_mechanism=reset, reset_delay=reset_delay, spike_grad=surrogate)
    delay = "with" if reset_delay else "without"
    return from_torch(_steps(neuron, 1), dtype, f"snnTorch Leaky(beta={beta:g}), reset {reset}, {delay} delay")


def snntorch_synaptic(alpha, beta, threshold=1.0, reset="subtract", surrogate=None):
    """Make a layer of snnTorch's Synaptic.

    Parameters
    ----------
    alpha, beta, threshold : float
        As Synaptic takes them.
    reset : str
        reset_mechanism: "subtract" (its default), "zero" or "none".
    surrogate : callable, optional
        spike_grad, one of snntorch.surrogate; default: its own default, atan().

    Returns
    -------
    BlackBox
        In float64, with its potential.
    """
    neuron = needed("snntorch").Synaptic(alpha=alpha, beta=beta, threshold=threshold, reset_mechanism=reset, spike_grad=surrogate)
    return from_torch(_steps(neuron, 2), name=f"snnTorch Synaptic, reset {reset}")


def snntorch_rleaky(w_rec, beta, threshold=1.0, reset="subtract", surrogate=None):
    """Make a layer of snnTorch's RLeaky, with given recurrent weights and without their bias.

    Parameters
    ----------
    w_rec : (n, n) array
        The transpose of recurrent.weight: from rows to columns.
    beta, threshold : float
        As RLeaky takes them.
    reset : str
        reset_mechanism: "subtract" (its default), "zero" or "none".
    surrogate : callable, optional
        spike_grad, one of snntorch.surrogate; default: its own default, atan().

    Returns
    -------
    BlackBox
        In float64, with its potential; it takes n neurons only.
    """
    torch = needed("torch")
    neuron = needed("snntorch").RLeaky(beta=beta, threshold=threshold, reset_mechanism=reset, spike_grad=surrogate,
                                       linear_features=len(w_rec)).double()
    with torch.no_grad():
        neuron.recurrent.weight.copy_(torch.tensor(w_rec).T)
        neuron.recurrent.bias.zero_()
    return from_torch(_steps(neuron, 2, spikes_too=True), name=f"snnTorch RLeaky, reset {reset}")


def _steps(neuron, n_states, spikes_too=False):
    """Run one of snnTorch's neurons step by step; its state may begin with its own spikes, and ends with its potential."""
    torch = needed("torch")

    def run(x):
        state, spikes = (torch.zeros_like(x[0]),) * n_states, []
        for x_t in x:
            out = neuron(x_t, *state)
            spikes.append(out[0])
            state = (out[0].to(x.dtype), *out[1:]) if spikes_too else out[1:]
        return torch.stack(spikes), state[-1]
    return run


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


def norse_lif(w_rec=None, dt=0.001, **parameters):
    """Make a layer of Norse's LIFCell, or of its LIFRecurrentCell with given recurrent weights, input weights of 1 and autapses.

    Parameters
    ----------
    w_rec : (n, n) array, optional
        The transpose of recurrent_weights: from rows to columns. Default: LIFCell.
    dt : float
        As the cells take it.
    **parameters
        Numbers of LIFParameters: tau_syn_inv, tau_mem_inv, v_th, alpha; in float64.

    Returns
    -------
    BlackBox
        In float64, with its potential; with w_rec it takes n neurons only.
    """
    torch, norse = needed("torch"), needed("norse.torch")
    p = norse.LIFParameters(**{name: torch.tensor(x, dtype=torch.float64) for name, x in parameters.items()})
    if w_rec is None:
        cell = norse.LIFCell(p, dt=dt)
    else:
        cell = norse.LIFRecurrentCell(len(w_rec), len(w_rec), p, input_weights=torch.eye(len(w_rec)).double(), autapses=True, dt=dt,
                                      recurrent_weights=torch.tensor(w_rec).T.contiguous())

    def run(x):
        state, spikes = None, []
        if w_rec is not None:
            state = needed("norse.torch.functional.lif").LIFState(*(torch.zeros_like(x[0]),) * 3)
        for x_t in x:
            s, state = cell(x_t, state)
            spikes.append(s)
        return torch.stack(spikes), state.v
    return from_torch(run, name=f"Norse {type(cell).__name__}")


def sinabs_lif(tau_mem, tau_syn=None, threshold=1.0, norm_input=True, surrogate=None):
    """Make a layer of Sinabs' LIF that fires at most once a step (SingleSpike).

    Parameters
    ----------
    tau_mem, tau_syn : float
        As LIF takes them.
    threshold : float
        spike_threshold.
    norm_input : bool
        As LIF takes it.
    surrogate : callable, optional
        surrogate_grad_fn; default: its own default, SingleExponential().

    Returns
    -------
    BlackBox
        In float64, with its potential.
    """
    torch, activation = needed("torch"), needed("sinabs.activation")
    options = {} if surrogate is None else {"surrogate_grad_fn": surrogate}
    layer = needed("sinabs.layers").LIF(tau_mem, tau_syn, torch.tensor(threshold), activation.SingleSpike, norm_input=norm_input,
                                        **options).double()

    def run(x):
        layer.init_state_with_shape(tuple(x.shape[1:]))
        layer.double()
        return layer(x.transpose(0, 1)).transpose(0, 1), layer.v_mem
    return from_torch(run, name=f"Sinabs LIF, {'with' if norm_input else 'without'} norm_input")


def rockpool_lif(n, spike=None, **options):
    """Make a layer of Rockpool's LIFTorch that fires at most once a step, without bias and noise.

    Parameters
    ----------
    n : int
        How many neurons.
    spike : torch.autograd.Function, optional
        spike_generation_fn; default: its own default, StepPWL, which knows float32 only.
    **options
        More of what LIFTorch takes: tau_mem, tau_syn, dt, threshold, has_rec, w_rec.

    Returns
    -------
    BlackBox
        In float64, by default in float32, without its potential, of which it keeps that of one sample; it takes n neurons only.
    """
    torch, dtype = needed("torch"), "float32" if spike is None else "float64"
    options |= {} if spike is None else {"spike_generation_fn": spike}

    def of_its_type(make):
        before = torch.get_default_dtype()
        torch.set_default_dtype(getattr(torch, dtype))                   # arrays that it makes are of this type
        try:
            return make()
        finally:
            torch.set_default_dtype(before)
    kind = needed("rockpool.nn.modules").LIFTorch
    layer = of_its_type(lambda: kind(n, bias=torch.zeros(n), max_spikes_per_dt=torch.tensor(1.0), **options).to(getattr(torch, dtype)))

    def run(x):
        layer.reset_state()
        return of_its_type(lambda: layer(x.transpose(0, 1)))[0].transpose(0, 1)
    return from_torch(run, dtype, "Rockpool LIFTorch")


def plain_spike():
    """Make the spike that a tutorial of PyTorch writes by hand: 1 where x = V - threshold >= 0, with the surrogate atan of slope 2.

    Returns
    -------
    callable
        From a tensor x to spikes like it.
    """
    torch = needed("torch")

    class Spike(torch.autograd.Function):
        """A step forward, the derivative of an arctangent backward."""

        @staticmethod
        def forward(ctx, x):
            """Fire at the threshold."""
            ctx.save_for_backward(x)
            return (x >= 0).to(x.dtype)

        @staticmethod
        def backward(ctx, grad):
            """The surrogate."""
            x, = ctx.saved_tensors
            return grad / (1 + (torch.pi * x) ** 2)
    return Spike.apply


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
