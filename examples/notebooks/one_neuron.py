"""The source of one_neuron.ipynb; make.py turns it into the notebook."""

# %% [markdown]
# # One neuron
#
# Three inputs, one spike. Move a slider and look at the potential, at the causal set and at the gradient. Needs ipywidgets and
# matplotlib: in a checkout `pip install ".[full]" ipywidgets`. The equations: docs/derivations/temporal.md.
#
# 1. Move input 3 to the left. Nothing happens until it meets the output spike: it was not in the causal set.
# 2. Where it meets it, does the output spike move continuously, or does it jump? Make its weight more negative and look again.
# 3. Make all weights small. The neuron falls silent, and so does its gradient.

# %%
import io

import ipywidgets as widgets
import numpy as np

from pysnn import plots
from pysnn.reference import temporal

# %% [markdown]
# What is computed: forward, and backward with a gradient of 1 at the output. In time, not in z: `dt_out/dt_in` and `dt_out/dw`.

# %%
def compute(t_in, w, threshold=1.0):
    """Find the spike time, and its derivatives with respect to input times and weights; all in units of tau."""
    z_in, weights = np.exp(np.array([t_in])), np.array(w)[:, None]
    z_out, cache = temporal.forward(z_in, weights, threshold)
    dz_in, dw = temporal.backward(np.ones_like(z_out), cache)
    z = z_out[0, 0]
    scale = 1 / z if np.isfinite(z) else 0.0                 # t = ln z
    return np.log(z), (dz_in * z_in * scale)[0], (dw * scale)[:, 0]

# %% [markdown]
# The sliders.

# %%
def slider(name, value, low, high):
    """Make a slider."""
    return widgets.FloatSlider(description=name, value=value, min=low, max=high, step=0.01, readout_format=".2f", continuous_update=True)


times = [slider(f"time {k}", t, 0.0, 3.0) for k, t in enumerate((0.0, 1.0, 2.0), 1)]
weights = [slider(f"weight {k}", w, -2.0, 3.0) for k, w in enumerate((0.8, 0.6, -0.3), 1)]
threshold = slider("threshold", 1.0, 0.1, 2.0)
picture, numbers = widgets.HTML(), widgets.HTML()


def show(change=None):
    """Compute, draw and write anew."""
    t_in, w = np.array([s.value for s in times]), np.array([s.value for s in weights])
    t_out, dt, dw = compute(t_in, w, threshold.value)
    svg = io.StringIO()
    plots.neuron(t_in, w, threshold.value).savefig(svg, format="svg")
    picture.value = svg.getvalue()[svg.getvalue().index("<svg"):]
    rows = "".join(f"<tr><td>input {k}</td><td>{'yes' if t < t_out < np.inf else 'no'}</td><td>{a:+.4f}</td><td>{b:+.4f}</td></tr>"
                   for k, (t, a, b) in enumerate(zip(t_in, dt, dw, strict=True), 1))
    said = f"output spike at t = {t_out:.12f} tau" if np.isfinite(t_out) else "silent"
    numbers.value = f"<b>{said}</b><table><tr><th></th><th>causal</th><th>dt_out/dt_in</th><th>dt_out/dw</th></tr>{rows}</table>"


for control in (*times, *weights, threshold):
    control.observe(show, "value")
show()
widgets.VBox([widgets.HBox([widgets.VBox(times), widgets.VBox(weights)]), threshold, picture, numbers])

# %% [markdown]
# The derivatives with respect to the times sum up to 1 as long as the neuron fires: if all inputs come later by as much, so does the
# output. Which derivative is the largest, and why that one?
