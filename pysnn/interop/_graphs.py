"""Networks as NIR graphs, both as plain dicts and arrays, so that the package `nir` is needed only for its own objects and files.

A graph is {"nodes": name -> node, "edges": pairs of names, "metadata": dict}; a node holds its "type", the fields of that type, "metadata".
Equations are discretised by Euler's method with step dt: beta = 1 - dt/tau, and a current counts r dt/tau. What NIR has no word for stands
in the metadata: reset, timing, comparison, surrogate, first potential, dt, and decays to the last bit.
"""

from typing import NamedTuple

import numpy as np

from ..conventions import Rule, Surrogate
from ..layers import AvgPool, Conv, Dense, Flatten, IntegrateFire, MaxPool, NeuronConfig, PooledFire
from ..layers.leaky import Integrate, Leaky
from ._networks import ImportedNetwork, channels_first, input_shape, kernel_first, walk

NO_WORD = {MaxPool: "max pooling", PooledFire: "max pooling inside neurons"}
FIRES, READOUTS = ("IF", "LIF", "CubaLIF"), ("I", "LI", "CubaLI")
WEIGHTS = "Linear", "Affine"


def exported(net, dt):
    """Turn a spiking network into a graph; batch normalisation is folded."""
    layers, nodes, counted = net.folded_layers(), {"input": {"type": "Input", "shape": _first(input_shape(net))}}, {}
    edges, at = [], "input"
    for layer, shape, image in walk(layers, input_shape(net)):
        if isinstance(layer, Flatten) and len(shape) == 1:
            continue
        node, w_rec = _node(layer, shape, (image, dt))
        kind = {"Conv2d": "conv", "AvgPool2d": "pool", "Flatten": "flatten"}.get(node["type"], "dense" if "weight" in node else "neurons")
        counted[kind] = counted.get(kind, 0) + 1
        name = f"{kind}{counted[kind]}"
        nodes[name] = node
        edges.append((at, name))
        if w_rec is not None:
            nodes[f"{name}_recurrent"] = {"type": "Linear", "weight": np.array(w_rec.T, order="C")}
            edges += [(name, f"{name}_recurrent"), (f"{name}_recurrent", name)]
        at, last = name, node
    if last["type"] in WEIGHTS:
        n = last["weight"].shape[0]
        nodes["readout"] = {"type": "I", "r": np.full(n, 1 / dt), "metadata": {"readout": "sum", "dt": dt}}
        edges.append((at, "readout"))
        at = "readout"
    nodes["output"] = {"type": "Output", "shape": np.array(layers[-1].w.shape[1:] if isinstance(layers[-1], Dense) else shape)}
    edges.append((at, "output"))
    return {"nodes": nodes, "edges": edges,
            "metadata": {"n_steps": net.config.n_steps, "input": "steps" if net.config.timed else "constant", "dt": dt}}


def _first(shape):
    """Return a shape with channels first."""
    return np.array(shape if len(shape) == 1 else (shape[2], *shape[:2]))


def _node(layer, shape, how):
    """Return the node of a layer, and its recurrent weights or None."""
    image, dt = how
    if isinstance(layer, Conv):
        w = np.array(kernel_first(layer.w), order="C")
        return {"type": "Conv2d", "input_shape": tuple(shape[:2]), "weight": w, "stride": (layer.stride,) * 2,
                "padding": (layer.padding,) * 2, "dilation": (1, 1), "groups": 1,
                "bias": np.zeros(len(w), w.dtype) if layer.b is None else layer.b.copy()}, None
    if isinstance(layer, Dense):
        w = channels_first(layer.w, image)
        w = np.array(w).reshape(len(w), -1)
        return {"type": "Linear", "weight": w} if layer.b is None else {"type": "Affine", "weight": w, "bias": layer.b.copy()}, None
    if isinstance(layer, AvgPool):
        sides = np.array([layer.options[0]] * 2), np.array([layer.options[1] or layer.options[0]] * 2), np.array([0, 0])
        return {"type": "AvgPool2d", **dict(zip(("kernel_size", "stride", "padding"), sides, strict=True))}, None
    if isinstance(layer, Flatten):
        return {"type": "Flatten", "input_type": _first(shape), "start_dim": 0, "end_dim": -1}, None
    if type(layer) is IntegrateFire:
        v_init = layer.config.v_init if layer.v_init is None else layer.v_init
        return _neurons(_Values("IF", 1.0, None, layer.config.threshold, v_init), layer.config, (layer.config.rule, shape, dt)), None
    if isinstance(layer, Leaky) and not layer.fires:
        raise ValueError("NIR has no word for an output of neurons that fire and whose potential is read: give the model a "
                         "readout such as I0.9")
    if isinstance(layer, (Leaky, Integrate)):
        beta, alpha, threshold, w_rec = (layer.value(name) for name in ("beta", "alpha", "threshold", "w_rec"))
        kind = ("Cuba" if alpha is not None else "") + ("LIF" if layer.fires else "LI")
        kind = kind if alpha is not None or not np.all(beta == 1) else kind[1:]
        values = _Values(kind, beta, alpha, threshold if layer.fires else None, layer.config.v_init)
        return _neurons(values, layer.config, (layer.rule if layer.fires else Rule(), shape, dt)), w_rec
    raise ValueError(f"NIR has no word for {NO_WORD.get(type(layer), type(layer).__name__)}")


