"""Check a layer of a file against the step of a file: `pysnn verify --step my.py:step --module my.py:layer`. Each file runs apart.

The file of the step defines ``step(state, x, spike, stop, params) -> (new_state, y)`` and may say

    PARAMS = {"beta": 0.9, "threshold": [1.0, 0.8]}     # name -> number or list; default: none
    STATE = {"v": 0.0}                                  # name -> first value; this is the default
    SURROGATE = ("atan", 2.0)                           # or a function of v that gives the derivative of spike(v)
    FIRE = ">="                                         # or ">": a spike needs v > 0
    N = 3                                               # how many neurons; default: as PARAMS says, else any number

The file of the layer defines a PyTorch module, class or function, or two functions forward and backward over NumPy, and may say

    NAMES = {"beta": "cell.decay"}                      # parameter of the step -> its name in the module

docs/howto/verify-any-neuron.md has examples.
"""

from ..foreign import LIMIT, NoAnswer, Raised, Room, clean
from .frameworks.parametric import Parametric
from .report.ledger import UNJUDGED, Entry, Ledger
from .student import split
from .suite.steps import check_against_step, elsewhere, not_checked, takes_one_step

STEP, LAYER = "pysnn.verify.witness.steps:there", "pysnn.verify.frameworks.parametric:there"


def check(step, layer, seed=0, limit=LIMIT, progress=None):
    """Check a layer of a file against the step of a file.

    Parameters
    ----------
    step, layer : str
        "my.py:step"; "my.py:layer" of PyTorch, or "my.py:forward,backward" of NumPy.
    seed : int
        The cases follow from it.
    limit : float
        Seconds that each file, and each check of it, may take.
    progress : callable, optional
        Called as ``progress(k, n, words)`` before each case.

    Returns
    -------
    ledger : Ledger
        The results; one that a file left or stopped is not ok.
    lines : list of str
        What was not checked.
    printed : str
        What the file of the layer printed.

    Raises
    ------
    ValueError
        If a file does not run, or its step or layer cannot be used; in one line.
    """
    (step_file, step_name), (layer_file, functions) = split(step), split(layer)
    if len(step_name) > 1 or not 1 <= len(functions) <= 2:
        raise ValueError(f"--step, --module: expected my.py:step and my.py:layer, or my.py:forward,backward, got {step} and {layer}")
    name = (step_name or ["step"])[0]
    with Room(step_file, limit) as first, Room(layer_file, limit) as second:
        def begin(*words):
            for room in (first, second):
                room.begin()               # the seconds of the next case
            if progress:
                progress(*words)
        try:
            for room in (first, second):
                room.load()
            truth = elsewhere(lambda what, *args: _answer(first, [name, what, *args], STEP))
            asked = functions, list(truth.params), list(truth.start)
            tested = _layer(second, asked, clean(layer_file.name))
            if len(functions) == 1 and takes_one_step(truth, tested, seed):
                raise ValueError(f"{clean(layer_file.name)}: it takes one step, or keeps nothing from step to step: write a loop around it "
                                 "that takes all steps, (T, B, n), as in docs/howto/verify-any-neuron.md")
            return check_against_step(truth, tested, seed, begin), not_checked(truth, tested), second.printed
        except NoAnswer as error:          # before the first check
            return Ledger((Entry(clean(layer_file.name), "load", verdict=UNJUDGED, note=clean(error)),)), [], second.printed


def _answer(room, args, ours):
    """Call one of our functions with the module of a file; an error there is bad input."""
    try:
        return room.call("", args, ours)
    except Raised as error:
        raise ValueError(f"{clean(room.path.name)}: {str(error).removeprefix('ValueError: ')}") from None


def _layer(room, asked, name):
    """Make a layer of one that runs in another process."""
    params, start, more = _answer(room, [*asked, "about"], LAYER)

    def ask(what):
        return lambda *args: room.call("", [*asked, what, *args], LAYER)
    return Parametric(ask("run"), ask("vjp"), tuple(params), tuple(start), name, tuple(more))
