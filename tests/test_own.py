"""Files of users' own: the how-to pages run as they are, and each part goes through train, kill, resume, evaluate and plot."""

import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pysnn.plots
from pysnn import _files, checkpoint, cli, datasets, encode, layers, learning, losses, models, optim, training, verify
from pysnn.datasets import points
from pysnn.evaluation.operations import additions
from pysnn.learning import METHODS, surrogate, temporal
from tests.cases import ROOT, few
from tests.cases.command import coarse_regions

PAGES = {name: (ROOT / f"docs/howto/add-a-{name}.md").read_text(encoding="utf-8")
         for name in ("neuron", "learning-rule", "data-set", "loss")}
SIZES = {"train": (240, 42), "validation": (60, 41), "test": (60, 40)}      # a small Yin-Yang, for speed
BLOCK = re.compile(r"```(python|sh|text)(?: file=(\S+))?\n(.*?)```", re.DOTALL)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder and a process of its own, as it were, and NumPy alone: nothing here needs compiled kernels."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *args: None if name == "numba" else find(name, *args))
    monkeypatch.setattr(_files, "_LOADED", {})
    coarse_regions(monkeypatch)
    for name, size in SIZES.items():
        monkeypatch.setitem(points.YIN_YANG_SETS, name, size)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    forget(tmp_path)


def forget(folder):
    """Forget the user's files, as a new process does not know them."""
    _files._LOADED.clear()
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


def write_files(*pages):
    """Write the files of pages, the data set a smaller one."""
    for name, text in (found for page in pages for _, *found in BLOCK.findall(PAGES[page]) if found[0]):
        Path(name).write_text(text.replace("points(1200, rng), *points(300, rng)", "points(240, rng), *points(60, rng)"))


