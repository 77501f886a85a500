"""Load forward and backward from a file of your own, for the suite, and say which known mistake they look like.

The file holds two functions of the contract (docs/howto/verify-your-gradient.md), and may say what they are:

    OPERATION = "integrate_fire"               # a name of `suite.NAMES`
    THRESHOLD = 1.0                            # the only threshold it knows, if forward takes none
    RULE = ("subtract", "same", ">=")          # the only rule it knows; pysnn.conventions.Rule
    SURROGATE = ("atan", 2.0)                  # the only surrogate it knows; pysnn.verify.witness.surrogates: any kind, or a function
    DETACH_RESET = True                        # whether its backward takes the reset as a constant

A function that takes fewer arguments than the contract gets those that it takes: they come in the contract's order. One that takes more
than a case has gets the contract's defaults for the others. What is right by another convention is read so: `readings`.

An operation that the package does not know says what it is by a record, and gives cases (docs/howto/write-an-operation.md):

    OPERATION = Operation("delay", arguments=("t_in", "delay"), gradients=("t_in", "delay"), outputs=("t_out",))
    def cases(rng): yield ...                  # tuples of arguments
    def decisions(*args): ...                  # discrete decisions, as arrays, if forward has kinks
    def definition(*args): ...                 # what forward should give, or
    reference = (forward, backward)            # a pair to compare with
"""

import contextlib
import functools
import inspect
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import LEAKY_RULES, RULES, Rule, Surrogate
from ..foreign import Function, NoAnswer, import_file, one_line
from ..learning import METHODS, Step
from ..operations import OPERATIONS, Operation, Pair
from . import golden, readings, suite, zoo
from .witness import surrogates

SAME = 1e-9              # relative: these numbers are those of a fault
HALF = 0.5               # a hint must explain more than this share of what is wrong
SINGLE = "returns float32: compared to 1e-4"
RIGHT = 3                # how well examples fit: shapes, outputs, gradients


_golden = functools.cache(golden.cases)       # whoever checks several layers reads the vectors once


class Subject(NamedTuple):
    """An operation from a file, and how far it follows the contract; None: in full."""

    operation: str
    forward: object
    backward: object         # None for a loss: forward is the loss
    n_args: int | None = None      # how many arguments forward takes
    thresholds: tuple | None = None
    rules: tuple | None = None
    surrogates: tuple | None = None
    detach: tuple | None = None
    starts: bool = True            # whether forward takes a v_init
    final: bool = True             # whether backward takes a dv_final
    reading: str = ""              # the convention by which it is read, if not the contract's; of `readings`
    exact: bool = True             # whether that leaves numbers as they are
    single: bool = False           # whether it returns float32

    @property
    def convention(self):
        """By which convention other than the contract's it is right.

        Returns
        -------
        str
            Words; "" for none.
        """
        return "; ".join(["with " + self.reading] * bool(self.reading) + [SINGLE] * self.single)

    def golden(self):
        """Collect the golden vectors that it can run.

        Returns
        -------
        list of pysnn.verify.golden.GoldenCase
            Cases of the conventions and arguments that it knows. Of spike times with an input exactly at a spike the gradients are left
            out: there each one-sided derivative is right.
        """
        if self.operation in suite.LEARNING or not self.exact:
            return []
        there = _golden(self.operation) if self.operation in golden.operations() else []
        cases = [case for case in there if _fits(self, case) and (case.float32 or not self.single)]
        return [case._replace(gradients={}) if _kink(case) else case for case in cases]

    def __call__(self, *args):
        """Run a loss or the gradients of a learning rule."""
        return self.forward(*args)


