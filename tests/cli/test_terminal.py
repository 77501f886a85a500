"""What is printed cannot lose a result: any encoding of the terminal, and one that takes nothing at all."""

import io
import os
import subprocess
import sys
from itertools import product

import pytest

from pysnn import cli, exercises
from tests.cases.command import ENV, small_yin_yang, strict_json

COMPARE = "compare --data yin-yang --model 4-3-3 --epochs 1 --seeds 2 --steps 2 --methods ann --backend reference --out c".split()
DENSE = "OPERATION = 'dense'\nprint('Größe ± 漢')\ndef forward(x, w):\n    return x @ w, (x, w)\n" \
        "def backward(dy, c):\n    return dy @ c[1].T, c[0].T @ dy\n"


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Commands of the three verbs, and the files that they write."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYSNN_DATA", str(tmp_path / "cache"))
    small_yin_yang(monkeypatch)
    (tmp_path / "größe.py").write_text(DENSE, encoding="utf-8")
    (tmp_path / "loss.py").write_text("print('Größe ± 漢')\n" + exercises.text("spike_loss", True), encoding="utf-8")
    return {"compare": (COMPARE, ()), "verify": (["verify", "--module", "größe.py", "--html", "v.html", "--markdown", "v.md"],
                                                ("v.html", "v.md")), "check": (["check", "loss.py"], ())}


def terminal(encoding):
    """Make a stream as Python makes it for a terminal of this encoding."""
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True)


QUICK = {(verb, "ascii") for verb in ("compare", "verify", "check")} | {("compare", "cp1252"), ("verify", "cp437"), ("check", "latin-1")}


@pytest.mark.parametrize("verb, encoding", [pytest.param(*case, marks=[pytest.mark.slow] * (case not in QUICK)) for case in
                                            product(("compare", "verify", "check"), ("ascii", "cp1252", "latin-1", "cp437"))])
def test_every_encoding(verb, encoding, commands, tmp_path, monkeypatch):
    args, files = commands[verb]
    monkeypatch.setattr(sys, "stdout", terminal(encoding))
    monkeypatch.setattr(sys, "stderr", terminal(encoding))
    assert cli.main([*args, "--json", "r.json"]) == 0
    said = sys.stdout.buffer.getvalue().decode(encoding)
    assert strict_json((tmp_path / "r.json").read_text()) and all((tmp_path / f).stat().st_size > 500 for f in files)
    assert {"compare": "95 % interval of the mean", "verify": "all right", "check": "items right"}[verb] in said
    if encoding == "ascii":
        assert (r"\xb1 " if verb == "compare" else r"Gr\xf6\xdfe \xb1 \u6f22") in said


@pytest.mark.parametrize("verb", ["compare", "verify", "check"])
def test_results_are_written_before_they_are_printed(verb, commands, tmp_path, monkeypatch):
    class Full(io.StringIO):
        def write(self, text):
            if (tmp_path / "r.json").exists() or verb != "compare":          # compare says first what it will do
                raise OSError(28, "No space left on device")
            return len(text)
    args, files = commands[verb]
    monkeypatch.setattr(sys, "stdout", Full())
    assert cli.main([*args, "--json", "r.json", "--quiet"] if verb != "check" else [*args, "--json", "r.json"]) in (1, 2)
    assert strict_json((tmp_path / "r.json").read_text()) and all((tmp_path / f).stat().st_size > 500 for f in files)


def test_as_a_command(commands, tmp_path):
    (args, _), exits = commands["verify"], tmp_path / "größe2.py"
    exits.write_text("OPERATION = 'dense'\nraise SystemExit\n")
    env = {**ENV, "PYTHONIOENCODING": "ascii:strict", "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-m", "pysnn", *args, "--json", "r.json"], env=env, capture_output=True, cwd=os.getcwd())
    assert done.returncode == 0 and b"all right" in done.stdout and strict_json((tmp_path / "r.json").read_text())["ok"]
    args[args.index("größe.py")] = exits.name
    done = subprocess.run([sys.executable, "-m", "pysnn", *args, "--json", "r.json"], env=env, capture_output=True, cwd=os.getcwd())
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and not strict_json((tmp_path / "r.json").read_text())["ok"]