def words(text):
    return re.sub(r"\s+", " ", re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", text)).strip()


def error_of(capsys, line):
    """Run a command that must fail, and return what it says."""
    assert cli.main(shlex.split(line)) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("pysnn: error: ")
    return said


# ---------------------------------------------------------------------------------------------- the pages

@pytest.mark.parametrize("name", PAGES)
def test_page(name, capsys, monkeypatch):
    """Every file and every command, in order; what is printed must read like the text blocks, numbers aside."""
    monkeypatch.setattr(pysnn.plots, "save", lambda figure, path: path)      # drawn, but not written
    space, printed = {"__name__": "page"}, ""
    for kind, file, text in BLOCK.findall(PAGES[name]):
        if file:
            Path(file).write_text(text)
        elif kind == "python":
            exec(compile(text, f"<add-a-{name}>", "exec"), space)
            printed = capsys.readouterr().out
        elif kind == "sh":
            for line in text.replace("\\\n", "").splitlines():
                program, *args = shlex.split(line)
                assert program == "pysnn" and cli.main(args) == 0, line
            printed = capsys.readouterr().out
        else:
            assert words(printed) == words(text), printed


def test_scripts_are_short():
    """Ten statements, each of which a reader understands."""
    for name, page in PAGES.items():
        script = next(text for kind, file, text in BLOCK.findall(page) if kind == "python" and not file and "training.load" in text)
        lines = [line for line in script.splitlines() if line and not line.startswith((" ", "import", "from"))]
        assert len(lines) <= 10, (name, len(lines))


def test_pages_are_listed():
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    assert all(f"howto/add-a-{name}\n" in index for name in PAGES)


# ---------------------------------------------------------------------------------------------- the bill

YIN_YANG = "--data yin-yang --batch 20 --epochs 3 --backend reference --quiet --no-test --set optimiser=sgd"
BILL = {    # what is trained; which pages' files it needs; which file the checkpoint must name
    "exact-time neuron": (f"temporal --model neuron.py:model {YIN_YANG}", "neuron", ["neuron.py"]),
    "recurrent layer": (f"surrogate --model recurrent.py:model --steps 4 {YIN_YANG}", "neuron", ["recurrent.py"]),
    "learning rule": (f"feedback.py:rule --model 4-10-8-3 {YIN_YANG}", "learning-rule", ["feedback.py"]),
    "learning rule written whole": (f"reservoir.py:rule {YIN_YANG}", "learning-rule", ["reservoir.py"]),
    "data set and encoding": ("temporal --data circle.py:data --set code=circle.py:fields --model 6-10-2 --batch 20 --epochs 3 "
                              "--backend reference --quiet --no-test --set optimiser=sgd", "data-set", ["circle.py"]),
    "loss and the like": ("surrogate --model 4-10-3 --steps 4 --lr 0.01 --set on=rates --set loss=choices.py:loss --set "
                          "schedule=choices.py:steps --set penalty=choices.py:sparse --set augment=choices.py:noise --set "
                      "surrogate=choices.py:bell --set metric=choices.py:worst --set patience=2 "
                          + YIN_YANG.replace("=sgd", "=choices.py:Momentum"), "loss", ["choices.py"]),
}
SUICIDE = """
import os, signal, sys
from pysnn import cli, training
from pysnn.datasets import points
points.YIN_YANG_SETS.update(SIZES)
real, calls = training._Sums.add, []
def deadly(*args, **values):
    calls.append(0)
    if len(calls) == 14:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **values)
training._Sums.add = deadly
cli.main(sys.argv[1:])
""".replace("SIZES", repr(SIZES))


def ends(path):
    """All that must be the same: arrays bit for bit, random numbers, records but for their seconds."""
    header, arrays = checkpoint.read(path)
    records = [{key: value for key, value in r.items() if key != "seconds"} for r in header["records"]]
    return {name: (x.dtype.str, x.shape, x.tobytes()) for name, x in arrays.items()}, header["rng"], records, header["settings"]


@pytest.mark.parametrize("what", few(BILL, 3))
def test_killed_and_resumed_evaluated_drawn_and_guarded(what, place, capsys, monkeypatch):
    line, page, files = BILL[what]
    write_files(page)
    assert cli.main(["train", *line.split(), "--out", "a.npz"]) == 0
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SUICIDE, "train", *line.split(), "--out", "b.npz"]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert checkpoint.read("b.npz")[0]["epoch"] == 1                                   # it died amid the second epoch
    forget(place)
    assert cli.main(["train", *line.split(), "--out", "b.npz", "--resume"]) == 0
    assert ends("a.npz") == ends("b.npz")
    header, _ = checkpoint.read("a.npz")
    assert header["files"] == {file: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files}
    given = [word for file in files for word in ("--with", file)]
    monkeypatch.setattr(pysnn.plots, "save", lambda figure, path: path)      # drawn, but not written
    for command in ("evaluate a.npz", "info a.npz", "plot curves a.npz", "plot confusion a.npz"):
        forget(place)
        assert cli.main([*command.split(), *given]) == 0
    capsys.readouterr()
    forget(place)
    said = error_of(capsys, "evaluate a.npz")
    assert re.search(rf"a\.npz: it was trained with {files[0]} \(SHA-256 \w+\.\.\.\), .*--with {files[0]}", said)
    with open(files[0], "a") as file:
        file.write("\n# changed\n")
    said = error_of(capsys, f"evaluate a.npz --with {files[0]}")
    assert "expected the file that it was trained with" in said and "has changed" in said
    with pytest.raises(checkpoint.CheckpointError, match="has changed"):
        training.load("a.npz")


def test_weights_alone_and_weights_of_few_bits(capsys):
    """A small file to share names its files as well; disturbed weights leave delays and state alone."""
    write_files("neuron")
    model = _files.load("neuron.py:model")
    run = training.start("temporal", temporal.settings_for("yin-yang", model=model, backend="reference", epochs=0))
    training.save(run, "small.npz", weights_only=True)
    assert set(checkpoint.read("small.npz")[0]["files"]) == {"neuron.py"}
    assert training.load("small.npz").nets.settings.model == model
    assert cli.main(["evaluate", "small.npz", "--data", "yin-yang", "--robust"]) == 0
    assert "weight bits" in capsys.readouterr().out


# ---------------------------------------------------------------------------------------------- layers

def test_delays_agree_with_the_neuron_without(rng):
    write_files("neuron")
    delays, ours = _files.load("delays.py:forward"), models.build("6-4", params={"w1": rng.normal(0.1, 0.3, (6, 4))})
    z = np.exp(rng.uniform(0, 2, (50, 6)))
    z[rng.random(z.shape) < 0.1] = np.inf
    w = ours.params["w1"]
    z_out, cache = delays(z, w, np.zeros((6, 4)))
    (ref,), caches = ours.forward(z)
    assert 0.1 < np.isinf(ref).mean() < 0.9
    np.testing.assert_allclose(z_out, ref, rtol=1e-12)
    dz_out = rng.normal(size=ref.shape)
    dz, grads = ours.backward(dz_out, caches, need_dx=True)
    for got, wanted in zip(_files.load("delays.py:backward")(dz_out, cache)[:2], (dz, grads["w1"]), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)
    late, _ = delays(z, w, np.full((6, 4), 0.5))                     # equal delays move every spike by as much
    np.testing.assert_allclose(late, ref * np.exp(0.5), rtol=1e-12)