def load(spec, operation=None, run=import_file):
    """Load an operation from a file.

    Parameters
    ----------
    spec : str
        "my.py:forward,backward"; without names they are forward and backward. Of a loss, "my.py:loss", of a learning rule,
        "my.py:gradients".
    operation : str, optional
        One of `suite.NAMES`; default: what the file calls OPERATION.
    run : callable
        run(path) -> what the file defines. Default: it runs in this process; `load` of a `pysnn.foreign.Room` runs it in another one.

    Returns
    -------
    Subject or suite.Own
        To be given to `suite.run` as op; an `Own` where the file's OPERATION is an `Operation`.

    Raises
    ------
    ValueError
        If there is no such file, it does not run, it lacks a name, or its results do not have the shapes and dtypes of the contract. The
        message is one line. A `pysnn.foreign.NoAnswer` if it leaves its process, or is stopped.
    """
    path, names = split(spec)
    module = run(path)
    operation = operation or getattr(module, "OPERATION", None)
    if isinstance(operation, Operation):
        return _own(operation, module, names, path.name)
    if operation not in suite.NAMES:
        raise ValueError(f"{path.name}: expected --operation NAME, or a line OPERATION = NAME in the file, with one of "
                         f"{', '.join(suite.NAMES)}; got {operation!r}")
    single = operation not in suite.OPERATIONS
    names = names or ["gradients" if operation in suite.LEARNING else "loss" if single else "forward", *([] if single else ["backward"])]
    if len(names) != (1 if single else 2):
        raise ValueError(f"{path.name}: expected {'one name' if single else 'two names, forward and backward,'} for {operation}, "
                         f"got {', '.join(names)}")
    functions = _functions(module, names, path.name)
    if operation in suite.LEARNING:
        return Subject(operation, _rule(operation, *functions), None)
    if single:
        return _try(Subject(operation, *functions, None), path.name)
    return _read(_subject(operation, functions, module, path.name), readings.declared(module, operation, path.name), path.name)


def _functions(module, names, file):
    """Return functions of a file."""
    for name in names:
        if not callable(getattr(module, name, None)):
            there = [k for k, v in vars(module).items() if (inspect.isfunction(v) or isinstance(v, Function)) and not k.startswith("_")]
            raise ValueError(f"{file}: expected a function {name!r}, found {', '.join(there) or 'no function'}")
    return [getattr(module, name) for name in names]


def _own(record, module, names, file):
    """Make an `Own` from a file, and run it on its cases."""
    if (double := set(record.outputs) & set(record.arguments)) or not set(record.gradients) <= set(record.arguments):
        raise ValueError(f"{file}: OPERATION: expected gradients of its arguments, and other names for its outputs, got "
                         f"{', '.join(double) or ', '.join(record.gradients)}")
    names = names or [f"{record.prefix}forward", f"{record.prefix}backward"]
    forward, backward, cases = _functions(module, [*names, "cases"], file)
    reference = getattr(module, "reference", None)
    own = suite.Own(record, forward, backward, cases, *(getattr(module, name, None) for name in ("decisions", "definition")),
                    reference and Pair(*reference))
    try:
        results = suite.examples(own.operation, own, own)
    except NoAnswer:
        raise
    except Exception as error:
        raise ValueError(f"{file}: does not run as {own.operation}: {one_line(error)}") from None
    if any(result["n_gradients"] != len(record.gradients) for result in results):
        raise ValueError(f"{file}: backward: expected {len(record.gradients)} gradients ({', '.join(record.gradients)}), "
                         f"got {int(results[0]['n_gradients'])}")
    return own


def split(spec):
    """Split FILE.py:NAMES.

    Parameters
    ----------
    spec : str
        As for `load`.

    Returns
    -------
    path : pathlib.Path
        The file.
    names : list of str
        The names.

    Raises
    ------
    ValueError
        If there is no such file.
    """
    file, colon, names = spec.rpartition(":")
    if not colon or names.endswith(".py") or "/" in names or "\\" in names:
        file, names = spec, ""
    path = Path(file)
    if path.suffix != ".py" or not path.is_file():
        raise ValueError(f"module: expected a file such as my.py or my.py:forward,backward, got {spec!r}"
                         + ("" if path.is_file() or path.suffix != ".py" else ", which is not there"))
    return path, [name.strip() for name in names.split(",") if name.strip()]


