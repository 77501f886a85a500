"""Conventions of released leaky neurons: rules that run, and the page that shows them."""

import numpy as np
import pytest

from pysnn.conventions import LEAKY_RULES, SURROGATES
from pysnn.reference import leaky
from pysnn.verify.conventions import LEAKY_CONVENTIONS
from tests.cases import ROOT


@pytest.mark.parametrize("name", LEAKY_CONVENTIONS)
def test_each_is_one_of_ours(name):
    convention = LEAKY_CONVENTIONS[name]
    assert all(word in LEAKY_RULES[field] for field, word in convention.rule._asdict().items())
    assert convention.surrogate is None or convention.surrogate.kind in SURROGATES["kind"]
    assert convention.beta and convention.current and isinstance(convention.detach_reset, bool)
    current, w_rec = np.full((9, 1, 2), 1.5), np.full((2, 2), -0.25)
    assert 0 < leaky.forward(current, 0.8, rule=convention.rule, alpha=0.5, w_rec=w_rec)[0].mean() <= 1


def row(name, convention):
    """Write a row of the table on the page."""
    def code(words):
        return f"`{words}`" if words else "-"
    rule, surrogate = convention.rule, convention.surrogate
    when = f"{rule.timing} step" + ", behind leak and current" * (rule.order == "leak first")
    cells = (name, rule.reset, when, f"`{rule.fire}`", rule.gain, code(convention.beta), code(convention.alpha), code(convention.current),
             code(convention.w_rec), "detached" if convention.detach_reset else "attached",
             f"{surrogate.kind} {surrogate.slope:g}" if surrogate else "-", "yes" if convention.ran else "no")
    return f"| {' | '.join(cells)} |"


def test_the_page_shows_them():
    page = (ROOT / "docs/leaky-neurons.md").read_text(encoding="utf-8")
    shown = [line for line in page.splitlines() if line.startswith("|")][2:]
    assert shown == [row(name, convention) for name, convention in LEAKY_CONVENTIONS.items()] and len(shown) == 15
