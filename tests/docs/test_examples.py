"""Every example runs and reaches what it promises; the README's code does what its comments say."""

import ast
import re
import runpy
import sys

import numpy as np
import pytest

from tests.cases import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))


def load(name, monkeypatch, tmp_path):
    """Import an example; return its names."""
    monkeypatch.chdir(tmp_path)
    return runpy.run_path(str(ROOT / "examples" / name), run_name="example")


def run(name, monkeypatch, tmp_path, *args):
    """Run an example as from the command line; return its names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name, *args])
    return runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_pages_of_the_gallery(path):
    """A title, how to run it, text between the code; lines of a page are not too wide for it."""
    text = path.read_text()
    first, second, *rest = ast.get_docstring(ast.parse(text)).splitlines()
    assert set(second) == {"="} and len(second) == len(first) and "Run:" in "\n".join(rest)
    assert f"python examples/{path.name}" in text and "\n# %%\n" in text


@pytest.mark.docs
def test_gallery_builds_examples_that_exist():
    assert set(runpy.run_path(str(ROOT / "docs/_ext/gallery.py"))["ARGUMENTS"]) <= {path.name for path in EXAMPLES}


@pytest.mark.docs
def test_pictures_of_the_gallery_are_those_just_written(tmp_path):
    gallery = runpy.run_path(str(ROOT / "docs/_ext/gallery.py"))
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/old.png").write_bytes(b"old")
    paths = iter(tmp_path / f"page/images/{k}.png" for k in range(9))
    names = {"src_file": str(tmp_path / "05_proxy.py"), "image_path_iterator": paths}
    assert gallery["arguments"]({}, names) == ["2"] and gallery["move_pictures"](None, names, {"src_dir": str(tmp_path)}) == ""
    (tmp_path / "figures/new.gif").write_bytes(b"new")
    assert "page/images/0.gif" in gallery["move_pictures"](None, names, {"src_dir": str(tmp_path)})
    assert (tmp_path / "page/images/0.gif").read_bytes() == b"new" and [p.name for p in (tmp_path / "figures").iterdir()] == ["old.png"]


def test_one_neuron(monkeypatch, tmp_path, capsys):
    run("01_one_neuron.py", monkeypatch, tmp_path)
    said = capsys.readouterr().out
    assert "z_out = 6.077422742689" in said and "-12.69355686" in said


@pytest.mark.slow
def test_yin_yang(monkeypatch, tmp_path):
    assert run("02_yin_yang.py", monkeypatch, tmp_path, "8", "2000")["accuracy"] > 0.8


def test_yin_yang_is_short():
    lines = [line for line in (ROOT / "examples/02_yin_yang.py").read_text().splitlines() if line.strip()]
    assert len(lines) <= 80


def test_mnist_example_on_the_shipped_sample(monkeypatch, tmp_path):
    monkeypatch.setenv("PYSNN_DATA", str(tmp_path / "empty"))
    accuracy = run("04_mnist.py", monkeypatch, tmp_path, "2", "784-60-10")["accuracy"]
    assert accuracy > 0.6
    assert (tmp_path / "figures/04-raster.png").is_file()


@pytest.mark.slow
def test_proxy_example(monkeypatch, tmp_path):
    pytest.importorskip("numba")
    assert run("05_proxy.py", monkeypatch, tmp_path, "1", "2000")["accuracy"] > 0.6


def test_proxy_example_is_short_and_shows_the_step():
    text = (ROOT / "examples/05_proxy.py").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 80
    steps = ["relu.forward(x", "snn.run(x, used)", "losses.mse(counts", "relu.backward(d_rates", "adam.update(params, grads"]
    places = [text.index(step) for step in steps]
    assert places == sorted(places)


@pytest.mark.slow
def test_compare_example(monkeypatch, tmp_path, capsys):
    main = load("06_compare.py", monkeypatch, tmp_path)["main"]
    accuracy = main(tmp_path / "runs", n_seeds=1, epochs=3, n_train=3000)
    assert len(accuracy) == 9 and min(accuracy.values()) > 0.1 and accuracy["ann", None] > 0.7
    assert len(list((tmp_path / "runs").glob("*.npz"))) == 8 and (tmp_path / "figures/06-compare.png").is_file()
    capsys.readouterr()
    assert main(tmp_path / "runs", n_seeds=1, epochs=3, n_train=3000) == accuracy


def test_find_the_bug_example(monkeypatch, tmp_path, capsys):
    names = load("07_find_the_bug.py", monkeypatch, tmp_path)
    assert len(names["exercises"]()) == 36
    number = names["exercises"]().index("denominator_all_weights") + 1
    assert not names["main"](str(number)).ok and "gradcheck" in capsys.readouterr().out
    assert not names["main"](str(number), "softmax_sign") and names["main"](str(number), "denominator_all_weights")
    for args, said in (((str(number), "denominator_all_weight"), r"expected one of alpha_without_trace, .*, got 'denominator_all_weight'"),
                       (("37",), r"expected the number of an exercise, 1 to 36, got '37'")):
        with pytest.raises(SystemExit) as caught:
            names["main"](*args)
        assert re.fullmatch(said, caught.value.code)


def test_animation_of_a_digit(monkeypatch, tmp_path):
    """A short film: the network names the digit, potentials cross the threshold where the outputs fire, the last frame has the answer."""
    pytest.importorskip("matplotlib")
    names = load("09_animate_digit.py", monkeypatch, tmp_path)
    (_, t_hidden, t_out), params = names["spike_times"](names["drawn"](names["THREE"]))
    for j, t in enumerate(t_out):
        assert names["potentials"](t, t_hidden, params["w2"])[j] == pytest.approx(1, abs=2e-3)
    film, answer = names["animate"](names["drawn"](names["THREE"]), n_frames=3)
    assert answer == 3
    film.save(tmp_path / "film.gif", names["PillowWriter"](fps=10))
    with pytest.importorskip("PIL.Image").open(tmp_path / "film.gif") as image:
        assert image.n_frames >= 4
    assert "output 3 is first" in " ".join(t.get_text() for t in film._fig.texts)


@pytest.mark.slow
def test_animation_of_yin_yang(monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    names = run("10_animate_yin_yang.py", monkeypatch, tmp_path, "1")
    assert names["accuracy"] > 0.5 and names["picture"]().shape == (120, 120, 3)
    pictures = [picture for _, picture, _ in names["frames"]]
    assert len(pictures) > 20 and not np.allclose(pictures[0], pictures[-1], atol=0.1)
    with pytest.importorskip("PIL.Image").open(tmp_path / "figures/10-yin-yang.gif") as image:
        assert image.n_frames >= len(pictures)


@pytest.mark.slow
def test_notes_example(monkeypatch, tmp_path):
    names = run("11_order_of_notes.py", monkeypatch, tmp_path, "1")
    assert names["accuracy"] > 0.5 > 0.3 > names["by_counts"] and (tmp_path / "figures/11-melody.png").is_file()


@pytest.mark.slow
def test_notes_example_in_full(monkeypatch, tmp_path):
    assert run("11_order_of_notes.py", monkeypatch, tmp_path)["accuracy"] > 0.9


@pytest.mark.slow
def test_no_jumps_example(monkeypatch, tmp_path):
    names = run("13_no_jumps.py", monkeypatch, tmp_path, "3")
    assert names["accuracy"] > 0.7 and names["moved"]["theta"].max() < 3e-5 and (tmp_path / "figures/13-no-jumps.png").is_file()


@pytest.mark.slow
def test_no_jumps_example_in_full(monkeypatch, tmp_path):
    assert run("13_no_jumps.py", monkeypatch, tmp_path)["by_spikes"] > 0.95


@pytest.mark.slow
def test_proxy_example_in_full(monkeypatch, tmp_path):
    assert run("05_proxy.py", monkeypatch, tmp_path)["accuracy"] > 0.78


@pytest.mark.data
def test_mnist_example(monkeypatch, tmp_path):
    from pysnn import datasets
    datasets.fetch("mnist", progress=False)
    assert run("04_mnist.py", monkeypatch, tmp_path, "1")["accuracy"] > 0.9


def test_readme_code():
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert np.isclose(names["z_out"][0, 0], 6.077422742688569) and np.isclose(np.log(names["z_out"][0, 0]), 1.8046, atol=1e-4)
    assert np.allclose(names["dz_in"], [[2.0, 1.5, 0.0]], rtol=1e-12, atol=0)
