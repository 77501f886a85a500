"""The C program: it compiles without a warning, and prints the counts of `simulate`, image by image."""

import shutil
import subprocess

import numpy as np
import pytest

from pysnn import datasets, interop, models, training
from pysnn.conventions import Rule
from pysnn.layers import NeuronConfig
from tests.cases.interop import images, trained

CC = shutil.which("cc")
needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler")


def compiled(network, folder):
    """Write and compile the program; return its path."""
    interop.to_c(network, folder / "network.c")
    done = subprocess.run([CC, "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o", folder / "network",
                           folder / "network.c"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "network"


def printed(program, x, file=None):
    """Run the program on images, from standard input or a file; return what it counts."""
    done = subprocess.run([program, *([file] if file else [])], input=None if file else x.tobytes(), capture_output=True)
    assert done.returncode == 0 and done.stderr == b""
    return np.array([line.split() for line in done.stdout.decode().splitlines()], np.int64)


@needs_cc
@pytest.mark.parametrize("bits, kind", [(8, "dense"), pytest.param(4, "conv", marks=pytest.mark.slow)])
def test_all_images_of_the_sample(bits, kind, tmp_path):
    network, x = interop.quantize(trained(kind), bits), images()
    got = printed(compiled(network, tmp_path), x)
    assert len(x) == 1000 and got.any()
    np.testing.assert_array_equal(got, interop.simulate(network, x))


@needs_cc
@pytest.mark.parametrize("model, how", [
    ("7x6x2-4c3s2-N-3c3-P2-N-4", {"rule": Rule("zero", fire=">")}), ("6x8x1-3c2x3p0-A2-N-4c3-N-A2-5-3", {"v_init": 0.4}),
    ("5-4-3", {"output": False})], ids=str)
def test_other_layers_and_rules(model, how, tmp_path, rng):
    net = models.build(model, "if", models.rate_params(model, rng, True, "kaiming"), True, config=NeuronConfig(n_steps=7, **how))
    network, x = interop.quantize(net, 6), rng.integers(0, 256, (50, *net.model.shape)).astype(np.uint8)
    program, wanted = compiled(network, tmp_path), interop.simulate(network, x)
    assert len(np.unique(wanted)) > 2
    np.testing.assert_array_equal(printed(program, x), wanted)
    (tmp_path / "images").write_bytes(x.tobytes())
    np.testing.assert_array_equal(printed(program, x, tmp_path / "images"), wanted)


@needs_cc
def test_input_that_ends_early(tmp_path, rng):
    net = models.build("5-4-3", "if", models.rate_params("5-4-3", rng), config=NeuronConfig(n_steps=7))
    program = compiled(interop.quantize(net), tmp_path)
    done = subprocess.run([program], input=bytes(7), capture_output=True, text=False)
    assert done.returncode == 1 and done.stderr == b"expected images of 5 bytes, got a rest of 2\n" and done.stdout.count(b"\n") == 1
    done = subprocess.run([program, tmp_path / "absent"], capture_output=True)
    assert done.returncode == 2 and done.stderr.startswith(b"cannot read")


def test_the_file_is_readable_and_whole(tmp_path, rng):
    net = models.build("5-4-3", "if", models.rate_params("5-4-3", rng), config=NeuronConfig(n_steps=7))
    interop.to_c(interop.quantize(net, 4), tmp_path / "deep" / "n.c")
    text = (tmp_path / "deep" / "n.c").read_text()
    assert "7 time steps; weights of 4 bits" in text and "conv(" not in text and max(map(len, text.splitlines())) <= 140
    assert text.isascii() and [p.name for p in (tmp_path / "deep").iterdir()] == ["n.c"]
    with pytest.raises(TypeError, match="network: expected an IntegerNetwork from quantize, got SpikingNetwork"):
        interop.to_c(net, tmp_path / "m.c")
    assert not (tmp_path / "m.c").exists()


@needs_cc
@pytest.mark.slow
def test_the_network_that_ships(tmp_path):
    network, x = interop.quantize(training.load("fashion-proxy")), images()[:200]
    np.testing.assert_array_equal(printed(compiled(network, tmp_path), x), interop.simulate(network, x))


@needs_cc
@pytest.mark.data
def test_ten_thousand_images(tmp_path):
    network, x = interop.quantize(trained("dense")), datasets.load("fashion-mnist").x_test
    np.testing.assert_array_equal(printed(compiled(network, tmp_path), x), interop.simulate(network, x))
    assert len(x) == 10_000
