"""A PyTorch network whose spiking parts are frozen, in the network's process: its differences are what the surrogate gradient must be.

Each spiking part is replaced by its definition. On the real input it has the spikes and potentials of the part; away from it, each spike
moves by what the soft step moves, and what the reset detaches stays, (D9) of docs/derivations/leaky.md. All else is the network's own code.
"""

import contextlib
import copy

import numpy as np

from ...conventions import Rule, Surrogate
from ..frameworks.adapters import needed
from ..witness import leaky as by_definition
from ..witness.surrogates import Shape, soft_step

STEPS, SAMPLES, SIDE = 6, 3, 8
H, AGREE, ROUNDING = 1e-5, 3e-7, 1e-15
DIRECTIONS, COORDINATES = 3, 6
SCALES = tuple(2.0 ** k for k in range(-1, 9))
GAINS = (1.0, 4.0, 16.0, 64.0, 1024.0)          # of the weights, where no input makes all parts fire
RESETS = ("reset_mem", "reset_states", "reset_state", "reset_hidden", "reset")


class Definition:
    """What a part does, by its definition, in NumPy.

    Parameters
    ----------
    plan : dict
        axes, rule, surrogate, detach_reset, beta, alpha, scale, threshold; keeps, states: where its state is.

    Attributes
    ----------
    kept : dict
        Potentials and spikes of the last run, by sequence and step; once it is `frozen`, they stay.
    past : list of tuple
        Of each step that was taken: the state that it showed, its sequence, all inputs of the sequence so far, its potentials.
    """

    def __init__(self, plan):
        self.plan, self.kept, self.frozen, self.past, self.chains = plan, {}, False, [], 0
        self.surrogate = (Surrogate if len(plan["surrogate"]) == 2 else Shape)(*plan["surrogate"])
        self.numbers = [np.array([float(plan[name])]) for name in ("beta", "threshold")]
        self.alpha = None if plan["alpha"] is None else np.array([float(plan["alpha"])])

    def begin(self):
        """Begin a run of the network."""
        self.past, self.chains, self.kept = [], 0, self.kept if self.frozen else {}

    def rate(self):
        """Give the share of spikes in the last run, of the sequence that fires least, or rests least.

        Returns
        -------
        float
            0 where it was not called.
        """
        rates = [float(np.mean([s.mean() for k, (_, s) in chain.items() if k])) for chain in self.kept.values()]
        return min(rates, key=lambda rate: min(rate, 1 - rate), default=0.0)

    def run(self, x, chain, v=None, t=0):
        """Run some steps of a sequence.

        Parameters
        ----------
        x : (T, M) array
            Currents.
        chain : int
            Which sequence.
        v : array, optional
            Potentials before; default: rest.
        t : int
            How many steps came before.

        Returns
        -------
        spikes, v : arrays
            (T, M), and potentials after the last step.
        """
        plan, surrogate, threshold = self.plan, self.surrogate, self.numbers[1]
        current = x.reshape(*x.shape, 1) * plan["scale"]
        case = by_definition.Setup(current, *self.numbers, np.zeros(current.shape[1:]) if v is None else v, Rule(*plan["rule"]), self.alpha,
                                   None, surrogate, plan["detach_reset"])
        kept = self.kept.setdefault(chain, {})

        def frozen(k, v, _):
            held, s = kept[t + k]
            moved = s + soft_step(v - threshold, surrogate, held - threshold) - soft_step(held - threshold, surrogate, held - threshold)
            return moved, s if plan["detach_reset"] else moved
        if not self.frozen:
            kept.update({t + k: pair for k, pair in by_definition.operating_point(case).items()})
        spikes, v, _ = by_definition.walk(case, case.args, frozen if self.frozen else by_definition.real(case))
        return np.stack(spikes)[..., 0], v

    def sequence(self, x):
        """Run all steps of a sequence, (T, M); return its spikes."""
        self.chains += 1
        return self.run(x, self.chains)[0]

    def step(self, x, state, show):
        """Go one step on, x (M,); return spikes, and the state that `show` makes of potentials: by it the next step finds this one."""
        found = self._before(state)
        if found is None:
            self.chains += 1
        _, chain, inputs, last = found or (None, self.chains, [], None)
        inputs = [*inputs, x]
        if self.alpha is None:
            spikes, last = self.run(x[None], chain, last, len(inputs) - 1)
        else:                                                  # the potential is not all that it keeps
            spikes, last = self.run(np.stack(inputs), chain)
        self.past.append((show(last), chain, inputs, last))
        return spikes[-1], self.past[-1][0]

    def _before(self, v):
        """Find what a step goes on from: by its state, which may have been copied or detached on the way; or the only sequence."""
        if self.plan["keeps"] or not self.plan["states"]:
            return self.past[-1] if self.past else None
        same = [one for one in self.past if one[0] is v]
        if not same and hasattr(v, "detach") and v.any():
            same = [one for one in self.past if np.array_equal(v.detach(), one[0])]
        return same[-1] if same else None