def _taken(function, most):
    """Count the positional arguments of a function; `most` if its signature does not tell."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return most
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return most
    return min(most, sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters))


def _by_contract(function, ours, most):
    """Wrap a function so that it can be called as ours can; return it, and how many arguments it takes."""
    n, defaults = _taken(function, most), [p.default for p in inspect.signature(ours).parameters.values()]
    return lambda *args: function(*args[:n], *defaults[len(args):n]), n


def _rule(method, function):
    """Wrap the gradients of a learning rule; one that runs in another process gets its networks built there."""
    if not isinstance(function, Function):
        return _by_contract(function, suite.operation(method), 4)[0]

    def gradients(nets, x, y, rng=None):
        settings = {name: getattr(nets.settings, name) for name in nets.settings.__dataclass_fields__}
        settings["model"] = str(settings["model"])
        given = method, settings, nets.net.params, nets.state, x, y
        loss, out, grads, params, state = function.through(f"{__name__}:gradients_there", *given)
        for name, w in params.items():
            nets.net.params[name][...] = w
        nets.state.update(state)
        return Step(loss, out, grads, {})
    return gradients


def gradients_there(function, method, settings, params, state, *batch):
    """Run the gradients of a learning rule on networks that are built anew.

    Parameters
    ----------
    function : callable
        As ``gradients`` of a `Method`, with or without the rng.
    method : str
        Which rule it is.
    settings, params, state : dict
        What the networks are built from.
    *batch : arrays
        Samples and labels.

    Returns
    -------
    list
        Loss, outputs, gradients, and the parameters and the state after the call.
    """
    rule = METHODS[method]
    nets = rule.build(rule.Settings(**settings), params, state=state)
    step = _by_contract(function, rule.gradients, 4)[0](nets, *batch, None)
    return [step.loss, step.y, dict(step.grads), dict(nets.net.params), dict(nets.state)]


def _subject(operation, functions, module, name):
    """Wrap two functions so that they can be called by the contract."""
    record, right = OPERATIONS[operation], suite.operation(operation)
    forward, n_forward = _by_contract(functions[0], right.forward, len(record.arguments))
    backward, n_backward = _by_contract(functions[1], right.backward, 2 + len(record.options))
    subject = Subject(operation, forward, backward, n_forward)
    if operation == "temporal":
        only = getattr(module, "THRESHOLD", 1.0 if n_forward < 3 else None)
        return subject._replace(thresholds=None if only is None else (_checks.positive(only, f"{name}: THRESHOLD"),))
    if "rule" not in record.arguments:
        return subject
    if operation == "leaky":
        if n_forward < 4 or n_backward < 4:
            raise ValueError(f"{name}: expected forward(current, beta, threshold, v_init, ...) and backward(dspikes, cache, dv_final, dv, "
                             f"...); one with fewer arguments is checked by --numpy {name}, with BETA = ... in the file")
        return subject._replace(**_choices(module, name, LEAKY_RULES, (n_forward > 4, n_backward > 4, True, n_backward > 5)))
    n_forward -= "size" in record.arguments      # counted without the size of the windows
    chosen = _choices(module, name, RULES, (n_forward > 3, n_backward > 3, n_forward > 3, n_backward > 4))
    late = n_forward < 3 and any(rule.timing == "next" for rule in chosen.get("rules", ()))
    if late:                                # from rest both timings have the same spikes and gradients
        chosen["rules"] = tuple(rule._replace(timing="same") for rule in chosen["rules"])
    return _whole(subject._replace(**chosen, starts=n_forward >= 3, final=n_backward >= 3 and not late), (n_forward, n_backward), late)


def _choices(module, name, rules, takes):
    """Read what a file declares; takes: whether its functions take a rule, a surrogate, a threshold and detach_reset."""
    chosen = {}
    rule, kind = (getattr(module, key, None if taken else ()) for key, taken in zip(("RULE", "SURROGATE"), takes, strict=False))
    if rule is not None:
        try:
            chosen["rules"] = (Rule(*rule),)
            _checks.words(chosen["rules"][0], f"{name}: RULE", Rule, rules)
        except TypeError:
            raise ValueError(f"{name}: RULE: expected {tuple(Rule())!r} or the like, got {rule!r}") from None
    if kind is not None:
        chosen["surrogates"] = (surrogates.of(kind if kind != () else Surrogate(), f"{name}: SURROGATE"),)
        _check_function(chosen["surrogates"][0], name)
    if not takes[2] or hasattr(module, "THRESHOLD"):
        chosen["thresholds"] = (_checks.positive(getattr(module, "THRESHOLD", 1.0), f"{name}: THRESHOLD"),)
    if not takes[3] or hasattr(module, "DETACH_RESET"):
        chosen["detach"] = (bool(getattr(module, "DETACH_RESET", True)),)
    return chosen


def _check_function(surrogate, name):
    """Refuse a function that is no surrogate."""
    if not callable(surrogate):
        return
    x = np.linspace(-2, 2, 6).reshape(2, 3)
    try:
        got = np.asarray(surrogate(x), float)
    except NoAnswer:
        raise
    except Exception as error:
        got = one_line(error)
    if not isinstance(got, np.ndarray) or got.shape not in ((), x.shape) or not np.isfinite(got).all():
        raise ValueError(f"{name}: SURROGATE: expected a function of an array V - threshold, in NumPy, that gives the surrogate there, got "
                         f"{got if isinstance(got, str) else _checks.describe(got)}")


def _whole(subject, taken, late):
    """Complete a neuron that knows no v_init, v_final, dv_final or dv_init.

    Without v_init: it is added to the current of the first step, which is the same as long as v_init alone does not reach the threshold.
    What is missing of v_final, and of its gradient, is ours. `how` is threshold, of neurons that pool size and threshold. `late`: the file
    declares timing "next"; then its v_final, not reset yet, cannot be checked without a v_init.
    """
    (n_forward, n_backward), right = taken, suite.operation(subject.operation)

    def whole_forward(current, *how):
        *how, v_init, rule = how
        if n_forward < 3 and np.any(v_init):
            current = np.array(current)
            current[0] += v_init
            v_init = np.zeros(current.shape[1:], current.dtype)
        result = subject.forward(current, *how, v_init, rule)
        if not isinstance(result, tuple) or len(result) not in (2, 3):
            raise ValueError("forward: expected (spikes, cache) or (spikes, v_final, cache)")
        if late and len(result) == 3:
            raise ValueError("forward: expected (spikes, cache), or a v_init beside the v_final, of a RULE with timing 'next'")
        _, v_final, ours = right.forward(current, *how, v_init, rule)
        return result[0], result[1] if len(result) == 3 else v_final, (result[-1], ours)

    def whole_backward(dspikes, caches, dv_final, how, detach_reset):
        (cache, ours), nothing = caches, np.zeros_like(dspikes)
        takes_dv = n_backward >= 3 and not late
        grads = subject.backward(dspikes, cache, dv_final if takes_dv else nothing[0], how, detach_reset)
        dcurrent, *more = grads if isinstance(grads, (tuple, list)) else (grads,)
        if more and more[0] is not None and not late:
            dv_init = more[0]
        else:                                  # from the current of the first step, through the reset that comes before it
            dv_init = np.array(dcurrent[0]) if ours.rule.timing == "same" else _through_reset(dcurrent[0], ours, how, detach_reset)
        if takes_dv or dv_final is None or not dv_final.any():
            return dcurrent, dv_init
        return tuple(a + b for a, b in zip((dcurrent, dv_init), right.backward(nothing, ours, dv_final, how, detach_reset), strict=True))
    return subject._replace(forward=whole_forward, backward=whole_backward)


def _through_reset(dv, ours, how, detach_reset):
    """Pull the gradient of a first potential back through the reset before it; how: any surrogate."""
    rule, v = ours.rule, ours.v_init
    fired = v >= ours.threshold if rule.fire == ">=" else v > ours.threshold
    kept = dv if rule.reset == "subtract" else np.where(fired, 0, dv)
    jump = ours.threshold if rule.reset == "subtract" else v
    return kept if detach_reset else kept - jump * surrogates.derivative(v - ours.threshold, how) * dv


def _fits(subject, case):
    """Say whether a subject knows the conventions of a golden case, and takes its arguments."""
    how = case.convention
    if subject.operation in suite.LOSSES:
        return "beta" not in how or _taken(subject.forward, 3) > 2
    record = OPERATIONS[subject.operation]
    if "rule" in record.arguments:
        rule = Rule(**{field: how[field] for field in Rule._fields if field in how})
        kind = Surrogate(how["surrogate"], how["slope"])
        known = (subject.rules, rule), (subject.surrogates, kind), (subject.detach, how["detach_reset"])
        if any(chosen is not None and x not in chosen for chosen, x in known):
            return False
    threshold = how.get("threshold", case.inputs.get("threshold"))
    if subject.thresholds and threshold is not None and (np.asarray(threshold) != subject.thresholds[0]).any():
        return False
    if "b" in record.arguments and "b" not in case.inputs and subject.n_args == len(record.arguments):
        return False                           # it may need its biases
    defaults = inspect.signature(suite.operation(subject.operation).forward).parameters
    left_out = record.arguments[len(record.arguments) if subject.n_args is None else subject.n_args:]
    declared = (*["rule", "v_init"] * ("rule" in record.arguments), *["threshold"] * bool(subject.thresholds))
    return all(name in declared or (name not in case.inputs and (
        how.get(name, defaults[name].default) == defaults[name].default or (name == "stride" and how[name] == how.get("size"))))
        for name in left_out)


def _kink(case):
    """Say whether an input comes exactly at a spike of the temporal neuron, and weights beyond the threshold are left with it."""
    if case.operation != "temporal":
        return False
    z_in, z_out, w = case.inputs["z_in"][:, :, None], case.outputs["z_out"][:, None, :], case.inputs["w"]
    at, causal = (z_in == z_out) & np.isfinite(z_out), (z_in <= z_out) & np.isfinite(z_out)
    return bool((at.any(axis=1) & (np.where(causal, w, 0).sum(axis=1) > case.convention["threshold"])).any())


def _read(subject, declared, file):
    """Choose the reading of a pair: that of the file, or the plain one if it fits best, or one of `readings`."""
    if declared:
        return _try(readings.adapt(subject, declared), file)
    best, found, plain = _try(subject, file, False)
    for reading in readings.candidates(subject) if best < RIGHT else ():
        how_well, other, _ = _try(readings.adapt(subject, reading), file, False)
        if how_well > best:
            best, found = how_well, other
    if best == 0:
        others = ", nor with ".join(r.words(subject.operation) for r in readings.candidates(subject))
        raise ValueError(plain + (f"; nor does it with {others}" if others else "") + f"; {_contract(subject.operation)}")
    return found


def _contract(operation):
    """Say what the functions of an operation take; what a file has beside that is to be fixed."""
    taken = [", ".join(list(inspect.signature(f).parameters)[:n]) for f, n in zip(suite.operation(operation)[:2], (None, 2), strict=True)] \
        if operation in OPERATIONS else []
    return f"{operation} is forward({taken[0]}) and backward({taken[1]}, ...); fix what else it takes, such as a bias, in functions " \
        "around it" if taken else f"{operation} is one function of outputs and labels"


def _try(subject, file, must=True):
    """Run it once; refuse it if it fails or returns other shapes. Without must, return how well it fits, the subject, and what is wrong."""
    right, why = suite.operation(subject.operation), ""
    try:
        got = suite.examples(subject.operation, subject, subject)
    except NoAnswer:
        raise
    except Exception as error:
        got, why = None, f"{file}: {_wrong_shape(subject) or f'does not run as {subject.operation}: {one_line(error)}'}"
    if got is not None:
        subject = subject._replace(single=any(np.asarray(x).dtype == np.float32 for case in got for x in case.values()))
        wanted = suite.examples(subject.operation, right, subject)
        misfit = _misfit(got, wanted, subject.single)
        why = misfit and f"{file}: {misfit}"
    if must and why:
        raise ValueError(why)
    if must:
        return subject
    outputs = () if why else OPERATIONS[subject.operation].outputs
    limit = suite.SINGLE if subject.single else SAME
    fits = 0 if why else 1 + all(_alike([{k: c[k] for k in outputs} for c in x], [{k: c[k] for k in outputs} for c in y], limit)
                                 for x, y in [(got, wanted)])
    return fits + (fits == 2 and _alike(got, wanted, limit)), subject, why


def _wrong_shape(subject):
    """Say which output of forward has another shape than ours, where backward then fails; "" if none has."""
    right, found = suite.operation(subject.operation), []
    record = OPERATIONS.get(subject.operation)

    def forward(*args):
        result = subject.forward(*args)
        for name, x, y in zip(record.outputs, result, right.forward(*args), strict=False):
            if np.shape(x) != np.shape(y):
                found.append(f"{name}: expected an array of shape {np.shape(y)} and dtype float64, got {_checks.describe(np.asarray(x))}")
        return result
    with contextlib.suppress(Exception):       # the error is known already
        suite.examples(subject.operation, Pair(forward, subject.backward), subject)
    return found[0] if found else ""


def _misfit(got, wanted, single=False):
    """Say what is wrong with results besides their numbers: the number of gradients, shapes, dtypes; "" if nothing is."""
    for a, b in zip(got, wanted, strict=True):
        if a.get("n_gradients", 0) != b.get("n_gradients", 0):
            wants = ", ".join(name for name in b if name.startswith("gradient"))
            return f"backward: expected {int(b['n_gradients'])} gradients ({wants}), got {int(a['n_gradients'])}"
        for name, want in b.items():
            have, shape = a[name], np.shape(want)
            if not isinstance(have, (np.ndarray, float)):
                return f"{name}: expected an array of shape {shape} and dtype float64, got {_checks.describe(have)}"
            if np.shape(have) != shape or np.asarray(have).dtype not in ((np.float64, np.float32) if single else (np.float64,)):
                return f"{name}: expected an array of shape {shape} and dtype float64, got {_checks.describe(np.asarray(have))}"
    return ""


def likely(subject):
    """Say which mistake an operation looks like.

    Parameters
    ----------
    subject : Subject or suite.Own
        From `load`.

    Returns
    -------
    list of str
        "looks like NAME: description", for a fault of the zoo whose numbers these are to 1e-9; else what simple thing makes a result
        right: another sign, a factor. Empty if nothing fits, or nothing is wrong.
    """
    name, own = subject.operation, isinstance(subject, suite.Own)
    if name in suite.LEARNING or (own and not subject.reference):
        return []
    if any(not isinstance(kind, Surrogate) for kind in (() if own else subject.surrogates or ())):
        return []                              # there is nothing to compare with
    right = subject.reference if own else suite.operation(name)
    got, wanted = (suite.examples(name, op, subject) for op in (subject, right))
    if _alike(got, wanted):
        return []
    for fault in () if own else zoo.every().values():
        if fault.operation != name and not {name, fault.operation} <= set(suite.LOSSES):
            continue
        faulty = suite.examples(name, fault.inject(right), subject)
        if not _alike(faulty, wanted) and _alike(got, faulty):
            return [f"looks like {fault.name}: {fault.description}"]
    lines = simple_mistakes(got, wanted)
    wrong = {name: sum(int((suite.relative(a[name], b[name]) > SAME).sum()) for a, b in zip(got, wanted, strict=True))
             for name in wanted[0]}
    explained = sum(n for name, n in wrong.items() if any(line.startswith(f"{name}: ") for line in lines))
    return lines if explained > HALF * sum(wrong.values()) else []


def _alike(a, b, limit=SAME):
    """Say whether all numbers are the same; NaN is like NaN."""
    return all((np.isnan(x[name]) & np.isnan(y[name]) | (suite.relative(x[name], y[name], *[0.1] * (limit > SAME)) <= limit)).all()
               for x, y in zip(a, b, strict=True) for name in y)


def simple_mistakes(got, wanted):
    """Look for results that another sign, a factor or a missing part would make right.

    Parameters
    ----------
    got, wanted : list of dict of str to array
        Outputs and gradients by name, one dict a case.

    Returns
    -------
    list of str
        One line for each result that is wrong in such a way.
    """
    lines = []
    for name in wanted[0]:
        pairs = [(np.asarray(a[name]), np.asarray(b[name])) for a, b in zip(got, wanted, strict=True)]
        a, b = (np.concatenate([np.ravel(p[k]) for p in pairs]).astype(float) for k in (0, 1))
        if (suite.relative(a, b) <= SAME).all():
            continue
        if np.isnan(a).any():
            lines.append(f"{name}: {int(np.isnan(a).sum())} of {a.size} are NaN")
        elif not a.any():
            lines.append(f"{name}: is 0 everywhere")
        elif (suite.relative(a, -b) <= SAME).all():
            lines.append(f"{name}: has the wrong sign")
        elif np.isfinite(a).all() and np.isfinite(b).all():
            factor = float(a @ b / (b @ b))
            if factor and (suite.relative(a, factor * b) <= SAME).all():
                lines.append(f"{name}: is {factor:.9g} times what it should be")
    return lines
