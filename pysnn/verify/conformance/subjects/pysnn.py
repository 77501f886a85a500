"""Ours: the reference, integrate-and-fire and leaky neurons."""

import numpy as np

from ....conventions import Rule, Surrogate
from ....reference import integrate_fire, leaky
from ..node import NotSupported, PairNode


class OurNode(PairNode):
    """An operation of the public contract.

    Parameters
    ----------
    run : callable
        ``run(current, v_init) -> spikes, v_final, cache``.
    back : callable
        ``back(dspikes, cache) -> dcurrent, {parameter: gradient}``.
    step : callable
        ``step(state, current_t) -> spikes_t, state``; the state is None at rest.
    learnable : dict of str to float, optional
        Parameters by name.
    keeps : bool
        Whether the potential is all of its state.
    """

    def __init__(self, run, back, step, learnable=None, keeps=True):
        super().__init__(lambda x: run(x, 0.0)[0], lambda x, d: back(d, run(x, 0.0)[2])[0], step=step)
        self.run, self.back, self.learnable, self.keeps = run, back, learnable or {}, keeps

    def calls(self, current, first):
        """Begin the second call with the potential that the first one leaves."""
        if not self.keeps:
            raise NotSupported("a call begins with a potential, and this one has a current, too")
        one, v, _ = self.run(np.array(current[:first]), 0.0)
        return np.concatenate([one, self.run(np.array(current[first:]), v)[0]])

    def twice(self, current, down):
        """Go back twice from one cache."""
        cache = self.run(np.array(current), 0.0)[2]
        return [np.array(self.back(np.array(down), cache)[0]) for _ in range(2)]

    def parameters(self, current, down):
        """Go back once, and take what is returned beside."""
        if not self.learnable:
            raise NotSupported("it has no learnable parameters")
        return self.back(np.array(down), self.run(np.array(current), 0.0)[2])[1]

    def numbers(self):
        """Give the values."""
        return {name: np.full(1, x) for name, x in self.learnable.items()}


def _integrate_fire(rule=None, surrogate=None, detach=True):
    rule, surrogate = rule or Rule(), surrogate or Surrogate()
    return lambda: OurNode(lambda x, v: integrate_fire.forward(x, 1.0, v, rule),
                           lambda d, cache: (integrate_fire.backward(d, cache, None, surrogate, detach)[0], {}),
                           lambda v, x: integrate_fire.step(0.0 * x if v is None else v, x, 1.0, rule))


def _leaky(rule=None, alpha=None, detach=True):
    rule = rule or Rule()

    def back(d, cache):
        g = leaky.backward(d, cache, detach_reset=detach)
        found = {"beta": g.dbeta, "threshold": g.dthreshold, "alpha": g.dalpha}
        return g.dcurrent, {name: np.full(1, x) for name, x in found.items() if x is not None}
    learnable = {"beta": 0.75, "threshold": 1.0} | ({} if alpha is None else {"alpha": alpha})
    return lambda: OurNode(lambda x, v: leaky.forward(x, 0.75, 1.0, v, rule, alpha), back,
                           lambda state, x: leaky.step(0.0 * x if state is None else state, x, 0.75, 1.0, rule, alpha), learnable,
                           alpha is None)


NEURONS = {
    "integrate_fire": _integrate_fire(),
    "integrate_fire(zero, next, >)": _integrate_fire(Rule("zero", "next", ">"), Surrogate("sigmoid", 4.0)),
    "integrate_fire(attached)": _integrate_fire(detach=False),
    "leaky": _leaky(),
    "leaky(zero, 1 - beta, attached)": _leaky(Rule("zero", gain="1 - beta"), detach=False),
    "leaky(leak first)": _leaky(Rule("subtract", "next", ">", order="leak first")),
    "leaky(alpha)": _leaky(alpha=0.5),
}
"""What makes each neuron."""
