"""Open a layer, find out what it is, and check it against that: the steps behind `pysnn verify --torch`, --jax and --numpy."""

import ast
import contextlib
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from ...foreign import LIMIT, NoAnswer, Raised, Room, clean, one_line
from ..frameworks.adapters import BlackBox
from ..identify import identify
from ..report.ledger import CONVENTION, RIGHT, UNCHECKED, UNJUDGED, WRONG, Entry, Ledger
from . import _axes, _cases, _declared, _network
from ._there import functions_of

STUB = """from pysnn.verify.blackbox import _there
_own = _there.names({kind!r}, {place!r}, {expression!r})
_before = set(globals())
globals().update(_own)
with _there.in_float64({kind!r}):
    _found = {expression}
for _name in set(globals()) - _before - {{"_found"}}:
    del globals()[_name]
globals().update(_there.served({kind!r}, {place!r}, _found, _own))
"""


class Layer(NamedTuple):
    """A layer that can be called, and what is known of it."""

    box: BlackBox
    structure: _axes.Structure
    threshold: float
    declared: dict             # what its file says: RULE, SURROGATE, ...
    there: object              # its functions, which may change what they are given
    facts: dict
    refused: str = ""          # why it is no layer of neurons alone
    parts: object = None       # parts(path) -> Layer
    shape: tuple = ()          # of the input of a network, if the user says


@contextlib.contextmanager
def opened(kind, spec, axes=None, n=None, threshold=None, shape=(), limit=LIMIT):
    """Open a layer in a process of its own.

    Parameters
    ----------
    kind : {"torch", "jax", "numpy"}
        What it is written in.
    spec : str
        FILE.py:EXPRESSION or MODULE:EXPRESSION; of NumPy FILE.py:FORWARD,BACKWARD.
    axes : str, optional
        Layout of its input, letters T, B, N, or C, H, W; default: found.
    n : int, optional
        How many neurons it has, where it takes no other number; default: found.
    threshold : float, optional
        Its threshold; default: what the file declares, what the layer shows, 1.
    shape : sequence of int, optional
        Of the input of a network; default: what its first weights take.
    limit : float
        Seconds for each question.

    Yields
    ------
    Layer
        Ready for `check`; closed afterwards.

    Raises
    ------
    ValueError
        If it cannot be opened or called; a `pysnn.foreign.NoAnswer` if it leaves its process.
    """
    place, expression = _split(kind, spec)
    with tempfile.TemporaryDirectory() as folder:
        stub = Path(folder) / "_pysnn_layer.py"
        stub.write_text(STUB.format(kind=kind, place=place, expression=expression), encoding="utf-8")
        with Room(stub, limit) as room:
            try:
                there = room.load()
            except NoAnswer as error:
                raise NoAnswer(str(error).replace(stub.name, spec)) from None
            except ValueError as error:
                words = str(error).partition("does not run: ")[2] or str(error)
                raise ValueError(f"{spec}: {words.removeprefix('ValueError: ')}") from None
            yield _layer(there, room.begin, axes, n, threshold, shape)


def of(layer, kind="torch", axes=None, n=None, threshold=None, shape=(), declared=None):
    """Open a layer in this process.

    Parameters
    ----------
    layer : object
        A module or function of PyTorch or JAX; of NumPy the pair (forward, backward).
    kind : {"torch", "jax", "numpy"}
        What it is written in.
    axes, n, threshold, shape : optional
        As of `opened`.
    declared : dict, optional
        RULE, SURROGATE, DETACH_RESET, BETA, ALPHA, as a file says them.

    Returns
    -------
    Layer
        Ready for `check`. A module is copied, and brought to float64 where it can be.

    Raises
    ------
    ValueError
        If it cannot be called.
    """
    return _layer(SimpleNamespace(**functions_of(kind, layer, declared or {})), lambda: None, axes, n, threshold, shape)


def _split(kind, spec):
    """Split PLACE:EXPRESSION; of a file the whole path, for the process runs elsewhere; of NumPy names, the pair by default."""
    in_file = spec.endswith(".py") or ".py:" in spec
    place, _, expression = spec.removesuffix(".py").partition(".py:")
    place = f"{place}.py"
    if not in_file:
        place, _, expression = spec.partition(":")
    if in_file and not Path(place).is_file():
        raise ValueError(f"expected FILE.py:LAYER or MODULE:LAYER, got {spec}: there is no file {place}")
    expression = expression or ("forward, backward" if kind == "numpy" else "")
    try:
        ast.parse(f"({expression})", mode="eval")
    except SyntaxError:
        expression = ""
    if not expression:
        raise ValueError(f"expected FILE.py:LAYER or MODULE:LAYER, such as my.py:Net or 'snntorch:Leaky(beta=0.9)', got {spec!r}")
    return (str(Path(place).resolve()) if in_file else place), f"({expression})"