def twin(torch, part, plan):
    """Make a module that does what a part does, by its definition.

    Parameters
    ----------
    torch : module
        PyTorch.
    part : torch.nn.Module
        The part; what the twin lacks is asked of it.
    plan : dict
        As of `Definition`.

    Returns
    -------
    torch.nn.Module
        Its attribute `definition` is a `Definition`.
    """
    class Twin(torch.nn.Module):
        """The definition in the place of a part."""

        def __init__(self):
            super().__init__()
            object.__setattr__(self, "part", part)             # no part of this module: it has no parameters
            self.definition = Definition(plan)

        def __getattr__(self, name):
            """Find what a network asks of the part itself, such as a first state."""
            try:
                return super().__getattr__(name)
            except AttributeError:
                found = getattr(object.__getattribute__(self, "part"), name)
            return self.resetting(found) if name in RESETS else found

        def resetting(self, method):
            """Begin anew, and return what the part's own method does, such as a first state."""
            def reset(*args, **kwargs):
                self.definition.past = []
                return method(*args, **kwargs)
            return reset

        def forward(self, x, *state):
            """Run a sequence, or a step after those before it."""
            given = x.detach().double().numpy()
            if "T" in plan["axes"]:
                time = plan["axes"].index("T")
                moved = np.moveaxis(given, time, 0)
                spikes = self.definition.sequence(moved.reshape(len(moved), -1)).reshape(moved.shape)
                return torch.from_numpy(np.ascontiguousarray(np.moveaxis(spikes, 0, time)))

            def tensor(y):
                return torch.from_numpy(np.ascontiguousarray(y.reshape(given.shape)))
            s, v = self.definition.step(given.reshape(-1), state[-1] if state else None, tensor)
            return (tensor(s), v) if plan["states"] else tensor(s)
    return Twin()


@contextlib.contextmanager
def winners_kept(torch, kept, first):
    """Let max pooling take the winners of an earlier run: among equal spikes a small change would choose others.

    Parameters
    ----------
    torch : module
        PyTorch.
    kept : list
        Winners of each call, in order; filled in the first run.
    first : bool
        Whether this is the first run.

    Yields
    ------
    None
        While it is so.
    """
    module, calls = torch.nn.functional, iter(list(kept))
    plain = {name: getattr(module, name) for name in ("max_pool1d", "max_pool2d")}

    def pooled(name):
        with_indices = getattr(module, f"{name}_with_indices")

        def pool(x, *args, **kwargs):
            kwargs.pop("return_indices", None)
            if first:
                y, places = with_indices(x, *args, **kwargs)
                kept.append(places)
                return y
            places, flat = next(calls), 2 if name == "max_pool2d" else 1
            return x.flatten(-flat).gather(-1, places.flatten(-flat)).reshape(places.shape)
        return pool
    try:
        for name in plain:
            setattr(module, name, pooled(name))
        yield
    finally:
        for name, function in plain.items():
            setattr(module, name, function)


