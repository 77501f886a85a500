"""Every signature that docs/howto/verify-your-gradient.md allows: right code is called right, and wrong code WRONG, at each length."""

import re
from itertools import product

import pytest

from pysnn.operations import OPERATIONS
from pysnn.verify import student, suite
from tests.cases import ROOT

RULES = [("subtract", "same", ">="), ("zero", "same", ">"), ("subtract", "next", ">="), ("zero", "next", ">=")]


@pytest.fixture
def verdicts(tmp_path):
    """Check a file; return the verdicts that came, in the process itself: what runs where is another question."""
    def of(text):
        (tmp_path / "mine.py").write_text(text)
        layer = student.load(str(tmp_path / "mine.py"))
        ledger = suite.run([layer.operation], op=layer, few=True)
        return {e.verdict for e in ledger.entries}, str(ledger)
    return of


LEAST = (("temporal", 2), ("temporal_delays", 3), ("temporal_conv", 2), ("leaky_equal", 2), ("leaky_double", 2), ("alpha", 2), ("theta", 3),
         ("event_prop", 7), ("event_max", 4), ("dense", 2), ("conv2d", 2), ("max_pool2d", 1), ("avg_pool2d", 1), ("batch_norm", 3),
         ("relu", 1))
"""How many arguments an operation takes at least."""


def shortened(name, n, change="", defaults=False):
    """Write an operation that takes the first n arguments; `change` is put into its gradients."""
    record = OPERATIONS[name]
    taken = ", ".join(record.arguments[:n])
    required = next(least for known, least in LEAST if known == name)
    given = ", ".join(f"{a}=None" if defaults and k >= required else a for k, a in enumerate(record.arguments[:n]))
    return (f"from pysnn.operations import OPERATIONS\nOPERATION = {name!r}\nours = OPERATIONS[OPERATION].pair('reference')\n\n"
            f"def forward({given}):\n    return ours.forward({taken})\n\n"
            f"def backward(d, cache):\n    grads = ours.backward(d, cache)\n"
            "    grads = [g for g in (grads if isinstance(grads, tuple) else (grads,)) if g is not None]\n"
            f"    {change or 'pass'}\n    return tuple(grads) if len(grads) > 1 else grads[0]\n")


LENGTHS = [(name, n) for name, least in LEAST for n in range(least, len(OPERATIONS[name].arguments) + 1)]


def test_all_operations_of_the_page_are_here():
    page = (ROOT / "docs/howto/verify-your-gradient.md").read_text()
    table = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    listed = {name for cell in table for name in re.findall(r"`(\w+)`", cell)} - {"OPERATION"}
    assert listed == {name for name, _ in LENGTHS} | {"integrate_fire", "pooled_fire", "leaky"} == set(OPERATIONS)


def by_turns(name, n):
    """Mark as slow: neurons with spike times, but for Mostafa's and theta."""
    return [pytest.mark.slow] * (name.startswith(("leaky_", "alpha", "temporal_", "event_")))


@pytest.mark.parametrize("name, n", [pytest.param(name, n, marks=by_turns(name, n)) for name, n in LENGTHS])
def test_right_at_each_length(name, n, verdicts):
    found, said = verdicts(shortened(name, n))
    assert found == {"right"}, said


@pytest.mark.parametrize("name, n", [("event_prop", 2), ("event_prop", 6), ("event_max", 2)])
def test_what_needs_all_its_arguments_says_so(name, n, verdicts):
    with pytest.raises(ValueError, match=rf"expected all arguments of {name}, \(t_in, .*, got {n} of them"):
        verdicts(shortened(name, n))


CHANGES = {"sign": "grads[0] = -grads[0]", "factor": "grads[-1] = grads[-1] * 1.001"}


@pytest.mark.parametrize("name, n, change", [
    pytest.param(name, n, change, id=f"{what}-{name}-{n}", marks=by_turns(name, n) if (n + k) % 2 else pytest.mark.slow)
    for k, (what, change) in enumerate(CHANGES.items()) for name, n in LENGTHS])
def test_wrong_at_each_length(name, n, change, verdicts):
    found, said = verdicts(shortened(name, n, change))
    assert "WRONG" in found and "unjudged" not in found, said


@pytest.mark.parametrize("name, n, ignored", [("conv2d", 3, "stride"), ("conv2d", 4, "padding"), ("max_pool2d", 2, "size"),
                                              ("avg_pool2d", 2, "size"), ("max_pool2d", 3, "stride"), ("relu", 2, "top"),
                                              ("relu", 3, "levels")])
def test_an_argument_that_is_taken_and_ignored_is_caught(name, n, ignored, verdicts):
    default = {"stride": "1" if name == "conv2d" else "size", "padding": "0", "size": "2", "top": "float('inf')",
               "levels": "0"}[ignored]
    text = shortened(name, n).replace("    return ours.forward", f"    {ignored} = {default}\n    return ours.forward")
    try:
        found, _ = verdicts(text)
    except ValueError as error:                # its results have other shapes
        assert re.search("expected .*shape|does not run as", str(error))
    else:
        assert "WRONG" in found


# ---- the neuron: arguments and results can be left out of forward and of backward

