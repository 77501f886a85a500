"""
One neuron, every number printed
================================

Causal set, spike time and gradient of one temporal neuron, by hand and by pysnn, and what a finite difference says. The numbers
are those of the worked example in docs/derivations/temporal.md.

Run: python examples/01_one_neuron.py          (NumPy is enough; with matplotlib it also draws figures/one_neuron.png)
"""

from importlib.util import find_spec

import numpy as np

from pysnn.reference import temporal

t_in = np.array([0.0, 1.0, 2.0])          # input spike times, in tau
w = np.array([0.8, 0.6, -0.3])            # weights
threshold = 1.0                           # threshold / tau
z_in = np.exp(t_in)
print("z = exp(t)       ", z_in)

# %%
# The causal set
# --------------
# Add inputs in order of time until the sum of the weights exceeds the threshold and the spike that follows comes no later than
# the next input (T5). Where the neuron fires, its potential is the threshold.
for n in range(1, len(w) + 1):
    s, p = w[:n].sum(), (w[:n] * z_in[:n]).sum()
    z = p / (s - threshold) if s > threshold else np.inf
    z_next = z_in[n] if n < len(w) else np.inf
    print(f"first {n} input(s)   sum w = {s:.2f}   z = {z:.6f}   next input at z = {z_next:.6f}   {'fires' if z <= z_next else 'no'}")
    if z <= z_next:
        break
t_out = np.log(z)
print(f"spike            z_out = {z:.12f}   t_out = {t_out:.12f} tau")
v = (w[:n] * (1 - np.exp(t_in[:n] - t_out))).sum()
print(f"membrane there   V(t_out) = {v:.15f}")

# %%
# The gradient
# ------------
# (T7) and (T8), by hand ...
dz_dw = np.where(np.arange(3) < n, (z_in - z) / (s - threshold), 0)
dz_dz = np.where(np.arange(3) < n, w / (s - threshold), 0)
dt_dt = dz_dz * z_in / z
print("dz_out/dw        ", dz_dw)
print("dz_out/dz_in     ", dz_dz)
print("dt_out/dt_in     ", dt_dt, "  sum", dt_dt.sum(), "(a shift of all inputs shifts the output)")

# %%
# ... by pysnn ...
z_out, cache = temporal.forward(z_in[None], w[:, None], threshold)
got_dz, got_dw = temporal.backward(np.ones((1, 1)), cache)
print("pysnn            ", z_out[0, 0], got_dw[:, 0], got_dz[0])

# %%
# ... and by a finite difference.
h = 1e-6
for i in range(3):
    e = h * (np.arange(3) == i)
    up, down = (temporal.forward(z_in[None], (w + d)[:, None], threshold)[0][0, 0] for d in (e, -e))
    print(f"difference dw[{i}] {(up - down) / (2 * h):.8f}")

assert np.allclose([z_out[0, 0], t_out], [6.077422742688569, 1.8045807151057172], rtol=1e-12)
assert np.allclose(got_dw[:, 0], dz_dw, rtol=1e-12) and np.allclose(got_dz[0], dz_dz, rtol=1e-12)

# %%
# The potential
# -------------
if find_spec("matplotlib"):
    from pysnn import plots
    print("figure           ", plots.save(plots.neuron(t_in, w), "figures/one_neuron.png"))