def example(torch, net, axes, shape):
    """Draw an input for a network: the shape that is given, or one that its first layer of weights takes.

    Parameters
    ----------
    torch : module
        PyTorch.
    net : torch.nn.Module
        The network.
    axes : str
        Layout, letters T, B, N or C, H, W.
    shape : sequence of int
        The user's; empty: found.

    Returns
    -------
    array
        In float64, uniform from 0 to 1.

    Raises
    ------
    ValueError
        If no layer says what it takes.
    """
    if not len(shape):
        first = next((m for m in torch.nn.Module.modules(net) if hasattr(m, "in_features") or hasattr(m, "in_channels")), None)
        if first is None:
            raise ValueError("no layer says how many inputs it takes: give --shape, such as 6x2x784")
        n = getattr(first, "in_features", getattr(first, "in_channels", None))
        sizes = {"T": STEPS, "B": SAMPLES, "N": n, "C": n, "H": SIDE, "W": SIDE}
        if hasattr(first, "in_channels") and "C" not in axes:
            axes = axes.replace("N", "CHW" if "2" in type(first).__name__ else "CH")
        shape = [sizes[a] for a in axes]
    return np.random.default_rng(11).random(tuple(int(k) for k in shape))


def run(found, plans, axes, shape, seed):
    """Compare the gradients of a network with differences of the frozen one.

    Parameters
    ----------
    found : torch.nn.Module
        The network; it is copied.
    plans : dict of str to dict
        Path of a part -> what it is, for `twin`.
    axes : str
        Layout of the input; without T the network takes one step.
    shape : array of int
        Of the input; empty: found.
    seed : int
        Of the loss and of directions.

    Returns
    -------
    dict
        alike: largest difference between outputs of the network and of its twin; rates: of spikes, by part; names, backward, differences,
        size, noise: of each argument and direction, size being the sum of the absolute terms, noise what differences round.
    """
    torch = needed("torch")
    net = copy.deepcopy(found).double()
    frozen = copy.deepcopy(net)
    twins = {}

    def in_double(part, given, out):                           # some release gives float32 whatever comes in
        return tuple(y.double() for y in out) if isinstance(out, tuple) else out.double()
    for path, plan in plans.items():
        net.get_submodule(path).register_forward_hook(in_double)
        parent, _, name = path.rpartition(".")
        one = twin(torch, frozen.get_submodule(path), plan)
        setattr(frozen.get_submodule(parent) if parent else frozen, name, one)
        twins[path] = one.definition

    said, within = "T" in axes, any("T" in plan["axes"] for plan in plans.values())
    if "T" not in axes and not within:
        axes = f"T{axes}"                                      # its steps come one by one; one with layers of all steps has its own
    base = example(torch, net, axes, shape)
    once = within or (said and _has_time(torch, net, plans, axes, base))

    def call(module, x):
        return _call(torch, module, x, once)
    x, of_twin, winners, rates, held = _alive(torch, (net, frozen), twins, call, base)
    out = call(net, x)
    alike = float((out - of_twin).detach().abs().max()) if out.shape == of_twin.shape else np.inf
    rng = np.random.default_rng(seed)
    c = torch.tensor(rng.normal(size=tuple(out.shape)))
    names = ["input", *(name for name, p in net.named_parameters() if p.requires_grad)]
    tensors = [x, *(p for p in net.parameters() if p.requires_grad)]
    grads = torch.autograd.grad((out * c).sum(), tensors, allow_unused=True)
    for path, one in twins.items():
        one.frozen, one.kept = True, held[path]
    answer = {"alike": alike, "rates": rates, "names": [], "backward": [], "differences": [], "size": [], "noise": [], "left": []}
    noise, own = ROUNDING * float(c.abs().sum()), dict(frozen.named_parameters())
    for name, tensor, grad in zip(names, tensors, grads, strict=True):
        if name != "input" and name not in own:
            answer["left"].append(name)                        # of a spiking part
            continue
        grad = np.zeros(tuple(tensor.shape)) if grad is None else grad.numpy()
        target = x.detach().clone() if name == "input" else own[name].data
        plain = target.clone()

        def value(moved, target=target, plain=plain, name=name):
            with torch.no_grad(), winners_kept(torch, winners, False):
                target.copy_(plain + torch.from_numpy(moved))
                y = float((call(frozen, target if name == "input" else x.detach()) * c).sum())
                target.copy_(plain)
            return y
        for k, move in enumerate(_moves(rng, grad)):
            size, word = float(np.abs(grad * move).sum()), "direction" if k < DIRECTIONS else "coordinate"
            row = f"{name}, {word}", float((grad * move).sum()), *_difference(value, move, size, noise), size
            for key, entry in zip(("names", "backward", "differences", "noise", "size"), row, strict=True):
                answer[key].append(entry)
    return answer


