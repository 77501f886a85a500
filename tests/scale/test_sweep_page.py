"""The page docs/howto/sweeps.md runs, and prints what stands below its code, but for digits of accuracy and seconds."""

import importlib.util
import re

import pytest

from tests.cases import ROOT


@pytest.mark.slow
def test_the_page_runs(capsys, tmp_path, monkeypatch):
    for package in ("pandas", "scipy", "matplotlib"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    page, space, n = (ROOT / "docs/howto/sweeps.md").read_text(encoding="utf-8"), {"__name__": "page"}, 0
    for code, shown in re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", page, re.S):
        needs = re.findall(r"\w+", re.match(r"(?:# needs (.*)\n)?", code)[1] or "")
        if all(importlib.util.find_spec(name) for name in needs):
            capsys.readouterr()
            exec(compile(code, "<page>", "exec"), space)
            got, ref = (re.sub(r"(?m)^.* ± .*$|\d+\.[\d.e-]+", "#", text) for text in (capsys.readouterr().out, shown))
            assert got == ref
            n += 1
    assert n >= 5 and space["runs"].table()[0]["accuracy"] > 0.8