def test_layer_with_delays_is_checked(rng):
    write_files("neuron")
    delayed = _files.load("neuron.py:Delayed")
    z, w, u = np.exp(rng.uniform(0, 2, (4, 6))), rng.normal(0.3, 0.3, (6, 5)), rng.normal(-1, 1, (6, 5))

    def backward(dz_out, cache):
        dz, grads = delayed({"w1": w, "u1": u}, 1).backward(dz_out, cache)
        return dz, grads["w1"], grads["u1"]

    report = verify.gradcheck(lambda z, w, u: delayed({"w1": w, "u1": u}, 1).forward(z), backward, (z, w, u),
                              trace=lambda args, out, cache: cache[2] < out[:, None])
    report.raise_if_failed()


def test_recurrent_layer_steps_as_it_runs(rng):
    """Step by step, all at once, and by hand; the additions count the recurrent weights."""
    write_files("neuron")
    model = _files.load("recurrent.py:model")
    run = training.start("surrogate", surrogate.Settings(model=model, n_steps=6, backend="reference"), seed=1)
    x = rng.random((7, 4)).astype(np.float32)
    outputs, _ = run.nets.snn.forward(x)
    found = run.nets.snn.run(x, keep_counts=True)
    np.testing.assert_array_equal(outputs[-1].reshape(6, 7, 3).sum(axis=0), found.counts[-1])
    v, s, raster = 0.0, np.zeros((7, 30), np.float32), []
    for _ in range(6):
        u = v + x @ run.nets.net.params["w1"] + s @ run.nets.net.params["r1"]
        s = (u >= 1).astype(np.float32)
        v = u - s
        raster.append(s)
    np.testing.assert_array_equal(np.concatenate(raster), outputs[1])
    assert additions(found.layer_counts, model, 6) == [float(np.sum(raster)) * (3 + 30)]
    assert model.neurons == ("if",) and "relu" not in learning.rate.report(run.nets, x.astype(float))


def test_what_other_rules_say_to_own_layers(capsys):
    write_files("neuron")
    said = error_of(capsys, "train proxy --model recurrent.py:model --data yin-yang")
    assert "expected layers for relu neurons" in said and "RecurrentNeurons()" in said
    assert "expected layers for temporal neurons" in error_of(capsys, "train temporal --model recurrent.py:model --data yin-yang")
    with pytest.raises(ValueError, match="expected layers for if neurons"):
        models.build(_files.load("neuron.py:model"), "if", {})


def test_model_says_what_is_wrong_with_a_spec():
    class Plain(models.Spec):
        pass

    for specs, said in (([Plain(), models.Dense(2)], "write @dataclass"),
                        ([models.Neurons, models.Dense(2)], "expected layer specs such as"),
                        ([models.Dense(2), models.Neurons()], "expected a dense layer as the output")):
        with pytest.raises(ValueError, match=said):
            models.Model((4,), specs)


def test_subclasses_of_ours_keep_what_they_change(rng):
    """A layer that inherits from ours is no engine's dense layer, and batch normalisation behind it stays."""
    class Clamped(layers.Dense):
        def forward(self, x, rng=None, statistics=None):
            y, cache = super().forward(x)
            return np.clip(y, -1, 1), cache

    params = {"w1": rng.normal(size=(4, 3)), "gamma1": np.ones(3), "beta1": np.zeros(3)}
    state = {"mean1": np.zeros(3), "var1": np.ones(3)}
    made = [Clamped(params, 1, "reference"), layers.BatchNorm(params, state, 1, "reference")]
    folded = []
    for layer in made:
        layer.fold(folded)
    assert [type(layer) for layer in folded] == [Clamped, layers.BatchNorm] and layers.stages(folded[:1]) is None


# ---------------------------------------------------------------------------------------------- rules

def test_a_method_needs_five_parts():
    write_files("learning-rule")
    rule = learning.get("reservoir.py:rule")
    assert rule.family == "" and rule.presets == {"ours": {}} and (rule.decide(np.array([[0.0, 2.0], [3.0, 1.0]])) == [1, 0]).all()
    assert rule.settings_for("yin-yang").plain()["model"] == "4-200-3"