def neuron(lengths, results, rule=RULES[0], detach=True, forward="pass", backward="pass"):
    """Write a neuron with so many arguments of forward and backward, that returns v_final, dv_init or not."""
    (n_forward, n_backward), (v_final, dv_init) = lengths, results
    taken = ("current", "threshold", "v_init", "rule")[:n_forward]
    back = ("dspikes", "cache", "dv_final", "surrogate", "detach_reset")[:n_backward]
    return (f"import numpy as np\nfrom pysnn.conventions import Rule, Surrogate\nfrom pysnn.reference import integrate_fire as ours\n"
            f"OPERATION, RULE, SURROGATE, DETACH_RESET = 'integrate_fire', {rule!r}, ('atan', 3.0), {detach}\n"
            f"def forward({', '.join(taken)}):\n"
            f"    spikes, v_final, cache = ours.forward({', '.join(taken[:3])}, rule=Rule(*RULE))\n"
            f"    {forward}\n"
            f"    return spikes, {'v_final, ' * v_final}cache\n"
            f"def backward({', '.join(back)}):\n"
            f"    dcurrent, dv_init = ours.backward({', '.join(back[:3])}, surrogate=Surrogate(*SURROGATE), detach_reset=DETACH_RESET)\n"
            f"    {backward}\n"
            f"    return dcurrent{', dv_init' * dv_init}\n")


EVERY = [(lengths, results) for lengths in product((1, 2, 3, 4), (2, 3, 4, 5)) for results in product((0, 1), (0, 1))]


def can_be(lengths, results, rule):
    """Say whether there is such a neuron: of a reset at the next step, v_final means nothing without a v_init."""
    return not (rule[1] == "next" and lengths[0] < 3 and (results[0] or results[1]))


def some(share):
    """Choose cases, spread over all; the others are slow. Each length and result comes with two of the eight kinds of neuron, by turns."""
    listed = [(*case, rule, detach) for k, case in enumerate(EVERY) for n, (rule, detach) in enumerate(product(RULES, (True, False)))
              if (k + k // 4 + n) % 4 == 0 and can_be(*case, rule)]
    return [pytest.param(lengths, results, rule, detach, marks=[] if k % share == 0 else pytest.mark.slow,
                         id="{}{} {}{} {} {} ".format(*lengths, *results, *rule[:2]) + ("detached" if detach else "attached"))
            for k, (lengths, results, rule, detach) in enumerate(listed)]


@pytest.mark.parametrize("lengths, results, rule, detach", some(23))
def test_neurons_right_at_each_length(lengths, results, rule, detach, verdicts):
    found, said = verdicts(neuron(lengths, results, rule, detach))
    assert found == {"right"}, said


@pytest.mark.parametrize("lengths, results, rule, detach", some(43))
def test_neurons_wrong_at_each_length(lengths, results, rule, detach, verdicts):
    changes = [{"backward": "dcurrent = -dcurrent"}]
    changes += [{"forward": "v_final = v_final + 0.01"}] if results[0] else []
    changes += [{"backward": "dv_init = dv_init * 1.01"}] if results[1] else []
    if lengths[1] > 2 and not (rule[1] == "next" and lengths[0] < 3):
        changes.append({"backward": "dcurrent = ours.backward(dspikes, cache, 0 * dv_final, Surrogate(*SURROGATE), DETACH_RESET)[0]"})
    for change in changes:
        found, said = verdicts(neuron(lengths, results, rule, detach, **change))
        assert "WRONG" in found and "unjudged" not in found, f"{change}\n{said}"


# ---- the neuron that pools

def pooling_neuron(n_forward, n_backward, forward="pass", backward="pass"):
    """Write a neuron that pools, with so many arguments; it returns v_final and dv_init if it takes v_init and dv_final."""
    taken = ("current", "size", "threshold", "v_init", "rule")[:n_forward]
    back = "dspikes", "cache", "dv_final", "surrogate", "detach_reset"
    return (f"from pysnn.conventions import Rule, Surrogate\nfrom pysnn.reference import pooled_fire as ours\n"
            f"OPERATION, RULE, SURROGATE, DETACH_RESET = 'pooled_fire', ('zero', 'same', '>'), ('atan', 3.0), False\n"
            f"def forward({', '.join(taken)}):\n"
            f"    spikes, v_final, cache = ours.forward({', '.join(taken[:4])}, rule=Rule(*RULE))\n"
            f"    {forward}\n"
            f"    return spikes, {'v_final, ' * (n_forward > 3)}cache\n"
            f"def backward({', '.join(back[:n_backward])}):\n"
            f"    dcurrent, dv_init = ours.backward({', '.join(back[:min(n_backward, 3)])}, surrogate=Surrogate(*SURROGATE), "
            "detach_reset=DETACH_RESET)\n"
            f"    {backward}\n"
            f"    return dcurrent{', dv_init' * (n_forward > 3)}\n")


@pytest.mark.parametrize("n_forward, n_backward", [(1, 2), (5, 5), *(pytest.param(*n, marks=pytest.mark.slow)
                                                                     for n in ((2, 3), (3, 2), (4, 4)))])
def test_pooling_neurons_at_each_length(n_forward, n_backward, verdicts):
    found, said = verdicts(pooling_neuron(n_forward, n_backward))
    assert found == {"right"}, said
    for change in ({"forward": "spikes = spikes[:, :, ::-1].copy()"}, {"backward": "dcurrent = dcurrent * 1.001"}):
        found, said = verdicts(pooling_neuron(n_forward, n_backward, **change))
        assert "WRONG" in found and "unjudged" not in found, said