def _layer(there, begin, axes, n, threshold, shape=()):
    """Open a layer; a network is one whose parts can be opened."""
    try:
        return _part(there, begin, "", axes, n, threshold)
    except _axes.Refused as error:
        facts = there.facts()
        if not facts["children"]:
            raise
        box = BlackBox(None, None, facts["name"])
        layer = Layer(box, _axes.Structure(axes or "", n, False, "now", ()), threshold or 1.0, {}, there, facts)
        return layer._replace(refused=str(error), parts=lambda path: _part(there, begin, path, None, None, threshold), shape=tuple(shape))


def _part(there, begin, part, axes, n, threshold):
    """Find how a layer, or a part of a network, is called, and make a black box of it."""
    facts = there.facts(part)
    declared = dict(facts["declared"])
    if facts["own surrogate"]:
        declared["SURROGATE"] = there.surrogate
    theta = float(threshold or declared.get("THRESHOLD") or facts["threshold"] or 1.0)
    axes, n = axes or declared.get("AXES"), n or declared.get("N")

    def call(name, *args):
        begin()
        return getattr(there, name)(part, *args)

    def find(dtype):
        return _axes.find(lambda x, again: call("raw", "TBN", dtype, x, again), theta, axes, n, bool(facts["resets"]))
    dtype = "float64"
    try:
        structure = find(dtype)
    except _axes.Refused as error:
        if not any(word in str(error) for word in ("dtype", "float", "Double")):
            raise
        dtype, structure = "float32", find("float32")
        structure = structure._replace(why=(*structure.why, "it does not take float64"))

    def ours(name):
        return lambda *args: call(name, structure.axes, dtype, *args)

    def on_copies(name):
        return lambda *args: ours(name)(*(np.array(x) for x in args))

    def asked(name):
        return _padded(on_copies(name)) if facts["compiled"] else on_copies(name)

    def state(current):
        v = on_copies("state")(current)
        return v if v.size else None
    box = BlackBox(asked("forward"), asked("vjp"), facts["name"], state, on_copies("returns"))
    calls = SimpleNamespace(**{name: ours(name) for name in ("forward", "vjp", "evaluation", "overwritten", "learned", "move")},
                            network=there.network)
    return Layer(box, structure, theta, declared, calls, facts,
                 parts=lambda path: _part(there, begin, path, None, None, threshold))