def _call(torch, module, x, once):
    """Run a network from rest, in one call or step by step; its first output."""
    torch.manual_seed(0)
    for part in torch.nn.Module.modules(module):
        if isinstance(getattr(part, "definition", None), Definition):
            part.definition.begin()
        for method in RESETS:
            if callable(getattr(part, method, None)):
                getattr(part, method)()
                break
    steps = [module(x)] if once else [module(x_t) for x_t in x]
    firsts = [y[0] if isinstance(y, (tuple, list)) else y for y in steps]
    return firsts[0] if once else torch.stack(firsts)


def _has_time(torch, net, plans, axes, base):
    """Say whether a network takes all steps in one call; one whose parts keep their state may take step after step, in any order."""
    if not all(plan["keeps"] for plan in plans.values()):
        return True
    training, order = net.training, list(reversed(range(base.shape[axes.index("T")])))
    net.eval()
    try:
        with torch.no_grad():
            for scale in SCALES[::3]:
                x = torch.tensor(base * scale)
                if not torch.equal(_call(torch, net, x.flip(axes.index("T")), True), _call(torch, net, x, True)[order]):
                    return True
        return axes[0] != "T"
    except Exception:                                          # it takes no array of all steps
        return axes[0] != "T"
    finally:
        net.train(training)


def _difference(value, move, size, noise):
    """Give a derivative by central differences, and what it rounds: of smaller and smaller steps, until two agree."""
    last = None
    for h in (H, H / 16, H / 256):
        this = (value(h * move) - value(-h * move)) / (2 * h)
        if last is not None and abs(this - last) <= AGREE * max(size, abs(this)) + noise / h:
            break
        last = this
    return this, noise / h


def _alive(torch, nets, twins, call, base):
    """Find a size of the input, and if need be of the weights, at which the part that fires or rests least does so most.

    Returns the input, outputs of the twin, winners, rates and what the parts keep. The weights of both networks are left so.
    """
    best, found = -1.0, None
    weights = [p for p in nets[1].parameters() if p.dim() > 1]
    plain = [p.detach().clone() for p in weights]

    def grow(gain):
        for p, w in zip(weights, plain, strict=True):
            p.data.copy_(gain * w)
    for gain in GAINS:
        for scale in SCALES:
            kept = []
            grow(gain)
            with torch.no_grad(), winners_kept(torch, kept, True):
                y = call(nets[1], torch.tensor(base * scale))
            alive = min(min(one.rate(), 1 - one.rate()) for one in twins.values())
            if alive > best:
                best, x = alive, torch.tensor(base * scale, requires_grad=True)
                rates, held = ({path: read(one) for path, one in twins.items()} for read in (lambda one: one.rate(), lambda one: one.kept))
                found = gain, (x, y, kept, rates, held)
        if best > 0:
            break
    gain, found = found
    grow(gain)
    own = {name for name, _ in nets[1].named_parameters()}
    with torch.no_grad():
        for name, p in nets[0].named_parameters():
            if p.dim() > 1 and name in own:                    # not of a spiking part
                p.mul_(gain)
    return found


def _moves(rng, grad):
    """List directions: some that move all of an argument, some that move a single number, the largest gradient among them."""
    whole = [rng.normal(size=grad.shape) for _ in range(DIRECTIONS)]
    places = {int(np.abs(grad).argmax()), *rng.integers(0, grad.size, COORDINATES).tolist()}
    return [*whole, *((np.arange(grad.size) == k).astype(float).reshape(grad.shape) for k in places)]