class _Values(NamedTuple):
    """Numbers or (C,) arrays of neurons, and the type of their node."""

    kind: str
    beta: object
    alpha: object           # None: no synapse
    threshold: object       # None: they do not fire
    v_init: object


def _neurons(values, config, how):
    """Return the node of neurons."""
    (kind, beta, alpha, threshold, v_init), (rule, shape, dt) = values, how
    full = tuple(_first(shape))

    def each(x):
        """Give every neuron its number; x holds one, or one a channel."""
        x = np.asarray(x, np.float64)
        return np.broadcast_to(x if len(full) == 1 else x.reshape(-1, 1, 1), full).copy()
    if kind in ("IF", "I"):
        node = {"r": each(1 / dt)}
    else:
        if np.any(np.asarray(beta) == 1) or (alpha is not None and np.any(np.asarray(alpha) == 1)):
            raise ValueError("NIR has no word for a factor of exactly 1, by which some neurons leak or their currents decay: time "
                             "constants are finite")
        tau = dt / (1 - np.asarray(beta, np.float64))
        gain = tau / dt if rule.gain == "1" else 1.0
        if alpha is None:
            node = {"tau": each(tau), "r": each(gain), "v_leak": each(0.0)}
        else:
            tau_syn = dt / (1 - np.asarray(alpha, np.float64))
            node = {"tau_syn": each(tau_syn), "tau_mem": each(tau), "r": each(gain), "v_leak": each(0.0), "w_in": each(tau_syn / dt)}
    numbers = {"v_init": v_init, "beta": beta, "alpha": alpha}
    said = {"dt": dt} | {name: np.array(x, np.float64) if np.ndim(x) else float(x) for name, x in numbers.items() if x is not None}
    if threshold is not None:
        node |= {"v_threshold": each(threshold), "v_reset": each(0.0)}
        said |= {**rule._asdict(), "detach_reset": int(config.detach_reset)}
        if isinstance(config.surrogate.kind, str):                       # a function of the user's own stays here
            said |= {"surrogate": config.surrogate.kind, "slope": float(config.surrogate.slope)}
    return {"type": kind, **node, "metadata": said}


def imported(graph, dt):
    """Turn a graph into a network; `dt` is used where the metadata names none."""
    nodes, edges = _inlined(graph)
    recurrent = _recurrent(nodes, edges)
    back = set(recurrent.values())
    names = _chain({name: x for name, x in nodes.items() if name not in back}, [edge for edge in edges if not back & {*edge}])
    meta = {key: _plain(x) for key, x in (graph.get("metadata") or {}).items()}
    build = _Builder(nodes, meta.get("input", "steps") == "steps", int(meta.get("n_steps", 1)), float(meta.get("dt", dt)))
    for name in names:
        build.add(name, nodes[recurrent[name]] if name in recurrent else None)
    return build.network()


def _plain(x):
    """Return what stands in metadata as a word, a number or an array."""
    x = x.decode() if isinstance(x, bytes) else x
    return x.item() if isinstance(x, (np.ndarray, np.generic)) and np.ndim(x) == 0 else x


def _inlined(graph, prefix=""):
    """Return nodes and edges, with those of graphs within the graph in the place of these."""
    nodes, edges = {}, [(f"{prefix}{a}", f"{prefix}{b}") for a, b in graph["edges"]]
    for name, node in graph["nodes"].items():
        whole = f"{prefix}{name}"
        if node["type"] != "NIRGraph":
            nodes[whole] = node
            continue
        inner, more = _inlined(node, f"{whole}.")
        ends = {kind: [n for n, x in inner.items() if x["type"] == kind and "." not in n[len(whole) + 1:]] for kind in ("Input", "Output")}
        if any(len(found) != 1 for found in ends.values()):
            raise ValueError(f"NIR: expected one input and one output of the graph {whole}, got {ends}")
        (first,), (last,) = ends.values()
        edges = [(last if a == whole else a, first if b == whole else b) for a, b in edges] + more
        nodes |= inner
    return (nodes, edges) if prefix else _without_ends(nodes, edges)


