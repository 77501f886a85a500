"""The one table of operations, and where each is computed: to be read, to be fast, or on a GPU."""

import importlib
import importlib.util
from typing import NamedTuple

BACKENDS = {"reference": "reference", "numba": "kernels", "cuda": "cuda"}
"""Name of a backend -> its folder in pysnn; "auto" is numba where installed, else reference."""


NO_CUDA = ("reference", "numba")


class Pair(NamedTuple):
    """The two functions of an operation."""

    forward: object       # (*arguments) -> outputs and a cache
    backward: object      # (gradients with respect to the outputs, cache) -> gradients with respect to the arguments


class Operation(NamedTuple):
    """One differentiable operation: a pair of functions, implemented up to three times under the same names."""

    name: str
    module: str = ""                # its file, in each of the three folders; "": an operation of the user's own
    prefix: str = ""                # its functions are called {prefix}forward and {prefix}backward
    arguments: tuple = ()           # of forward, in order
    gradients: tuple = ()           # the arguments whose gradients backward returns, in order
    outputs: tuple = ("y",)         # of forward, before the cache
    options: tuple = ()             # further arguments of backward, after the cache
    backends: tuple = tuple(BACKENDS)

    def pair(self, backend="auto"):
        """Load forward and backward.

        Parameters
        ----------
        backend : {"auto", "reference", "numba", "cuda"}
            What computes; see `backend_of`.

        Returns
        -------
        Pair
            forward and backward.
        """
        module = backend_of(self.module, backend)
        return Pair(getattr(module, f"{self.prefix}forward"), getattr(module, f"{self.prefix}backward"))


OPERATIONS = {operation.name: operation for operation in (
    Operation("temporal", "temporal", "", ("z_in", "w", "threshold"), ("z_in", "w"), ("z_out",)),
    Operation("temporal_delays", "delays", "", ("z_in", "w", "delay", "threshold"), ("z_in", "w", "delay"), ("z_out",)),
    Operation("temporal_conv", "temporal_conv", "", ("z_in", "w", "b", "stride", "padding", "threshold"), ("z_in", "w", "b"), ("z_out",)),
    *(Operation(name, "spike_times", f"{name}_", ("t_in", "w", "threshold", scale), ("t_in", "w"), ("t_out",))
      for name, scale in (("leaky_equal", "tau"), ("leaky_double", "tau"), ("alpha", "decay"))),
    Operation("theta", "theta", "", ("t_in", "w", "t_end", "drive", "v_init", "tau"), ("t_in", "w"), ("t_out",)),
    Operation("event_prop", "event_prop", "", ("t_in", "w", "w_rec", "threshold", "tau_m", "tau_s", "n_spikes"), ("t_in", "w", "w_rec"),
              ("t_out",), backends=NO_CUDA),
    Operation("event_max", "event_prop", "max_", ("t_in", "w", "tau_m", "tau_s"), ("t_in", "w"), ("v_max",), backends=NO_CUDA),
    Operation("integrate_fire", "integrate_fire", "", ("current", "threshold", "v_init", "rule"), ("current", "v_init"),
              ("spikes", "v_final"), ("dv_final", "surrogate", "detach_reset")),
    Operation("pooled_fire", "pooled_fire", "", ("current", "size", "threshold", "v_init", "rule"), ("current", "v_init"),
              ("spikes", "v_final"), ("dv_final", "surrogate", "detach_reset")),
    Operation("leaky", "leaky", "", ("current", "beta", "threshold", "v_init", "rule", "alpha", "w_rec"),
              ("current", "beta", "threshold", "v_init", "alpha", "w_rec"), ("spikes", "v_final"),
              ("dv_final", "dv", "surrogate", "detach_reset")),
    Operation("dense", "dense", "dense_", ("x", "w", "b"), ("x", "w", "b")),
    Operation("conv2d", "conv", "conv2d_", ("x", "w", "stride", "padding"), ("x", "w")),
    Operation("max_pool2d", "pool", "max_pool2d_", ("x", "size", "stride"), ("x",)),
    Operation("avg_pool2d", "pool", "avg_pool2d_", ("x", "size", "stride"), ("x",)),
    Operation("batch_norm", "batch_norm", "batch_norm_", ("x", "gamma", "beta", "mean", "var", "eps"), ("x", "gamma", "beta")),
    Operation("relu", "activations", "relu_", ("x", "top", "levels"), ("x",)),
)}
"""All operations by name. A new one is one line here, its three files (the reference alone will do), its
cases in pysnn/verify/suite and its page in docs/derivations."""


def backend_of(module, name="auto"):
    """Load the module that computes an operation.

    Parameters
    ----------
    module : str
        Name of the file: temporal, conv, dense, ..., or spiking, which runs a whole network.
    name : {"auto", "reference", "numba", "cuda"}
        "auto" takes Numba where it is installed, never a GPU. Where pysnn/kernels has no such file, the reference computes.

    Returns
    -------
    module
        Its functions have the same names, arguments and results for each choice.

    Raises
    ------
    ValueError, ImportError, RuntimeError
        For another name, or when Numba or CUDA is asked for and not installed, or no GPU is found.
    """
    if name not in ("auto", *BACKENDS):
        raise ValueError(f"backend: expected one of {', '.join(('auto', *BACKENDS))}, got {name!r}")
    if name == "cuda":
        importlib.import_module(f"{__package__}.cuda._target").ready()
        return importlib.import_module(f"{__package__}.cuda.{module}")
    has_numba = name != "reference" and importlib.util.find_spec("numba") is not None
    if name == "numba" and not has_numba:
        raise ImportError("backend 'numba' needs Numba: pip install numba")
    if has_numba and importlib.util.find_spec(f"{__package__}.kernels.{module}") is not None:
        return importlib.import_module(f"{__package__}.kernels.{module}")
    return importlib.import_module(f"{__package__}.reference.{module}")