def test_figures_and_options_of_a_rule_of_no_family(capsys):
    write_files("learning-rule")
    assert cli.main(f"train reservoir.py:rule {YIN_YANG} --out a.npz".split()) == 0
    assert "robustness: expected a rule of the family" in error_of(capsys, "plot robustness a.npz")
    assert "raster: expected a network that spikes" in error_of(capsys, "plot raster a.npz")
    assert "--robust: expected a network trained by" in error_of(capsys, "evaluate a.npz --robust")
    assert "--steps: expected a network that counts" in error_of(capsys, "evaluate a.npz --steps 3")
    said = error_of(capsys, "compare --methods ann reservoir.py:rule --data yin-yang")
    assert "methods: expected learning rules of the family rate" in said
    assert "preset: expected one of ours" in error_of(capsys, "train reservoir.py:rule --data yin-yang --preset authors")


def test_comparison_as_json():
    write_files("learning-rule")
    line = "compare --methods ann feedback.py:rule --data xor --model 2-4-2 --seeds 1 --epochs 1 --val 0 --backend reference --json c.json"
    assert cli.main(line.split()) == 0
    record = json.loads(Path("c.json").read_text())
    assert record["model"] == "2-4-2" and [row["method"] for row in record["table"]] == ["ann", "feedback.py:rule"]


@pytest.mark.parametrize("grads, said", [({"w9": np.zeros(3)}, "got w9 of shape"), ({"w1": np.zeros(3)}, r"got w1 of shape \(3,\)")])
def test_gradients_that_do_not_fit(grads, said):
    def gradients(nets, x, y, rng):
        return learning.ann.gradients(nets, x, y)._replace(grads=grads)

    rule = METHODS["ann"]._replace(name="bad", gradients=gradients)
    run = training.start(rule, rule.settings_for("xor", model="2-4-2", backend="reference"))
    with pytest.raises(ValueError, match="gradients: expected those of .*" + said):
        next(training.epochs(run, datasets.xor()))


def test_settings_of_another_rule():
    with pytest.raises(ValueError, match=r"settings: expected Settings of ann, got pysnn\.learning\.temporal\.Settings"):
        training.start("ann", temporal.Settings())


# ---------------------------------------------------------------------------------------------- data

@pytest.mark.parametrize("change, said", [
    ("._replace(y_train=np.zeros(4))", "y_train: expected 4 integer labels"), ("._replace(y_test=np.full(4, 2))", "expected labels 0 to 1"),
    ("._replace(x_train=[[1, 2]])", "expected x_train to be an array"), ("._replace(x_test=np.zeros((4, 3)))", "expected x_test to be"),
    ("._replace(kind='rows')", "expected kind to be 'image', 'points' or 'sequence'"), ("[:3]", "expected a pysnn.datasets.Dataset"),
])
def test_data_that_cannot_be_trained_on(change, said, capsys):
    Path("bad.py").write_text(f"import numpy as np\nfrom pysnn import datasets\ndata = datasets.load('xor'){change}\n")
    assert said in error_of(capsys, "train temporal --data bad.py:data --model 2-4-2")


def test_an_encoding_changes_the_number_of_inputs(capsys):
    write_files("data-set")
    line = "train temporal --data circle.py:data --set code=circle.py:fields --epochs 1 --backend reference --quiet"
    assert "x: expected 2 input spikes for model 2-4-2, got 6" in error_of(capsys, f"{line} --model 2-4-2")
    Path("own.py").write_text("import numpy as np\n\ndef twice(x, dtype):\n    return np.concatenate([x, 1 - x], axis=1)\n")
    line = "train ann --data circle.py:data --set encode=own.py:twice --epochs 1 --backend reference --quiet --set optimiser=sgd"
    assert cli.main([*line.split(), "--model", "4-4-2", "--out", "a.npz"]) == 0
    assert "expected samples of shape (3,) for model 3-4-2, got (4,)" in error_of(capsys, f"{line} --model 3-4-2")
    assert "model: expected 2-...-2 for circle" in error_of(capsys, "train ann --data circle.py:data --model 4-4-2")


# ---------------------------------------------------------------------------------------------- functions

def test_functions_of_our_tables_are_kept_by_their_words():
    s = surrogate.Settings(model="2-4-2", loss=losses.mse, optimiser=optim.SGD, schedule=optim.exponential, encode=encode.intensities)
    assert (s.loss, s.optimiser, s.schedule, s.encode) == ("mse", "sgd", "exponential", "intensities")
    s = temporal.Settings(loss=losses.softmax_z, code=encode.latency)
    assert (s.loss, s.code) == ("z", "latency") and not s.own_encoding
    training.save(training.start("temporal", s), "a.npz")
    assert checkpoint.read("a.npz")[0]["files"] == {}


