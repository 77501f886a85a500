"""Layers of JAX by one line: a loop by `lax.scan`, and one step with the state first or last. Run by `make test-frameworks`."""

import pytest

from pysnn.cli import main

pytestmark = pytest.mark.frameworks

FILE = """
import jax
import jax.numpy as jnp


@jax.custom_jvp
def spike(x):
    return (x >= 0).astype(x.dtype)


@spike.defjvp
def _(x, dx):
    return spike(x[0]), dx[0] / (1 + 5.0 * jnp.abs(x[0])) ** 2


def step(v, x):
    v = 0.75 * v + x
    s = spike(v - 1.0)
    return v - jax.lax.stop_gradient(s), s


def turned(x, v):
    return step(v, x)[::-1]


def layer(x):
    return jax.lax.scan(step, jnp.zeros(x.shape[1:], x.dtype), x)[1]
"""


@pytest.mark.parametrize(("name", "old", "new", "code", "says"), [
    ("layer", "", "", 0, "leaky, beta 0.75"), ("step", "", "", 0, "it takes one step"), ("turned", "", "", 0, "it takes one step"),
    ("layer", "0.75 * v + x", "0.75 * jax.lax.stop_gradient(v) + x", 1, "gradient of the state is lost"),
    ("layer", "0.75 * v + x", "(0.75 * v + x).astype(jnp.float16).astype(x.dtype)", 1, "float16"),
    ("layer", ", x)[1]", ", x, reverse=True)[1]", 1, "time runs backwards")])
def test_a_function_of_jax(tmp_path, capsys, name, old, new, code, says):
    pytest.importorskip("jax")
    path = tmp_path / "own.py"
    path.write_text(FILE.replace(old, new))
    assert main(["verify", "--jax", f"{path}:{name}", "--quiet"]) == code
    assert says in capsys.readouterr().out
