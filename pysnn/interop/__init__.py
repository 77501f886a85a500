"""Other people's formats: PyTorch state dicts, NIR, modules of snnTorch and SpikingJelly, integer weights, and a C program."""

import importlib

_NAMES = {"to_state_dict": "state_dicts", "from_state_dict": "state_dicts", "quantize": "integers", "simulate": "integers",
          "IntegerNetwork": "integers", "to_c": "c_source", "to_nir": "nir_graph", "from_nir": "nir_graph", "read_nir": "nir_graph",
          "write_nir": "nir_graph", "to_snntorch": "modules", "to_spikingjelly": "modules"}
__all__ = sorted(_NAMES)


def __getattr__(name):
    """Load a public name when it is first asked for."""
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module 'pysnn.interop' has no attribute {name!r}")


def __dir__():
    """List the public names."""
    return __all__