def with_settings(**chosen):
    return METHODS["surrogate"].settings_for("xor", model="2-4-2", n_steps=3, backend="reference", epochs=2, **chosen)


class Forgetful:
    """An optimiser whose state begins late."""

    def __init__(self, params):
        self.state = {}

    def update(self, params, grads, lr):
        self.state["n"] = np.zeros(())


def broken(**names):
    return lambda params: type("Broken", (), names)()


@pytest.mark.parametrize("chosen, said", [
    ({"optimiser": Forgetful}, "optimiser: expected a state that holds all its arrays from the beginning, got n later"),
    ({"optimiser": broken(state={"n": 0}, update=print)}, "optimiser: expected a state of arrays, .* got n of type int"),
    ({"optimiser": broken(state={})}, r"optimiser: expected an object with update\(params, grads, lr\) and a dict `state`, got Broken"),
    ({"loss": lambda y, labels: y.sum()}, "loss: expected <lambda> to return a number and a gradient of shape"),
    ({"loss": lambda y, labels: (0.0, y[0])}, r"a gradient of shape \(4, 2\), got \(\), \(2,\)"),
    ({"loss": "hinge"}, "loss: expected one of cross_entropy, squared, mse, got 'hinge'"),
    ({"penalty": "l1"}, "penalty: expected a function or FILE.py:NAME, got 'l1'"),
])
def test_functions_that_do_not_fit(chosen, said):
    with pytest.raises(ValueError, match=said):
        next(training.epochs(training.start("surrogate", with_settings(**chosen)), datasets.xor()))


def test_a_loss_may_compute_in_float64():
    """np.eye is float64: what a loss returns is brought to the dtype of the network."""
    run = training.start("surrogate", with_settings(loss=lambda y, labels: (1.0, y - np.eye(2)[labels]), optimiser="sgd"))
    assert np.isfinite(next(training.epochs(run, datasets.xor()))["loss"]) and run.nets.net.params["w1"].dtype == np.float32


# ---------------------------------------------------------------------------------------------- files

@pytest.mark.parametrize("text, said", [
    ("rule = 3", "method: expected a pysnn.learning.Method, got 3"), ("import nothing_at_all", "does not run: ModuleNotFoundError"),
    ("def rule(", "a.py, line 1: does not run: SyntaxError"), ("other = 1", "a.py: expected an object called rule, got other"),
    (None, "a.py: expected a Python file, and it is not there"),
])
def test_files_that_are_of_no_use(text, said, capsys):
    if text is not None:
        Path("a.py").write_text(text)
    assert said in error_of(capsys, "train a.py:rule --data xor")


def test_a_file_that_another_imports_need_not_be_named_again(place):
    """The rule's file imports the layer's; going on from the checkpoint needs no further word."""
    write_files("neuron", "learning-rule")
    Path("all.py").write_text("from recurrent import model\nfrom signs import rule as signs\nrule = signs._replace(name='all')\n")
    line = f"train all.py:rule --model all.py:model --steps 3 {YIN_YANG} --out a.npz"
    assert cli.main(line.split()) == 0
    assert set(checkpoint.read("a.npz")[0]["files"]) == {"all.py", "recurrent.py"}
    forget(place)
    assert cli.main([*line.split(), "--resume"]) == 0
    forget(place)
    assert training.load("a.npz", ["all.py"]).method == "all.py:rule"


def test_imported_and_loaded_are_one_file():
    write_files("learning-rule")
    loaded = _files.load("signs.py:rule")
    import signs
    assert signs.rule is not loaded and _files.reference(signs.rule) == _files.reference(loaded) == "signs.py:rule"


def test_an_object_without_a_file():
    with pytest.raises(ValueError, match="expected an object that stands in a file under a name of its own"):
        _ = training.start(METHODS["ann"]._replace(name="mine"), METHODS["ann"].settings_for("xor", model="2-4-2")).method


# ---------------------------------------------------------------------------------------------- inside the package

