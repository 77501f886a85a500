"""The operations on a GPU (CUDA by numba-cuda), under the same names; docs/cuda.md says how each is laid out."""
