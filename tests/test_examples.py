"""Every example runs and reaches what it promises; the README's code does what its comments say."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


def load(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return runpy.run_path(str(ROOT / "examples" / name), run_name="example")


def test_one_neuron(monkeypatch, tmp_path, capsys):
    load("01_one_neuron.py", monkeypatch, tmp_path)["main"]()
    said = capsys.readouterr().out
    assert "z_out = 6.077422742689" in said and "-12.69355686" in said


def test_yin_yang(monkeypatch, tmp_path):
    assert load("02_yin_yang.py", monkeypatch, tmp_path)["main"](epochs=8, n_train=2000) > 0.8


def test_yin_yang_is_short():
    lines = [line for line in (ROOT / "examples/02_yin_yang.py").read_text().splitlines() if line.strip()]
    assert len(lines) <= 80


def test_write_your_backward(monkeypatch, tmp_path, capsys):
    example = load("03_write_your_backward.py", monkeypatch, tmp_path)
    assert not example["mark"](example["your_backward"]).ok
    assert example["mark"](example["solution"]).ok

    def half_right(dz_out, z_in, w, z_out, causal):
        dz_in, dw = example["solution"](dz_out, z_in, w, z_out, causal)
        return dz_in, -dw

    found = example["mark"](half_right)
    assert not found.ok
    assert "approximate" in str(found) and "DIFFERENT" in str(found)


def test_mnist_example_on_the_shipped_sample(monkeypatch, tmp_path):
    monkeypatch.setenv("PYSNN_DATA", str(tmp_path / "empty"))
    accuracy = load("04_mnist.py", monkeypatch, tmp_path)["main"](epochs=2, model="784-60-10")
    assert accuracy > 0.6
    assert (tmp_path / "figures/04-raster.png").is_file()


def test_proxy_example(monkeypatch, tmp_path):
    pytest.importorskip("numba")
    assert load("05_proxy.py", monkeypatch, tmp_path)["main"](epochs=1, n_train=2000) > 0.6


def test_proxy_example_is_short_and_shows_the_step():
    text = (ROOT / "examples/05_proxy.py").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 80
    steps = ["relu.forward(x", "snn.run(x, used)", "losses.mse(counts", "relu.backward(d_rates", "adam.update(params, grads"]
    places = [text.index(step) for step in steps]
    assert places == sorted(places)


def test_compare_example(monkeypatch, tmp_path, capsys):
    main = load("06_compare.py", monkeypatch, tmp_path)["main"]
    accuracy = main(tmp_path / "runs", n_seeds=1, epochs=3, n_train=3000)
    assert len(accuracy) == 9 and min(accuracy.values()) > 0.1 and accuracy["ann", None] > 0.7
    assert len(list((tmp_path / "runs").glob("*.npz"))) == 8 and (tmp_path / "figures/06-compare.png").is_file()
    capsys.readouterr()
    assert main(tmp_path / "runs", n_seeds=1, epochs=3, n_train=3000) == accuracy


def test_find_the_bug_example(monkeypatch, tmp_path, capsys):
    names = load("07_find_the_bug.py", monkeypatch, tmp_path)
    assert len(names["exercises"]()) == 16
    number = names["exercises"]().index("denominator_all_weights") + 1
    assert not names["main"](str(number)).ok and "gradcheck" in capsys.readouterr().out
    assert not names["main"](str(number), "softmax_sign") and names["main"](str(number), "denominator_all_weights")


@pytest.mark.slow
def test_proxy_example_in_full(monkeypatch, tmp_path):
    assert load("05_proxy.py", monkeypatch, tmp_path)["main"]() > 0.78


@pytest.mark.data
def test_mnist_example(monkeypatch, tmp_path):
    from pysnn import datasets
    datasets.fetch("mnist", progress=False)
    assert load("04_mnist.py", monkeypatch, tmp_path)["main"](epochs=1) > 0.9


def test_readme_code():
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert np.isclose(names["z_out"][0, 0], 6.077422742688569) and np.isclose(np.log(names["z_out"][0, 0]), 1.8046, atol=1e-4)
    assert np.allclose(names["dz_in"], [[2.0, 1.5, 0.0]], rtol=1e-12, atol=0)
