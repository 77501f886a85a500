"""The only place that imports a CUDA package: the device, its simulator or neither; arrays to and fro; launches.

Importing this never fails. A kernel is a function with `@kernel("T2 T1 i")`, its arguments in short: T2 is an array of two dimensions of
float32 or float64, T a number of that type, t3 three of them, D1 an array of float64 whatever T is, I2 one of int32, B1 of bytes, S1 of
16 bits, i an integer, i7 seven of them. So every kernel can be compiled without a GPU. Kernels are compiled when first used, never cached.

With NUMBA_ENABLE_CUDASIM=1 the package runs kernels in Python, one thread of the system for each thread of a block: for equality, not for
speed. Then a helper may take numbers, not arrays, and blocks are small; `tile` is where that is decided.
"""

import functools
import importlib.metadata
import importlib.util
import math
import sys
import threading
import warnings

import numpy as np

MISSING = "backend 'cuda' needs numba-cuda: pip install \"numba-cuda[cu13]\""
NO_GPU = "backend 'cuda' found no GPU; NUMBA_ENABLE_CUDASIM=1 simulates one, slowly"


def _load():
    """Return the CUDA module of the package numba-cuda; None if it cannot be had, and why."""
    if importlib.util.find_spec("numba_cuda") is None or importlib.util.find_spec("numba") is None:
        return None, MISSING
    try:
        from numba import cuda
        from numba.cuda.core import config
    except Exception as error:                    # a broken installation is no reason to crash before a GPU is wanted
        return None, f"backend 'cuda': numba-cuda cannot be loaded: {type(error).__name__}: {error}".splitlines()[0]
    config.CUDA_LOW_OCCUPANCY_WARNINGS = 0
    return cuda, ""


cuda, _why_not = _load()
SIMULATED = cuda is not None and bool(cuda.config.ENABLE_CUDASIM)
KERNELS = {}            # name -> Kernel


def _share_once():
    """Let the threads of a simulated block share one array: the simulator looks for it and makes it without a lock.

    Between the two another thread may make a second one; then some threads read what nobody wrote. It shows rarely, as numbers too small.
    """
    from numba.cuda.simulator import kernelapi
    lock = threading.Lock()

    def array(self, shape, dtype):
        place = sys._getframe(1)
        with lock:
            return self._allocations.setdefault((place.f_code.co_filename, place.f_lineno), np.empty(shape, dtype))

    kernelapi.FakeCUDAShared.array = array


if SIMULATED:
    _share_once()


def tile(on_device, simulated):
    """Choose a size: on a device threads are cheap, in the simulator each is a thread of the system."""
    return simulated if SIMULATED else on_device


BLOCK = tile(256, 4)         # threads a block, where a thread takes one number after the other,
GRID = tile(4096, 2)         # and at most so many blocks


@functools.cache
def available():
    """Tell whether there is a GPU, or its simulator; looked for once."""
    return cuda is not None and (SIMULATED or bool(cuda.is_available()))


def ready():
    """Raise an error that says what is missing, unless there is a GPU or its simulator."""
    if cuda is None:
        raise ImportError(_why_not)
    if not available():
        raise RuntimeError(NO_GPU)


def describe():
    """Say what is here, for `pysnn info`: device, target, package, or why there is none.

    Returns
    -------
    dict of str to str
        cuda: in one line; with a GPU also its name, compute capability and memory.
    """
    if cuda is None:
        return {"cuda": "none (" + _why_not.partition(": ")[2] + ")"}
    version = importlib.metadata.version("numba-cuda")
    if SIMULATED:
        return {"cuda": f"simulator of numba-cuda {version}, no GPU is used"}
    if not cuda.is_available():
        return {"cuda": f"numba-cuda {version}, no GPU found"}
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    major, minor = device.compute_capability
    total = cuda.current_context().get_memory_info()[1]
    return {"cuda": f"{name}, compute capability {major}.{minor}, {total / 2**30:.0f} GiB, numba-cuda {version}"}


# ------------------------------------------------------------------------------------------------------------ kernels

