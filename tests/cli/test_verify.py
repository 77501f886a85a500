"""The verb verify: what it runs, prints and writes, its exit codes, what it refuses; and the how-to page, step by step."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest

from pysnn import cli
from pysnn.verify import findings, suite, zoo
from pysnn.verify.report import page
from pysnn.verify.report.ledger import Entry, Ledger
from tests.cases import ROOT
from tests.cases.cuda_twin import twin

PAGE = ROOT / "docs/howto/verify-your-gradient.md"
DENSE = "OPERATION = 'dense'\n\ndef forward(x, w):\n    return x @ w, (x, w)\n\ndef backward(dy, cache):\n    x, w = cache\n" \
        "    return dy @ w.T, x.T @ dy\n"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Let each test stand in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def strict_json(text):
    """Read JSON as others do: without NaN and Infinity."""
    def refuse(word):
        raise ValueError(word)
    return json.loads(text, parse_constant=refuse)


def test_ours(capsys, place):
    assert cli.main(["verify", "relu", "mse", "--backend", "reference", "--json", "out/v.json", "--html", "out/v.html",
                     "--markdown", "out/v.md"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == "operation argument check checked max rel. error ulps condition kinks skipped verdict".split()
    assert re.search(r"^relu +x +gradcheck +\d+ .* right$", out, re.MULTILINE) and "WRONG" not in out
    assert re.search(r"^29 entries, [\d,]+ numbers compared, 0 not compared \(.*\): all right; \d+\.\d s$", out, re.MULTILINE)
    assert err.splitlines() == ["checking relu", "checking mse"]
    found = strict_json((place / "out/v.json").read_text())
    assert found["ok"] is True and found["seed"] == 0 and {e["operation"] for e in found["entries"]} == {"relu", "mse"}
    assert set(Entry._fields) == set(found["entries"][0]) and found["zoo"] is None and found["errors"]["relu"]["n"] > 40
    assert "all right" in (place / "out/v.html").read_text()
    assert (place / "out/v.md").read_text().startswith("# pysnn verify\n\n**29 entries")


def test_help_examples_parse_and_options_are_explained(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["verify", "--help"])
    text = capsys.readouterr().out
    examples = re.findall(r"^  pysnn ([^#\n]*)", text.split("examples:")[1], re.MULTILINE)
    assert stop.value.code == 0 and len(examples) >= 5
    for example in examples:
        args = cli.parser().parse_args(example.split())
        assert args.verb == "verify" and args.on_error == 2
    for name in suite.NAMES:
        assert name in text


def test_names_are_loaded_for_the_help_alone():
    code = "import sys; from pysnn import cli; cli.parser().parse_args(['verify', 'relu']); print(*sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True).stdout.split())
    assert "pysnn.cli.verify" in loaded and not {"pysnn.verify", "numba"} & loaded


def test_json_alone_on_standard_output(capsys):
    assert cli.main(["verify", "mse", "--json", "-", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert strict_json(out)["ok"] and "all right" in err and "checking" not in err


def test_every_entry_on_request(capsys):
    assert cli.main(["verify", "relu", "--backend", "reference", "--all-entries"]) == 0
    assert "x, top 0.7" in capsys.readouterr().out


def test_seed_changes_the_cases(capsys):
    errors = []
    for seed in ("0", "0", "1"):
        cli.main(["verify", "dense", "--backend", "reference", "--seed", seed, "--json", "-", "--quiet"])
        errors.append(strict_json(capsys.readouterr().out)["entries"])
    assert errors[0] == errors[1] != errors[2]


@pytest.mark.cuda
def test_by_cuda(capsys, place):
    twin("activations")
    assert cli.main(["verify", "relu", "mse", "--backend", "cuda", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"^relu \(cuda\) .* right$", out, re.MULTILINE)) == 5 and re.search(r"^mse +.* right$", out, re.MULTILINE)
    assert cli.main(["verify", "dense", "max_pool2d", "--backend", "cuda", "--golden", "--quiet"]) == 0
    assert "dense (cuda)" in capsys.readouterr().out


def test_by_cuda_without_it_is_told_in_one_line(capsys):
    from pysnn.cuda import _target
    if _target.available():
        pytest.skip("it is installed, and finds a device")
    assert cli.main(["verify", "relu", "--backend", "cuda", "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and re.fullmatch("pysnn: error: .*(numba-cuda|GPU).*\n", err)


def test_a_module_right_and_wrong(capsys, place):
    (place / "mine.py").write_text(DENSE)
    assert cli.main(["verify", "--module", "mine.py"]) == 0
    assert "all right" in capsys.readouterr().out
    (place / "theirs.py").write_text(DENSE.replace("OPERATION = 'dense'", "").replace("x.T @ dy", "-(x.T @ dy)"))
    assert cli.main(["verify", "--module", "theirs.py:forward,backward", "--operation", "dense", "--json", "v.json",
                     "--html", "v.html"]) == 1
    out = capsys.readouterr().out
    assert "gradient of w: has the wrong sign" in out and "WRONG  dense, gradcheck, w, with biases: first diverges at w[" in out
    found = strict_json((place / "v.json").read_text())
    assert found["ok"] is False and found["likely"] == ["gradient of w: has the wrong sign"] and found["module"].startswith("theirs.py")
    assert "gradient of w: has the wrong sign" in (place / "v.html").read_text()


def test_zoo(capsys, monkeypatch, place):
    everything = {name: zoo.every()[name] for name in ("max_pool_tie", "softmax_sign")}
    monkeypatch.setattr("pysnn.verify.zoo.catch.every", lambda: everything)
    assert cli.main(["verify", "--zoo", "--json", "z.json", "--html", "z.html", "--markdown", "z.md"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^max_pool_tie +synthetic +max_pool2d +ties +definition, gradcheck, reference, sizes, contract$", out, re.MULTILINE)
    assert "2 of 2 known mistakes caught" in out and strict_json((place / "z.json").read_text())["zoo"]["ok"]
    assert "max_pool_tie" in (place / "z.html").read_text() and "max_pool_tie" in (place / "z.md").read_text()
    everything["softmax_sign"] = everything["softmax_sign"]._replace(inject=lambda op: op)
    assert cli.main(["verify", "--zoo"]) == 1


def test_framework_findings_are_those_of_the_module(capsys, monkeypatch):
    def run(name):
        if name == "norse":
            return [Entry("norse", "bug", verdict="unchecked", note="norse is not installed: pip install norse")]
        if name != "snntorch":
            raise ValueError(f"framework: expected one of snntorch, got {name!r}")
        return [Entry("snntorch", "sigmoid", "gradient", 1, 0.0, note="NaN as found")]
    monkeypatch.setattr(findings, "run", run)
    assert cli.main(["verify", "--framework", "snntorch"]) == 0
    assert "sigmoid: NaN as found" in capsys.readouterr().out
    assert cli.main(["verify", "--framework", "norse"]) == 2
    assert capsys.readouterr().err.strip() == "pysnn: error: --framework norse: norse is not installed: pip install norse"
    assert cli.main(["verify", "--framework", "brian"]) == 2
    assert capsys.readouterr().err.strip() == "pysnn: error: framework: expected one of snntorch, got 'brian'"


@pytest.mark.parametrize("args, message", [
    (["tempral"], "operation: expected one of temporal, temporal_delays, "),
    (["--module", "nowhere.py"], "module: expected a file such as my.py or my.py:forward,backward, got 'nowhere.py', which is not there"),
    (["--module", "mine.py", "dense"], "--module: expected no OPERATION beside it, got dense; say --operation"),
    (["--module", "mine.py", "--backend", "numba"], "--module: expected no --backend beside it"),
    (["--module", "mine.py", "--zoo"], "--module: expected no --zoo beside it"),
    (["--module", "mine.py", "--operation", "convolution"], "operation: expected one of temporal, "),
    (["--module", "mine.py:forward"], "mine.py: expected two names, forward and backward, for dense, got forward"),
    (["--operation", "dense"], "--operation: expected --module beside it; to check ours, say pysnn verify dense"),
    (["--zoo", "dense"], "--zoo: expected no OPERATION beside it, got dense"),
    (["--framework", "norse", "--golden"], "--framework: expected neither --module nor --golden beside it"),
    (["relu", "--html", "."], "--html: expected a file that can be written and holds nothing else, got ."),
    (["relu", "--json", "a", "--markdown", "a"], "--markdown: expected a file that can be written"),
    (["relu", "--json", "."], "--json: expected a file that can be written"),
    (["proxy", "--golden"], "--golden: there are vectors for temporal, "),
], ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_bad_input(args, message, capsys, place):
    (place / "mine.py").write_text(DENSE)
    assert cli.main(["verify", *args]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"pysnn: error: {message}") and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("args", [["--backend", "gpu"], ["--seed", "-1"], ["--module"], ["--frobnicate"]], ids=" ".join)
def test_wrong_usage(args, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["verify", *args])
    assert stop.value.code == 2 and "usage: pysnn " in capsys.readouterr().err


def test_interrupted_leaves_no_report(monkeypatch, capsys, place):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt
    monkeypatch.setattr(suite, "run", stop)
    assert cli.main(["verify", "relu", "--html", "a.html"]) == 130 and not list(place.iterdir())


# ---- the report

def report(kind):
    bad = Entry("<b>dense</b>", "gradcheck", "w|x", 3, float("nan"), verdict="WRONG", note="<script>alert(1)</script>", first="layer 1")
    right = Entry("relu", "definition", "y", 5, 0.0, ulps=0.0)
    return getattr(page, kind)(Ledger((bad, right), {"relu": [0.0, 1e-9]}), {"seed": "<0>"}, likely=["looks like <x>"])


def test_page_is_self_contained_and_escapes():
    text = report("html")
    assert not re.search(r"https?://|<script|<link|<img|@import|url\(", text) and "&lt;script&gt;" in text and "<b>dense" not in text
    assert text.count("<svg") == 3 and "prefers-color-scheme:dark" in text and 'name="viewport"' in text
    assert re.search(r'<circle [^>]*fill="var\(--wrong\)"', text) and "not right" in text and "looks like &lt;x&gt;" in text
    for tag in ("table", "details", "div", "figure", "svg", "ul", "main"):
        assert len(re.findall(rf"<{tag}[ >]", text)) == text.count(f"</{tag}>"), tag


def test_markdown_tables_are_tables():
    text = report("markdown")
    assert "w\\|x" in text and "| relu | definition | y | 5 | 0 | 0 | - | 0 | 0 | right |" in text and "**looks like <x>**" in text
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.sub(r"\\\|", "", line).split("|")) for line in block.splitlines()}) == 1


def test_every_kind_of_check_is_explained():
    kinds = {check.kind for name in suite.NAMES for check in suite.checks(name, backend="numba")}
    assert kinds | {"contract", "golden vectors"} <= set(page.CHECKS)


# ---- the how-to page

def shape_of(text):
    """Reduce a printed text to its words."""
    return re.sub(r"\s+", " ", re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+)?", "#", text)).strip()


def steps(text):
    """Split the page into blocks: the file it is, whether that is a change of the one before, its language, its text."""
    return re.findall(r"(?:^File `(\S+)`(, changed)?:\n\n)?^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_how_to_page(capsys, place):
    """Do what the page says, in its order; what is printed must read like its text, numbers aside."""
    text, said = PAGE.read_text(encoding="utf-8"), ""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    codes = []
    for name, changed, kind, block in steps(text):
        if changed:
            start = block.split("=")[0]
            lines = [block.rstrip("\n") if line.startswith(start) else line for line in (place / "neuron.py").read_text().splitlines()]
            (place / name).write_text("\n".join(lines) + "\n")
        elif name:
            (place / name).write_text(block)
            assert 25 <= len(block.splitlines()) <= 35
        elif kind == "console":
            for line in block.splitlines():
                program, *args = shlex.split(line.removeprefix("$ "))
                if program == "pysnn":
                    codes.append(cli.main([*args, "--quiet"]))
                    said = capsys.readouterr().out
                else:
                    done = subprocess.run([sys.executable, "-m", program, "-p", "pysnn.verify.plugin", "-p", "no:cacheprovider", *args],
                                          capture_output=True, text=True, env=env)
                    codes.append(done.returncode)
        elif kind == "python":
            exec(compile(block, PAGE.name, "exec"), {})
            said = capsys.readouterr().out
        else:
            assert shape_of(said) == shape_of(block)
    assert codes == [0, 1, 0, 1] and (place / "report.html").stat().st_size > 5000


def test_workflow_names_what_there_is():
    text = (ROOT / "docs/howto/conformance.yml").read_text()
    for command in re.findall(r"run: pysnn (.*)", text):
        assert cli.parser().parse_args(command.split()).verb == "verify"
    assert "--snn-conformance mylayer.py" in text and "pip install pytest pysnn-reference" in text
    assert "name = pysnn-reference" in (ROOT / "setup.cfg").read_text()
