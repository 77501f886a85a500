"""Cells that take one step and hand their state on."""

import functools

from ...frameworks.adapters import needed
from ..node import TorchNode


def stepping(cell, rest, dtype="float64", module=None, learnable=None):
    """Make a node of ``cell(x_t, state) -> spikes_t, state``; `rest(x_t)` is the first state."""
    torch, kept = needed("torch"), [None]

    def one(x):
        state = rest(x) if kept[0] is None else kept[0]
        spikes, kept[0] = cell(x, state)
        return spikes

    def reset():
        kept[0] = None
    return TorchNode(lambda x: torch.stack([one(x_t) for x_t in x]), reset, dtype, None, module, learnable)


def default_dtype(make):
    """Make something, and call what it returns, while new tensors are float64."""
    torch = needed("torch")

    @functools.wraps(make)
    def wrapped(*args, **kwargs):
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            return make(*args, **kwargs)
        finally:
            torch.set_default_dtype(before)
    return wrapped
