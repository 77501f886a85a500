"""Getting in and out, in a few lines: weights, modules, graphs, C, whole numbers, jitter."""

from pathlib import Path

import numpy as np
import pytest

from pysnn import datasets, interop, training
from pysnn.evaluation import rate, temporal
from tests.cases import tasks
from tests.cases.installed import needed

FASHION = datasets.load("fashion-sample")
X, Y = FASHION.x_test[:20], FASHION.y_test[:20]
HERE = {   # at most so many lines, the lines, what is true then
    "C": (1, 'interop.to_c(interop.quantize(run), "network.c")', lambda s: "int main" in Path("network.c").read_text()),
    "8-bit and 4-bit weights": (
        1, "counts = [interop.simulate(interop.quantize(run, bits), x) for bits in (8, 4)]",
        lambda s: all((c.argmax(1) == s["y"]).mean() > 0.5 for c in s["counts"])),
    "robustness to jitter": (1, "found = temporal.robustness(run.nets, x, y, np.random.default_rng(0))",
                             lambda s: s["found"]["jitter"][0][1] > s["found"]["jitter"][-1][1]),
    "accuracy against T": (1, "found = rate.evaluate(run.nets, x, y, steps=(1, 4, 15))", lambda s: len(s["found"]["accuracy_at"]) == 3),
}
THERE = {   # what makes a module of PyTorch, at most so many lines, the lines
    "weights from a PyTorch MLP": (lambda nn: nn.Sequential(nn.Linear(784, 20), nn.ReLU(), nn.Linear(20, 10)), 2, """
arrays = {name: w.numpy() for name, w in module.state_dict().items()}
net = interop.from_state_dict("784-20-10", arrays)
"""),
    "weights from a PyTorch CNN with batch norm": (
        lambda nn: nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                                 nn.Linear(784, 10)).eval(), 2, """
arrays = {name: w.numpy() for name, w in module.state_dict().items()}
net = interop.from_state_dict("28x28x1-4C3-P2-10", arrays)
"""),
}


@pytest.mark.parametrize("task", HERE)
def test_task(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    most, code, true = HERE[task]
    run = training.load("fashion-mnist" if task == "robustness to jitter" else "fashion-proxy")
    space = {"np": np, "interop": interop, "temporal": temporal, "rate": rate, "run": run, "x": X, "y": Y}
    assert true(tasks.run(task, most, code, space))


def test_nir(tmp_path, monkeypatch):
    pytest.importorskip("nir")
    monkeypatch.chdir(tmp_path)
    run = training.start("surrogate", training.METHODS["surrogate"].Settings(model="5-7d-L0.9-3d-I0.9", n_steps=6, input="steps"))
    tasks.run("NIR", 1, 'interop.write_nir(run, "mine.nir")', {"interop": interop, "run": run})
    again = interop.read_nir(tmp_path / "mine.nir")
    assert again.params.keys() == run.nets.net.params.keys()


@pytest.mark.frameworks
@pytest.mark.parametrize("task", THERE)
def test_weights_of_pytorch(task):
    torch = needed("torch")
    made, most, code = THERE[task]
    torch.manual_seed(0)
    module = made(torch.nn)
    space = tasks.run(task, most, code, {"interop": interop, "module": module})
    images = np.float32(X)[..., None] / 255
    x = images.reshape(20, -1) if "MLP" in task else images
    ref = module(torch.from_numpy(x if "MLP" in task else np.ascontiguousarray(x.transpose(0, 3, 1, 2)))).detach().numpy()
    np.testing.assert_allclose(space["net"].forward(x)[0][-1], ref, rtol=0, atol=1e-5)


@pytest.mark.frameworks
@pytest.mark.parametrize("name", ["snntorch", "spikingjelly"])
def test_modules(name):
    torch = needed("torch")
    needed(name)
    run = training.load("fashion-proxy")
    code = f"module = interop.to_{name}(run)\nspikes = module(images)"
    images = torch.from_numpy(np.float32(X[:2])[:, None] / 255)
    space = tasks.run(name, 2, code, {"interop": interop, "run": run, "images": images})
    ref = run.nets.snn.run(np.float32(X[:2])[..., None] / 255).counts[-1]
    np.testing.assert_array_equal(space["spikes"].sum(dim=0).detach().numpy(), ref)