def _without_ends(nodes, edges):
    """Take the inputs and outputs of graphs within the graph out of the chain."""
    for name in [n for n, x in nodes.items() if x["type"] in ("Input", "Output") and "." in n]:
        before, after = [a for a, b in edges if b == name], [b for a, b in edges if a == name]
        edges = [e for e in edges if name not in e] + [(a, b) for a in before for b in after]
        nodes = {n: x for n, x in nodes.items() if n != name}
    return nodes, edges


def _recurrent(nodes, edges):
    """Return the recurrent weights: name of neurons -> name of a node that takes their spikes and gives them back, and no others."""
    found = {}
    for a, b in edges:
        if {a, b} <= nodes.keys() and (b, a) in edges and nodes[a]["type"] in FIRES and nodes[b]["type"] in WEIGHTS \
                and sum(b in edge for edge in edges) == 2:
            found[a] = b
            if np.any(nodes[b].get("bias", 0)):
                raise ValueError(f"NIR: expected recurrent weights without a bias, got one in {b}")
    return found


def _chain(nodes, edges):
    """Return the names of the nodes from the one behind the input to the one before the output."""
    after = {}
    for a, b in edges:
        if missing := [name for name in (a, b) if name not in nodes]:
            raise ValueError(f"NIR: expected edges between nodes of the graph, got one to {missing[0]}")
        if a in after:
            raise ValueError(f"NIR: expected a chain of nodes, got edges from {a} to {after[a]} and {b}")
        after[a] = b
    begins = [name for name, x in nodes.items() if x["type"] == "Input"]
    if len(begins) != 1:
        raise ValueError(f"NIR: expected one input, got {len(begins)}")
    names, at = [], begins[0]
    while (at := after.get(at)) is not None and nodes[at]["type"] != "Output":
        if at in names:
            raise ValueError(f"NIR: expected no cycle but that of recurrent neurons and their weights, got one through {at}")
        names.append(at)
    lost = sorted(nodes.keys() - {*names, *begins, at})
    if at is None or lost or not names:
        raise ValueError(f"NIR: expected a chain of nodes from input to output, got {', '.join(lost) or 'no output'} beside it")
    return names


