"""The page on reliability: every test that it names exists, and its numbers are those of the records."""

import json
import re

import pytest

from tests.cases import ROOT

PAGE = ROOT / "docs/reliability.md"


def record(name):
    return json.loads((ROOT / f"docs/results/{name}.json").read_text())


def fuzz():
    lines = ["| Part | Tried | As it was | Refused | Tracebacks | Silent changes |", "|---|---|---|---|---|---|"]
    lines += [f"| {name} | {p['n']:,} | {p['right']:,} | {p['refused']:,} | {p['tracebacks']} | {p['silent']} |"
              for name, p in record("fuzz")["parts"].items()]
    return "\n".join(lines)


def threads():
    lines = ["| Method | Worker's time | Four at once, a quarter | Sets of bits |", "|---|---|---|---|"]
    for r in record("threads")["rows"]:
        sets = {digest for digests in r["digests"].values() for digest in digests}
        lines.append(f"| {r['method']} | {r['worker']:.2f} | {r['four']:.2f} | {len(sets)} |")
    return "\n".join(lines) + "\n\nTimes are relative to those of the main thread in the same round, medians of five rounds."


@pytest.mark.parametrize("table", [fuzz, threads])
def test_tables_are_rebuilt_from_the_records(table):
    found = re.search(rf"<!-- {table.__name__} -->\n(.*?)<!-- end -->", PAGE.read_text(), re.S)
    assert found and found[1].strip() == table()


def test_the_long_run_found_nothing():
    data = record("fuzz")
    least = {"checkpoints": 50_000, "data": 10_000, "kills": 300, "mirrors": 40}
    assert all(data["parts"][name]["n"] >= n for name, n in least.items())
    assert not any(part[key] for part in data["parts"].values() for key in ("tracebacks", "silent"))


@pytest.mark.parametrize("name", ["threads", "threads-oldest", "threads-without"])
def test_any_thread_in_the_records(name):
    """With the newest threadpoolctl, with 3.2 and the oldest NumPy and Numba, and without threadpoolctl."""
    assert record(name)["versions"].get("threadpoolctl", "")[:3] == {"threads": "3.8", "threads-oldest": "3.2", "threads-without": ""}[name]
    assert len(record(name)["rows"]) == 6
    for r in record(name)["rows"]:
        assert len({digest for digests in r["digests"].values() for digest in digests}) == 1 and max(r["worker"], r["four"]) <= 1.3


def test_every_test_that_the_page_names_exists():
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = set(re.findall(r"test_[a-z0-9_]+(?!\.py)\b", re.sub(r"tests/[\w/]+\.py", "", PAGE.read_text())))
    assert len(names) > 80
    assert not [name for name in sorted(names) if f"def {name}(" not in sources]
