"""What the controls against dual numbers share: a neuron written as one step gives spikes, and gradients by forward mode."""

import numpy as np

from ..witness.duals import DualArray


def stop(u):
    """Take it for a constant."""
    return DualArray(u.value)


def spike(u, slope, fires=np.greater_equal):
    """Return 1 where u = V - threshold fires; `slope` is what stands for the derivative."""
    return DualArray(fires(u.value, 0) * 1.0, None if u.tangents is None else slope(u.value) * u.tangents)


def unrolled(step, n_states):
    """Turn ``step(state, current_t, *params) -> state, spikes_t`` into ``run(current, *params) -> spikes``, from rest."""
    def run(current, *params):
        state, spikes = (DualArray(np.zeros(current.shape[1:])),) * n_states, []
        for t in range(len(current)):
            state, out = step(state, current[t], *params)
            spikes.append(out)
        return np.stack(spikes)
    return run


def gradients(run, args, down):
    """Return what `run` gives for arrays, and the gradient of <down, run> for each of them."""
    sizes, duals, first = [a.size for a in args], [], 0
    for a, size in zip(args, sizes, strict=True):
        moves = np.zeros((sum(sizes), size))
        moves[first:first + size] = np.eye(size)
        duals.append(DualArray(a, moves.reshape(-1, *a.shape)))
        first += size
    out = run(*duals)
    flat = out.tangents.reshape(sum(sizes), -1) @ down.ravel()
    return out.value, [g.reshape(a.shape) for g, a in zip(np.split(flat, np.cumsum(sizes)[:-1]), args, strict=True)]


def miss(got, wanted):
    """Return the largest deviation of several gradients, each relative to its largest entry; inf where one is not finite."""
    off = [(float(np.abs(a - b).max()), float(np.abs(b).max())) for a, b in zip(got, wanted, strict=True)]
    return max((x / scale if scale else x * np.inf) if x else 0.0 for x, scale in off) if np.isfinite(off).all() else np.inf
