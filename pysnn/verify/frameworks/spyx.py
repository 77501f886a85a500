"""What spyx 1.0.0 does differently."""

from ._finding import Finding, Observation
from .adapters import needed


def _custom():
    jax, custom = needed("jax"), needed("spyx.axn").custom
    x = [-2.0, -0.5, 0.0, 0.5, 2.0]
    got = jax.vmap(jax.grad(custom()))(jax.numpy.array(x)).tolist()
    return Observation(got == x, len(x), 3.0, f"gradients {got} at x = {x}, where 1 is documented", "x = -2")


def _late():
    """One step with twice the threshold, then nothing."""
    jnp, nn = needed("jax.numpy"), needed("spyx.nn")
    layer, v, spikes = nn.IF((1,)), jnp.zeros((1, 1)), []
    for x in (2.0, 0.0, 0.0, 0.0):
        s, v = layer(jnp.full((1, 1), x), v)
        spikes.append(float(s[0, 0]))
    return Observation(spikes == [0, 1, 0, 0], 4, None, f"a current of twice the threshold in the first step gives spikes {spikes}")


CASES = (
    Finding("spyx-custom", "spyx", "spyx", "1.0.0", "bug", "the default surrogate of axn.custom has the gradient x instead of 1", _custom,
            "docs/findings/spyx-custom.md"),
    Finding("spyx-late", "spyx", "spyx", "1.0.0", "convention", "neurons compare the potential before they add the current: spikes come "
            "a step late", _late),
)
"""Two cases."""
