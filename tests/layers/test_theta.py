"""Dense layers of theta neurons: gradients of a network by differences, silent starts, spikes that cross the end of the trial."""

from itertools import pairwise

import numpy as np
import pytest

from pysnn.layers.theta import ThetaDense
from pysnn.network import Network
from pysnn.verify import gradcheck
from tests.cases.backends import operation

T_END = 1.5


def network(rng, backend, start=0.0, sizes=(4, 6, 5, 3)):
    """Build layers with biases around `start`."""
    operation("theta", backend)                              # skips where Numba is missing
    params = {f"w{k}": np.concatenate([rng.normal(0, 1 / np.sqrt(n), (n, m)), start + rng.normal(0, 0.2, (1, m))])
              for k, (n, m) in enumerate(pairwise(sizes), 1)}
    return Network([ThetaDense(params, name, T_END, bias=True, backend=backend) for name in params], params)


@pytest.mark.parametrize("start", [0.2, -3.0], ids=["some fire", "none fires"])
@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_gradients_through_three_layers(backend, start, rng):
    """(Q7), (Q8): of all weights and of the input, whether hidden spikes come in the trial or behind it."""
    net = network(rng, backend, start)
    t = rng.uniform(0.1, 1.4, (5, 4))
    silent = np.concatenate([x.ravel() for x in net.forward(t)[0]]) >= T_END
    assert silent.all() if start < 0 else 0.1 < silent.mean() < 0.9
    names = list(net.params)

    def forward(t, *weights):
        net.params.update(zip(names, weights, strict=True))
        outputs, caches = net.forward(t)
        return outputs[-1], caches

    def backward(dt_out, caches):
        dt, grads = net.backward(dt_out, caches, need_dx=True)
        return (dt, *(grads[name] for name in names))
    report = gradcheck(forward, backward, (t, *net.params.values()), lambda *_: np.zeros(0), ("t", *names), n=None)
    assert report.ok, report
    assert all(np.any(grads) for grads in backward(np.ones((5, 3)), forward(t, *net.params.values())[1]))


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_outputs_move_on_while_hidden_spikes_cross_the_end(backend, rng):
    """(Q5): one first weight moves, in twice as many places by half as much."""
    net, largest = network(rng, backend, -0.5), []
    t = np.array([[0.3, 0.6, 0.9, 1.2]])
    for n in (500, 1000):
        outputs, crossed = [], []
        for weight in np.linspace(-3, 3, n + 1):
            net.params["w1"][0] = weight
            hidden, _, out = net.forward(t)[0]
            outputs.append(out[0])
            crossed.append(hidden[0] < T_END)
        largest.append(np.abs(np.diff(outputs, axis=0)).max())
        assert 0.05 < np.mean(crossed) < 0.95
    assert largest[1] < 0.6 * largest[0]


def test_a_bias_is_a_first_voltage(rng):
    w, bias = rng.normal(size=(3, 1)), 0.7
    t = rng.uniform(0.1, 1.4, (4, 3))
    got = ThetaDense({"w": np.concatenate([w, [[bias]]])}, "w", T_END, bias=True, backend="reference").forward(t)[0]
    wanted = ThetaDense({"w": w}, "w", T_END, v_init=0.5 + bias, backend="reference").forward(t)[0]
    np.testing.assert_allclose(got, wanted, rtol=1e-13)