INSIDE = '''
import numpy as np
from pysnn import cli, datasets, learning, operations, verify
assert list(learning.METHODS)[-1] == "signs" and datasets.NAMES[-1] == "circle" and "hinge" in learning.settings.RATE_LOSSES
forward, backward = operations.OPERATIONS["delayed"].pair()
rng = np.random.default_rng(0)
args = np.exp(rng.uniform(0, 2, (4, 6))), rng.normal(0.3, 0.3, (6, 5)), rng.uniform(0, 1, (6, 5))
verify.gradcheck(forward, backward, args, trace=lambda args, out, cache: cache[2] < out[:, None]).raise_if_failed()
chosen = "--set optimiser=heavy --set schedule=steps --set loss=hinge --steps 4 --val 1000 --epochs 1 --backend reference --quiet"
assert cli.main(["train", "signs", "--data", "circle", "--model", "2-8-2", "--out", "a.npz", *chosen.split()]) == 0
assert cli.main(["evaluate", "a.npz"]) == 0 and cli.main(["info", "--settings", "signs"]) == 0
'''


def insert(path, before, line):
    """Put something before a place that stands once in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, (path, before)
    path.write_text(text.replace(before, line + before), encoding="utf-8")


def test_inside_the_package(place):
    """One file and one line each, where the pages say, in a copy of the package."""
    ignored = shutil.ignore_patterns("__pycache__", "golden_vectors", "pretrained", "*.npz")
    package = Path(shutil.copytree(ROOT / "pysnn", place / "copy/pysnn", ignore=ignored))
    files = {name: text for page in PAGES.values() for _, name, text in BLOCK.findall(page) if name}
    (package / "reference/delayed.py").write_text(files["delays.py"])
    record = 'Operation("delayed", "delayed", "", ("z_in", "w", "d"), ("z_in", "w", "d"), ("z_out",)),'
    insert(package / "operations.py", '    Operation("relu"', f"    {record}\n")
    rule = files["signs.py"].replace("from pysnn.learning import METHODS\n\nsurrogate = METHODS[\"surrogate\"]", "from . import surrogate")
    (package / "learning/signs.py").write_text(rule.replace("rule = surrogate._replace", "METHOD = surrogate.METHOD._replace"))
    insert(package / "learning/__init__.py", "from . import ann", "from . import signs\n")
    insert(package / "learning/__init__.py", ")}\n", ", signs")
    data = files["circle.py"].replace("pysnn.datasets", ".catalogue").replace("def data()", "def circle(name, folder)")
    (package / "datasets/circle.py").write_text(data)
    insert(package / "datasets/loading.py", "from .cache import", "from . import circle\n")
    insert(package / "datasets/loading.py", "}\n\"\"\"All data sets", ', "circle": circle.circle')
    for name, file in (("loss", "losses"), ("Momentum", "optim"), ("steps", "optim")):
        code = re.search(rf"^(?:def|class) {name}\b.*?(?=^\S|\Z)", files["choices.py"], re.DOTALL | re.MULTILINE)[0]
        path = package / f"{file}.py"
        path.write_text(path.read_text() + "\n\n" + code.replace("def loss", "def hinge"))
    insert(package / "learning/settings.py", '"mse": losses.mse}', '"hinge": losses.hinge, ')
    text = (package / "optim.py").read_text()
    tables = re.search(r"^OPTIMISERS.*\nSCHEDULES.*\n", text, re.MULTILINE)[0]
    moved = tables.replace('"sgd"', '"heavy": Momentum, "sgd"').replace('"cosine"', '"steps": steps, "cosine"')
    (package / "optim.py").write_text(text.replace(tables, "") + "\n\n" + moved)
    env = {**os.environ, "PYTHONPATH": str(package.parent)}
    done = subprocess.run([sys.executable, "-c", INSIDE], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    assert str(package) not in done.stderr and "test accuracy" in done.stdout


@pytest.mark.parametrize("page, file, tables", [
    ("neuron", "pysnn/operations.py", ["OPERATIONS"]), ("neuron", "pysnn/models/specs.py", ["SPECS"]),
    ("learning-rule", "pysnn/learning/__init__.py", ["METHODS"]), ("data-set", "pysnn/datasets/loading.py", ["READERS"]),
    ("loss", "pysnn/learning/settings.py", ["RATE_LOSSES"]), ("loss", "pysnn/optim.py", ["OPTIMISERS", "SCHEDULES"]),
])
def test_pages_name_the_tables(page, file, tables):
    part, text = PAGES[page].split("## Inside the package")[1], (ROOT / file).read_text(encoding="utf-8")
    assert f"`{file}`" in part and all(f"`{table}`" in part and f"\n{table} = {{" in text for table in tables)
