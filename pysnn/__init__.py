"""pysnn: a reference implementation of training spiking neural networks, with backward passes derived by hand.

The public names load on first use: `import pysnn` costs no more than NumPy, and Numba and matplotlib come only when something needs them.
"""

import importlib

__version__ = "0.1.0"

_MODULES = ("checkpoint", "data", "datasets", "encode", "estimators", "evaluation", "exercises", "figures", "interop", "layers", "learning",
            "losses", "metrics", "models", "network", "optim", "plots", "reference", "scale", "training", "verify")
_NAMES = {"Network": "network", "TemporalDense": "layers.temporal", "build": "models", "Adam": "optim", "SGD": "optim",
          "softmax_t": "losses", "softmax_z": "losses", "accuracy": "metrics", "set_threads": "_threads",
          "get_threads": "_threads", "sweep": "scale"}
_HOMES = {"data": "datasets"}         # one module, two names
__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name):
    """Load a public name when it is first asked for."""
    if name in _MODULES:
        return importlib.import_module(f".{_HOMES.get(name, name)}", __name__)
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module 'pysnn' has no attribute {name!r}")


def __dir__():
    """List the public names."""
    return sorted(__all__)
