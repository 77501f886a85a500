"""Write your own backward pass and have it marked.

The forward pass of the temporal neuron is given. Fill in dz_in and dw below, run the file, and read the comparison: every item is
called exact, approximate or DIFFERENT, with its largest difference from pysnn. The derivation is in docs/derivations/temporal.md; a
solution stands at the end of the file.

Run: python examples/03_write_your_backward.py            marks your_backward
     python examples/03_write_your_backward.py solution   marks the solution
"""

import sys

import numpy as np

from pysnn import verify
from pysnn.reference import temporal


def your_backward(dz_out, z_in, w, z_out, causal, threshold=1.0):
    """Pull dz_out back to the inputs and the weights of one sample.

    dz_out, z_out: (N_out,), finite. z_in: (N_in,), finite. w: (N_in, N_out).
    causal: (N_in, N_out), True where input i is in the causal set of neuron j.
    """
    dz_in = np.zeros_like(z_in)        # TODO: (T8)
    dw = np.zeros_like(w)              # TODO: (T7)
    return dz_in, dw


def mark(backward):
    """Compare a backward pass with pysnn's on random neurons that fire; return the verdict."""
    rng = np.random.default_rng(0)
    z_in = np.exp(rng.uniform(0, 2, 12))
    w = rng.normal(0.3, 0.3, (12, 6))
    z_out, _ = temporal.forward(z_in[None], w)
    fires = np.isfinite(z_out[0])
    w, z_out = w[:, fires], z_out[0, fires]
    causal = z_in[:, None] < z_out
    dz_out = rng.normal(size=z_out.shape)

    def ours(dz_out, z_in, w):
        _, cache = temporal.forward(z_in[None], w)
        dz_in, dw = temporal.backward(dz_out[None], cache)
        return dz_in[0], dw

    def theirs(dz_out, z_in, w):
        return backward(dz_out, z_in, w, z_out, causal)

    found = verify.compare(theirs, ours, (dz_out, z_in, w), names=("dz_in", "dw"))
    print(found)
    return found


def solution(dz_out, z_in, w, z_out, causal, threshold=1.0):
    """One way to do it, mirroring the equations."""
    h = dz_out / ((w * causal).sum(axis=0) - threshold)
    dz_in = (causal * w * h).sum(axis=1)
    dw = causal * (z_in[:, None] - z_out) * h
    return dz_in, dw


if __name__ == "__main__":
    found = mark(solution if sys.argv[1:] == ["solution"] else your_backward)
    print("right: every item agrees" if found.ok else "not yet: look at the items called DIFFERENT, and at (T7) and (T8)")
