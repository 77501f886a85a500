"""The page docs/howto/exchange-weights.md runs, and `pysnn export` writes what it says."""

import importlib.util
import json

import numpy as np
import pytest

from pysnn import cli, interop, training
from pysnn.learning import proxy
from tests.cases.interop import run_page


def test_the_page_runs(capsys):
    """Each block prints what stands below it; those that need a package only where it is installed."""
    space, n = run_page(capsys)
    assert n >= 4 and (space["folder"] / "network.c").is_file()


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A checkpoint in the current folder."""
    monkeypatch.chdir(tmp_path)
    run = training.start("proxy", proxy.Settings(model="6x6x1-3C3-A2-4"))
    training.save(run, "a.npz")
    return run


def test_export_torch(saved, capsys):
    assert cli.main("export a.npz --to torch --out deep/w.npz --json -".split()) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["out"] == "deep/w.npz" and err == "a.npz as torch: deep/w.npz, 7 arrays\n"
    with np.load("deep/w.npz", allow_pickle=False) as file:
        wanted = interop.to_state_dict(saved)
        assert list(file) == list(wanted) and all(np.array_equal(file[name], x) for name, x in wanted.items())


def test_export_c(saved, capsys, tmp_path):
    assert cli.main("export a.npz --to c --out n.c --bits 4".split()) == 0
    assert capsys.readouterr().out == "a.npz as c: n.c, weights of 4 bits, 15 time steps\n"
    interop.to_c(interop.quantize(saved, 4), tmp_path / "deep/n.c")
    assert (tmp_path / "n.c").read_bytes() == (tmp_path / "deep/n.c").read_bytes()


def test_export_nir(saved, capsys, tmp_path):
    done = cli.main("export a.npz --to nir --out n.nir".split())
    if importlib.util.find_spec("nir") is None:
        assert done == 1 and capsys.readouterr().err == 'pysnn: error: NIR needs the package nir: pip install nir\n'
        assert not (tmp_path / "n.nir").exists()
    else:
        x = np.random.default_rng(0).uniform(size=(5, 6, 6, 1)).astype(np.float32)
        assert done == 0 and np.array_equal(interop.read_nir("n.nir").run(x).counts, saved.nets.snn.run(x).counts)


@pytest.mark.parametrize("line, words", [
    ("a.npz --to torch --out w.npz --bits 8", "--bits: expected --to c with it, got --to torch"),
    ("a.npz --to c --out n.c --bits 9", "expected at most 8 bits"),
    ("a.npz --to c --out a.npz/n.c", "cannot use a.npz: expected a folder, got the file a.npz"),
    ("mnist --to nir --out n.nir", "expected a network in time steps, got one of exact spike times"),
    ("mnist --to c --out n.c", "expected a network in time steps, got one of exact spike times"),
    ("absent --to c --out n.c", "no checkpoint absent")])
def test_what_cannot_be_exported_is_one_line(saved, capsys, line, words, tmp_path):
    assert cli.main(["export", *line.split()]) == 1
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1 and not list(tmp_path.glob("[nw]*"))