class _Builder:
    """Builds a network node by node."""

    def __init__(self, nodes, timed, n_steps, dt):
        self.nodes, self.timed, self.dt, self.layers, self.params = nodes, timed, dt, [], {}
        begin = next(x for x in nodes.values() if x["type"] == "Input")["shape"]
        begin = [int(n) for n in begin]
        self.input_shape = self.shape = self.image = _last(begin[1:] if len(begin) in (2, 4) and begin[0] == 1 else begin)    # a batch of 1
        self.k, self.n_neurons, self.factor, self.output = 0, 0, 1.0, True
        self.config = NeuronConfig(n_steps=n_steps, timed=timed)

    def add(self, name, recurrent):
        """Add the layer of a node, with its recurrent weights, if it has some."""
        node, kind = self.nodes[name], self.nodes[name]["type"]
        if kind in FIRES or kind in READOUTS:
            self._neurons(name, node, recurrent)
        elif kind in (*WEIGHTS, "Conv2d"):
            self._weights(name, node, kind)
        elif kind in ("AvgPool2d", "SumPool2d"):
            (size,), (stride,) = ({int(n) for n in np.ravel(node[key])} for key in ("kernel_size", "stride"))
            if np.any(node["padding"]):
                raise ValueError(f"NIR: expected pooling without padding, got {node['padding']} in {name}")
            self.factor *= size ** 2 if kind == "SumPool2d" else 1
            self._append(AvgPool("auto", size, stride))
        elif kind == "Flatten":
            self._append(Flatten())
        else:
            raise ValueError(f"NIR: expected weights, mean or sum pooling and neurons, got {name}, a {kind}")

    def _append(self, layer):
        """Add a layer, and take note of the shape behind it."""
        *_, (_, self.shape, self.image) = walk([layer, None], self.shape) if len(self.shape) == 3 else [(0, self.shape, self.image)]
        self.layers.append(layer)

    def _weights(self, name, node, kind):
        """Add a convolution or a dense layer."""
        self.k += 1
        w, b, image = np.asarray(node["weight"]), node.get("bias"), self.image
        w = w if w.dtype in (np.float32, np.float64) else w.astype(np.float64)
        w = w * w.dtype.type(self.factor) if self.factor != 1 else w
        self.factor = 1.0
        if kind == "Conv2d":
            pairs = [{int(n) for n in np.ravel(node[key])} for key in ("stride", "padding", "dilation")
                     if not isinstance(node[key], (str, bytes))]
            if len(pairs) != 3 or any(len(pair) != 1 for pair in pairs) or pairs[2] != {1} or node["groups"] != 1 or len(self.shape) != 3:
                raise ValueError("NIR: expected a convolution of an image with one stride, one padding and no dilation or groups, got "
                                 f"another in {name}")
            layer = Conv(self.params, self.k, *pairs[0], *pairs[1])
            self.params[layer.name] = np.array(w.transpose(2, 3, 1, 0), order="C")
        else:
            if w.ndim != 2 or len(self.shape) != 1 or w.shape[1] != self.shape[0]:
                raise ValueError(f"NIR: expected weights (n, {self.shape[0]}) of a row in {name}, got {w.shape} for {self.shape}")
            layer = Dense(self.params, self.k)
            of_image = len(image) == 3
            w = w.reshape(len(w), image[2], *image[:2]).transpose(2, 3, 1, 0).reshape(-1, len(w)) if of_image else w.T
            self.params[layer.name] = np.array(w, order="C")
        if b is not None and np.any(b):
            self.params[layer.b_name] = np.array(b, w.dtype)
        if kind == "Conv2d":
            self._append(layer)
        else:
            self.layers.append(layer)
            self.shape = self.image = layer.w.shape[1:]

    def _numbers(self, name, x):
        """Return what neurons have in common: one number, or one for each channel; None stays None."""
        x = np.asarray(x, np.float64)
        rows = x.reshape(len(x), -1) if x.ndim else x.reshape(1, 1)
        if not (rows == rows[:, :1]).all():
            raise ValueError(f"NIR: expected neurons of one channel to be alike, got different ones in {name}")
        return float(rows[0, 0]) if (rows == rows[0, 0]).all() else rows[:, 0].copy()

    def _decay(self, name, node, key, field):
        """Return 1 - dt/tau; of metadata that agree, their last bits."""
        decay = self._numbers(name, 1 - self.dt / np.asarray(node[field], np.float64))
        exact = (node.get("metadata") or {}).get(key)
        if exact is not None:
            exact = np.asarray(exact, np.float64)
            exact = exact.ravel()[0] if (exact == exact.ravel()[0]).all() else exact
            if np.shape(exact) == np.shape(decay) and np.allclose(exact, decay, rtol=0, atol=1e-9):
                decay = exact.copy() if np.ndim(exact) else float(exact)
        if not np.all((np.asarray(decay) >= 0) & (np.asarray(decay) <= 1)):
            raise ValueError(f"NIR: expected {field} of {name} to be at least dt, {self.dt:g}, got {np.min(node[field]):g}")
        return decay

    def _neurons(self, name, node, recurrent):
        """Add neurons or a readout."""
        kind, meta = node["type"], {key: _plain(x) for key, x in (node.get("metadata") or {}).items()}
        if meta.get("readout") == "sum":
            self.output = False
            return
        if np.any(node.get("v_leak", 0)) or np.any(node.get("v_reset", 0)):
            raise ValueError(f"NIR: expected neurons that leak to 0 and are reset to 0, got others in {name}")
        self.dt = float(meta.get("dt", self.dt))
        cuba, plain = kind.startswith("Cuba"), kind in ("I", "IF")
        tau = "tau_mem" if cuba else "tau"
        beta = 1.0 if plain else self._decay(name, node, "beta", tau)
        alpha = self._decay(name, node, "alpha", "tau_syn") if cuba else None
        gain = np.asarray(node["r"], np.float64) * self.dt / (1 if plain else np.asarray(node[tau], np.float64))
        gain = gain * (np.asarray(node["w_in"], np.float64) * self.dt / np.asarray(node["tau_syn"], np.float64) if cuba else 1)
        word, factor = self._gain(self._numbers(name, gain), beta, kind in FIRES and not plain)
        rule = Rule(meta.get("reset", "zero"), meta.get("timing", "same"), meta.get("fire", ">"), word, meta.get("order", "reset first"))
        w_rec = None if recurrent is None else np.asarray(recurrent["weight"]).T
        if factor is not None:
            self._scale(name, factor)
            w_rec = None if w_rec is None else w_rec * factor
        surrogate = Surrogate(meta.get("surrogate", "atan"), meta.get("slope", 2.0))
        v_init = meta.get("v_init", 0.0)
        config = self.config._replace(rule=rule._replace(gain="1", order="reset first"), v_init=v_init, surrogate=surrogate,
                                      detach_reset=bool(meta.get("detach_reset", True)))
        if kind in FIRES:
            threshold = self._numbers(name, node["v_threshold"])
            config = config._replace(threshold=threshold if np.ndim(threshold) == 0 else 1.0)
            self._fires(name, (beta, alpha, threshold, w_rec), config, rule)
        else:
            self.output, self.n_neurons = False, self.n_neurons + 1
            decays = self._decays((beta, alpha))
            self.layers.append(Integrate(self.params, self.n_neurons, config, decays, "auto", self._is_first()))

    def _gain(self, gain, beta, leaks):
        """Return the word of the rule for a gain, and by what the weights before must be multiplied, or None."""
        if np.allclose(gain, 1, rtol=0, atol=1e-9):
            return "1", None
        if leaks and np.allclose(gain, 1 - np.asarray(beta), rtol=0, atol=1e-9):
            return "1 - beta", None
        return "1", gain

    def _scale(self, name, factor):
        """Multiply the weights before neurons by what a current counts in them."""
        layer = next((x for x in reversed(self.layers) if not isinstance(x, (AvgPool, Flatten))), None)
        if not isinstance(layer, (Conv, Dense)) or (np.ndim(factor) and layer is not self.layers[-1]):
            raise ValueError(f"NIR: expected weights right before {name}, whose currents count {np.min(factor):g}, got none")
        for key in (layer.name, layer.b_name):
            if key in self.params:
                self.params[key] = (self.params[key] * factor).astype(self.params[key].dtype)

    def _is_first(self):
        return not self.timed and not any(layer.fires for layer in self.layers)

    def _decays(self, decays):
        """Keep decays that are arrays as parameters; return the numbers."""
        for stem, x in zip(("leak", "synapse"), decays, strict=True):
            if np.ndim(x):
                self.params[f"{stem}{self.n_neurons}"] = x.astype(self._dtype())
        return tuple(1.0 if np.ndim(x) else x for x in decays)

    def _dtype(self):
        return next((x.dtype for x in self.params.values()), np.dtype(np.float64))

    def _fires(self, name, values, config, rule):
        """Add neurons that fire."""
        (beta, alpha, threshold, w_rec), self.output, each = values, True, None
        if np.ndim(config.v_init):
            each, config = np.asarray(config.v_init, self._dtype()), config._replace(v_init=0.0)
        same = [layer.config for layer in self.layers if type(layer) is IntegrateFire]
        plain = alpha is None and w_rec is None and np.ndim(beta) == np.ndim(threshold) == 0 and beta == 1 and rule.reset != "none" \
            and rule.order == "reset first" and (not same or same[0] == config)
        self.n_neurons += 1
        if plain:
            self.config = config
            self.layers.append(IntegrateFire(config, "auto", self._is_first()))
            self.layers[-1].v_init = each
            return
        if each is not None:
            raise ValueError(f"NIR: expected one first potential for all neurons of {name}, got one for each channel")
        if np.ndim(threshold):
            self.params[f"threshold{self.n_neurons}"] = threshold.astype(self._dtype())
        if w_rec is not None:
            if len(self.shape) != 1 or w_rec.shape != 2 * self.shape:
                raise ValueError(f"NIR: expected recurrent weights {2 * self.shape} of {name}, got {w_rec.shape}")
            self.params[f"w_rec{self.n_neurons}"] = np.array(w_rec, self._dtype(), order="C")
        decays = self._decays((beta, alpha))
        self.layers.append(Leaky(self.params, self.n_neurons, config, decays, rule, "auto", self._is_first()))

    def network(self):
        """Return the network."""
        if not any(layer.fires or isinstance(layer, Integrate) for layer in self.layers) and self.output:
            raise ValueError("NIR: expected neurons in the graph, got none")
        firing = next((layer.config for layer in self.layers if layer.fires), self.config)
        config = (self.config if any(type(x) is IntegrateFire for x in self.layers) else firing)._replace(output=self.output)
        for layer in self.layers:
            if hasattr(layer, "config"):
                layer.config = layer.config._replace(output=self.output)
        return ImportedNetwork(self.layers, self.params, config, self.input_shape)


def _last(shape):
    """Return a shape with channels last."""
    return tuple(shape) if len(shape) == 1 else (*shape[1:], shape[0])
