"""Pages that a class reads are short, and the record of how the pages read is of this script."""

import importlib.util
import json

import pytest

from tests.cases import ROOT

RESULTS = ROOT / "docs/results"
spec = importlib.util.spec_from_file_location("readability", RESULTS / "readability.py")
readability = importlib.util.module_from_spec(spec)
spec.loader.exec_module(readability)
SHORT = [page for page in readability.pages() if readability.is_short(page)]


@pytest.mark.parametrize("page", SHORT, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_no_page_is_over_its_length_and_sentences_are_short(page):
    found = readability.measure(page, [])
    assert found["words"] <= readability.LIMIT and found["words_a_sentence"] <= 16, found


def test_the_measure_sees_what_it_should(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(":::{tip}\n# Title\n:::\n\nA neuron fires once, $a < b$. It has $x_i$ and "
                    "[two inputs](a.md)!\n\n- One more sentence\n\n| a | b |\n"
                    "\n```python\nx = 1\n```\n\n$$ x = 1 $$\n")
    assert [len(s) for s in readability.sentences(page.read_text())] == [5, 6, 3]
    assert readability.measure(page, ["neuron", "silent"]) == {"words": 17, "sentences": 3, "words_a_sentence": 4.7, "longest": 6,
                                                             "terms": 1}
    terms = readability.glossary()
    assert "spike train" in terms and "causal set" in terms and len(terms) > 40


def test_the_record_is_of_these_pages():
    record = json.loads((RESULTS / "readability.json").read_text())
    assert record["limit"] == readability.LIMIT and record["command"] == "python docs/results/readability.py"
    for page in SHORT:
        name = page.relative_to(ROOT / "docs").as_posix()
        assert record["pages"].get(name) == readability.measure(page, readability.glossary()), f"{name}: run {record['command']}"
    assert len(record["pages"]) > 60 and record["pages"]["derivations/temporal.md"]["words"] > 800
