"""The texts of the exercises: solution, stub, and the equation that belongs to each thing that is asked for."""

import functools
import re
from pathlib import Path

MODULES = {"spike_time": "temporal", "temporal_backward": "temporal", "spike_loss": "temporal", "integrate_and_fire": "spiking",
           "surrogate_backward": "spiking", "conv_backward": "conv", "max_pool_backward": "relu", "batch_norm_backward": "relu",
           "proxy_step": "learning", "conversion": "learning", "find_the_bug": "bugs", "leaky_neuron": "leaky", "fi_curve": "leaky",
           "encode": "encode", "recurrent_backward": "leaky", "delay_backward": "time", "event_prop_spike": "time", "stdp": "time",
           "repair_tutorial": "time", "localise": "sound"}
"""The exercises, in an order in which they can be done, and the module with their cases."""


def text(name, solution=False):
    """Return the stub of an exercise, or its solution.

    Parameters
    ----------
    name : str
        One of NAMES.
    solution : bool
        Whether to give the solution.

    Returns
    -------
    str
        A Python file.

    Raises
    ------
    ValueError
        For another name.
    """
    if name not in MODULES:
        raise ValueError(f"exercise: expected one of {', '.join(MODULES)}, got {name!r}")
    solved = (Path(__file__).parent / "solutions" / f"{name}.py").read_text(encoding="utf-8")
    return solved if solution else _stub(solved)


def _stub(solved):
    """Take the solution out of a file.

    From `# your lines: NAME, hint; NAME, hint` to the return at the same depth, lines become placeholders `NAME = ...`.
    The line below `# was: CODE` becomes CODE.
    """
    def placeholders(block):
        parts = [part.partition(", ") for part in block[2].split("; ")]
        return "".join(f"{block[1]}{f'{name} = ...':<21}# your lines{comma}{hint}\n" for name, comma, hint in parts)
    text = re.sub(r"^( *)# your lines: (.*)\n(?:.*\n)*?(?=\1return )", placeholders, solved, flags=re.M)
    return re.sub(r"^( *)# was: (.*)\n.*\n", r"\1\2\n", text, flags=re.M)


@functools.cache
def equations(name):
    """Return {output: its equation}, as the lines `# your lines: NAME, hint; NAME, hint` of a solution say."""
    asked = [part.partition(", ") for line in re.findall(r"# your lines: (.*)", text(name, True)) for part in line.split("; ")]
    found = {output: re.search(r"\(\w+\)( (to|and) \(\w+\))?", hint) for output, _, hint in asked}
    return {output: tags[0] for output, tags in found.items() if tags}