class Kernel:
    """A function for the GPU, and the types of its arguments."""

    def __init__(self, function, words, name):
        self.function, self.words, self.name = function, words.split(), f"{function.__module__.rpartition('.')[2]}.{name.strip('_')}"
        self.compiled = None if cuda is None else cuda.jit(function)

    def run(self, grid, block, *args):
        """Start so many blocks of so many threads."""
        if not SIMULATED:
            self.compiled[grid, block](*args)
            return
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-4)               # threads that wait for each other would do so for 5 ms each time
        try:
            with warnings.catch_warnings():       # 1/inf is 0, in other threads than this one, too
                warnings.simplefilter("ignore", RuntimeWarning)
                self.compiled[grid, block](*args)
        finally:
            sys.setswitchinterval(before)

    def over(self, n, *args):
        """Start as many threads as n numbers need."""
        self.run(min(GRID, -(-n // BLOCK)), BLOCK, *args)

    def types(self, dtype):
        """Return the types of the arguments."""
        from numba import types
        number = {"T": types.float32 if np.dtype(dtype) == np.float32 else types.float64, "D": types.float64, "I": types.int32,
                  "B": types.uint8, "S": types.uint16, "i": types.int64}
        number["t"] = number["T"]
        found = []
        for kind, many in ((word[0], word[1:]) for word in self.words):
            if not many:
                found.append(number[kind])
            else:
                found.append(types.UniTuple(number[kind], int(many)) if kind.islower() else types.Array(number[kind], int(many), "C"))
        return tuple(found)

    def ptx(self, dtype, capability):
        """Compile for a compute capability such as (9, 0), without a GPU; return PTX, the assembly language of NVIDIA's GPUs."""
        return cuda.compile_ptx(self.function, self.types(dtype), cc=capability)[0]


def kernel(words, name=""):
    """Make a function a kernel; its arguments are described above."""
    def made(function):
        found = Kernel(function, words, name or function.__name__)
        KERNELS[found.name] = found
        return found
    return made


def scalar(function):
    """Make a function of numbers one that kernels may call; written into them, it is compiled with them, and that needs no GPU.

    One of pysnn/kernels will do, too, if it calls no other.
    """
    function = getattr(function, "py_func", function)
    return function if cuda is None or SIMULATED else cuda.jit(device=True, inline="always")(function)


def sincospi(x):
    """Return sine and cosine of pi x in float64; on a device those of math would need a stack, for angles of any size."""
    return math.sin(math.pi * x), math.cos(math.pi * x)


if cuda is not None and not SIMULATED:
    sincospi = cuda.libdevice.sincospi


# ------------------------------------------------------------------------------------------------------------- arrays

def on_device(x):
    """Tell whether x is an array on a device: ours, or one by the CUDA array interface."""
    return not isinstance(x, np.ndarray) and (hasattr(x, "__cuda_array_interface__") or hasattr(x, "__cuda_ndarray__"))


def at_home(*arrays):
    """Tell whether none of the arrays is on a device: then the result is NumPy's."""
    return not any(on_device(x) for x in arrays)


def stand_in(x, value=0):
    """Return what the checks look at: of a device array one of its shape and dtype, in memory that is not touched; else x itself."""
    if not on_device(x):
        return x
    about = getattr(x, "__cuda_array_interface__", None)     # the dtype of others, such as PyTorch's, is not NumPy's; none in the simulator
    shape, dtype = (about["shape"], np.dtype(about["typestr"])) if about else (x.shape, x.dtype)
    return np.full(shape, value, dtype) if value else np.zeros(shape, dtype)


def send(x, checked, name):
    """Return x on the device: a device array as it is, of others a copy of what the checks let through."""
    ready()
    if on_device(x):
        x = x if hasattr(x, "copy_to_host") else cuda.as_cuda_array(x)
        if x.is_c_contiguous():
            return x
        checked = x.copy_to_host()
    return _room(lambda: cuda.to_device(np.ascontiguousarray(checked)), checked.shape, checked.dtype, name)


def empty(shape, dtype, name):
    """Return a new device array with anything in it."""
    ready()
    return _room(lambda: cuda.device_array(shape, np.dtype(dtype)), shape, dtype, name)


def _room(make, shape, dtype, name):
    """Make an array, or say how large it would have been and how much room there is."""
    try:
        return make()
    except Exception as error:
        if not isinstance(error, MemoryError) and "OUT_OF_MEMORY" not in str(error).upper().replace(" ", "_"):
            raise
        shape = tuple(int(n) for n in np.atleast_1d(shape))
        size = int(np.prod([float(n) for n in shape])) * np.dtype(dtype).itemsize
        free, total = cuda.current_context().get_memory_info()
        room = f"{free:,} of {total:,} bytes are free" if np.isfinite(total) else "the simulator uses the memory of this machine"
        raise MemoryError(f"out of memory on the GPU: {name} of shape {shape} and dtype {np.dtype(dtype)} needs {size:,} bytes; "
                          f"{room} (a smaller batch needs less)") from error


def give(home, *arrays):
    """Return results: to whom came with NumPy arrays, NumPy arrays."""
    found = tuple(x.copy_to_host() if home and x is not None else x for x in arrays)
    return found[0] if len(found) == 1 else found