def _padded(run):
    """Add steps at the end and samples without current: few shapes are to be compiled."""
    def padded(*arrays):
        n_steps, n, n_neurons = arrays[0].shape
        shape = 1 << (n_steps - 1).bit_length(), 4 ** -(-(n - 1).bit_length() // 2), n_neurons        # powers of 2, and of 4
        whole = [np.zeros(shape) for _ in arrays]
        for large, x in zip(whole, arrays, strict=True):
            large[:n_steps, :n] = x
        return run(*whole)[:n_steps, :n]
    return padded


def check(layer, seed=0, progress=None):
    """Find out what a layer is, and check it against that.

    Parameters
    ----------
    layer : Layer
        From `opened`.
    seed : int
        The cases follow from it.
    progress : callable, optional
        Called with words.

    Returns
    -------
    Ledger
        Right or convention where all holds; WRONG; unjudged where the neuron is none that is known here: the note says what to add.
    Identified or None
        What it follows.
    """
    say = progress or (lambda words: None)
    structure, name = layer.structure, layer.box.name
    if structure.keeps and not layer.facts["resets"]:
        return _alone(name, "state", "it keeps its state between calls, and has no method that brings it to rest (reset, reset_mem, ...): "
                      "a second batch begins where the first ended"), None
    if "early" in structure.mixes:
        return _alone(name, "time", "a current changes spikes of earlier steps: time runs backwards"), None
    if "B" in structure.mixes:
        return _alone(name, "samples apart", "a current of one sample changes the spikes of another"), None
    parts = layer.facts["children"]
    if "now" in structure.mixes and parts:
        axes = structure.axes or "TBN"
        why = layer.refused or "neurons act on one another within a step, and no part is a layer of spiking neurons"
        return _network.check([(path, lambda path=path: layer.parts(path)) for path in parts],
                              lambda plans: layer.there.network(plans, axes, np.array(layer.shape, int), seed),
                              lambda part: check(part, seed, progress), why), None
    if "now" in structure.mixes or ("N" in structure.mixes and structure.n is None):
        return _alone(name, "identify", "neurons act on one another: a network, or recurrent weights. Say how many neurons it has (--n), "
                      "or give its step (--step)", UNJUDGED), None
    say(f"{name}, what it follows")
    try:
        with np.errstate(all="ignore"):
            found = identify(layer.box, layer.threshold, structure.n)
    except NoAnswer:
        raise
    except ValueError as error:
        return _alone(name, "identify", f"{error}", UNJUDGED), None
    except Exception as error:
        return _alone(name, "identify", f"it does not run, forward or backward: {one_line(error)}", UNJUDGED), None
    declared = _declared.said(layer.declared)
    if found.convention is None:
        why = found.why[-1] if found.why else ""
        wrong = found.fault or bool(declared)
        more = "" if wrong else ": no neuron known here; if it is what you want, give its step (--step)"
        return _alone(name, "identify", f"{'declared ' + ', '.join(declared) + ', but ' if declared else ''}{why}{more}",
                      WRONG if wrong else UNJUDGED), found
    say(f"{name}, cases")
    return _judged(layer, found, declared, seed), found


def second_look(spec, seed=0, limit=LIMIT):
    """Ask a file of the contract what its neuron is, where it is not the one that was expected.

    Parameters
    ----------
    spec : str
        FILE.py[:FORWARD,BACKWARD].
    seed : int
        Of the cases.
    limit : float
        Seconds for each question.

    Returns
    -------
    Ledger or None
        Where all is right by a convention that the file does not declare; else None.
    Convention, LeakyNeuron or None
        That one.
    str
        What was found, in words; "" if nothing.
    """
    try:
        with opened("numpy", spec, limit=limit) as layer:
            ledger, found = check(layer, seed)
    except ValueError:                                        # it cannot be called in this way, or gives no answer
        return None, None, ""
    first = ledger.entries[0]
    if not ledger.ok or found is None or first.verdict != CONVENTION:
        return None, None, first.note if first.verdict in (CONVENTION, WRONG) else ""
    return ledger, found.convention, first.note


def _alone(name, what, note, verdict=WRONG):
    """Make a ledger of one entry."""
    return Ledger((Entry(clean(name), what, n_checked=int(verdict == WRONG), verdict=verdict, note=clean(note)),))


def _judged(layer, found, declared, seed):
    """Compare with what is declared, and run the cases."""
    from ..suite._recorder import Recorder
    name, precision = clean(layer.box.name), found.evidence.get("precision", "float64")
    recorder = Recorder(name, "cases")
    try:
        with np.errstate(all="ignore"):
            alive, left = _cases.run(layer, _cases.Truth(found.convention, layer.threshold, precision), recorder, seed)
    except NoAnswer:
        raise
    except Exception as error:                                # of the layer, which runs apart, it is a result; else it is ours
        theirs = isinstance(error, Raised)
        note = clean(f"{'' if theirs else 'could not judge: '}{one_line(error)}")
        recorder.entries.append(Entry(name, "cases", verdict=WRONG if theirs else UNJUDGED, note=note))
        alive, left = 1.0, []
    differ = _declared.differences(layer.declared, found.convention, found.evidence)
    if precision == "float32" and found.evidence.get("returns", "float64") == "float64":
        differ.append("it returns float64, and computes in float32: potentials or gradients have its precision only")
    words = str(found).splitlines()[0]
    open_ = _declared.missing(layer.declared, found.convention)
    undeclared = [f"not declared: {', '.join(open_)}" if declared else "nothing is declared"] if open_ else []
    note = "; ".join([*differ, f"found: {words}", *undeclared, *layer.structure.why,
                      *([f"not checked: {', '.join(left)}, whose effect on leak, threshold and gain does not show"] if left else []),
                      *(["in float32"] if precision == "float32" else [])])
    verdict = WRONG if differ else CONVENTION if open_ or precision == "float32" else RIGHT
    first = Entry(name, "identify", "convention", 1, verdict=verdict, note=clean(note))
    silent = [Entry(name, "cases", verdict=UNCHECKED, note="no spikes in any case")] if not alive else []
    errors = np.concatenate([np.ravel(x) for x in recorder.errors]) if recorder.errors else np.empty(0)
    return Ledger((first, *silent, *recorder.entries), {name: errors})
