"""Bad input with a time axis, in one table: one clear line that says what was expected and what came.

Rows of bad events and encodings are in test_bad_input.py, those of the classifier in tests/estimators/test_sequences.py.
"""

from pathlib import Path

import numpy as np
import pytest

from pysnn import cli, datasets, models, training
from pysnn.conventions import LeakyState, Sequences
from pysnn.datasets import Events, read_nmnist, read_shd, read_ts, to_spikes
from pysnn.learning import surrogate
from pysnn.reference import leaky

B, T, N = 5, 7, 3
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(B, T, N)), np.arange(B) % 2
SETTINGS = {**surrogate.SERIES, "model": "3-4d-R0.9-2d-I0.9", "n_steps": T, "backend": "reference"}
CURRENT, STATE = RNG.normal(size=(T, B, N)), RNG.normal(size=(B, N))


def trained(x=X, y=Y, **chosen):
    return next(training.epochs(training.start("surrogate", surrogate.Settings(**SETTINGS | chosen)), (x, y)))


def mine(**change):
    """Take a data set of the user's own."""
    lengths = np.full(B, T)
    data = datasets.Dataset("mine", "sequence", X, Y, X, Y, ("a", "b"), lengths, lengths)._replace(**change)
    return datasets.loading._checked("mine.py:data", data)


def spikes_of(times, places):
    return to_spikes([Events(np.array(times), np.array(places))], 4, 3, 1.0)


def file(reader, content, name="file.ts"):
    Path(name).write_bytes(content)
    return reader(name)


HEAD = b"@dimensions 2\n@classLabel true a b\n@data\n"
TABLE = {
    # time in the wrong place
    "(T, B, n) to train on": (lambda: trained(X.swapaxes(0, 1)), "train: expected samples of shape (7, 3), got an array of shape (7, 5, 3"),
    "(T, n, B) to train on": (lambda: trained(X.transpose(1, 2, 0)), "train: expected samples of shape (7, 3), got an array of shape (7, "),
    "(7, 7, 3), time first": (lambda: trained(np.zeros((7, 5, 3))), "is time the second axis?"),
    "(B, n, T) to train on": (lambda: trained(X.swapaxes(1, 2)), "train: expected samples of shape (7, 3), got an array of shape (5, 3, 7"),
    "no time axis": (lambda: trained(X[:, 0]), "train: expected samples of shape (7, 3), got an array of shape (5, 3)"),
    "one sample alone": (lambda: trained(X[0], Y[:1]), "train: expected samples of shape (7, 3), got an array of shape (7, 3)"),
    "(T, B, n) in a data set": (lambda: mine(x_train=X.swapaxes(0, 1)), "x_train: expected shape (N, T, n), samples first, got (7, 5, 3)"),
    "(B, n, T) in a data set": (lambda: mine(x_train=X.swapaxes(1, 2), x_test=X.swapaxes(1, 2)), "the second axis must be time"),
    "(B, n, T) with lengths": (lambda: Sequences(X.swapaxes(1, 2), [7] * 5), "lengths: expected 1 to 3, got 7 to 7; the second axis must "),
    "(T, B, n) with lengths": (lambda: Sequences(CURRENT, [7] * 5), "lengths: expected 7 whole numbers, one a sample, got (5,)"),
    "a current (T, n)": (lambda: leaky.forward(CURRENT[:, 0], 0.9), "current: expected shape (T, B, ..., n), got an array of shape (7, 3)"),
    "a state of another batch": (lambda: leaky.step(STATE[:2], STATE, 0.9), "state: expected shape (5, 3), got an array of shape (2, 3)"),
    "a sequence with other steps": (lambda: trained(n_steps=6), "train: expected samples of shape (6, 3), got an array of shape (5, 7, 3)"),
    # lengths
    "longer than the array": (lambda: Sequences(X, [7, 8, 7, 7, 7]), "lengths: expected 1 to 7, got 7 to 8"),
    "longer, in a data set": (lambda: mine(lengths_test=np.full(B, T + 1)), "lengths_test: expected 1 to 7 time steps, got 8 to 8"),
    "an empty sequence": (lambda: Sequences(X, [0, 7, 7, 7, 7]), "lengths: expected 1 to 7, got 0 to 7"),
    "negative": (lambda: Sequences(X, [-1, 7, 7, 7, 7]), "lengths: expected 1 to 7, got -1 to 7"),
    "sequences of no step": (lambda: Sequences(X[:, :0], [1] * 5), "lengths: expected 1 to 0, got 1 to 1"),
    "floats": (lambda: Sequences(X, [7.0] * 5), "lengths: expected 5 whole numbers, one a sample, got (5,) of float64"),
    "one too few": (lambda: Sequences(X, [7] * 4), "lengths: expected 5 whole numbers, one a sample, got (4,)"),
    "of a list": (lambda: Sequences(X.tolist(), [7] * 5), "x: expected an array of samples, (N, T, ...), got list"),
    "of numbers": (lambda: Sequences(X[0, 0], [7] * 3), "x: expected an array of samples, (N, T, ...), got ndarray of shape (3,)"),
    # decays
    "beta above 1": (lambda: models.Leaky(1.1), "model: expected beta from 0 to 1, got Leaky(beta=1.1"),
    "beta below 0": (lambda: models.Integrate(-0.1), "model: expected beta from 0 to 1, got Integrate(beta=-0.1"),
    "beta NaN": (lambda: models.Leaky(float("nan")), "model: expected beta from 0 to 1, got Leaky(beta=nan"),
    "beta above 1 in a text": (lambda: models.read("3-4d-R1.5-2"), "model: expected beta from 0 to 1, got Leaky(beta=1.5"),
    "alpha above 1": (lambda: models.Leaky(0.9, alpha=2), "model: expected alpha from 0 to 1, got Leaky("),
    "beta NaN in an operation": (lambda: leaky.forward(CURRENT, np.nan), "beta: expected finite numbers in float64, got float nan"),
    "a beta for other neurons": (lambda: leaky.forward(CURRENT, np.ones(4)), "beta: expected shape (3), got an array of shape (4,)"),
    # spikes
    "spikes of 2": (lambda: trained((np.abs(X) * 3).astype(np.uint8)), "expected floats, or spikes 0 and 1 as uint8, got an array of shap"),
    "spikes of 2 in a data set": (lambda: mine(x_test=np.full((B, T, N), 2, np.uint8)), "x_test: expected 0 and 1 alone, got 2 in sample "),
    "spikes as int64": (lambda: trained((X > 0).astype(int)), "train: expected floats, or spikes 0 and 1 as uint8"),
    "NaN": (lambda: trained(np.where(X > 1, np.nan, X)), "train: expected finite numbers, got nan in sample"),
    "a state of text": (lambda: leaky.step(LeakyState(STATE, STATE, "0"), STATE, 0.9), "state: s: expected a finite number or an array"),
    # events
    "events out of order": (lambda: spikes_of([0.5, 0.25], [0, 1]), "sample 0: expected times in order, got 0.25 after 0.5"),
    "an event behind the end": (lambda: spikes_of([0.5, 1.5], [0, 1]), "sample 0: expected times from 0 to below 1, got 1.5"),
    "an event nowhere": (lambda: spikes_of([0.5], [-1]), "sample 0: expected places from 0 to below 3, got -1"),
    # files
    ".ts: no data": (lambda: file(read_ts, b"@dimensions 2\n"), "file.ts: expected a .ts file with a line @data, got none"),
    ".ts: other bytes": (lambda: file(read_ts, b"\x89HDF\xff"), "file.ts: expected a .ts file, which is text, got other bytes"),
    ".ts: no samples": (lambda: file(read_ts, HEAD), "file.ts: expected samples after @data, got none"),
    ".ts: an empty sequence": (lambda: file(read_ts, HEAD + b":1:a\n"), "file.ts, line 4: expected numbers separated by commas, got ''"),
    ".ts: a gap": (lambda: file(read_ts, HEAD + b"1,?:1,2:a\n"), "file.ts, line 4: expected numbers separated by commas, got '?'"),
    ".ts: NaN": (lambda: file(read_ts, HEAD + b"1,nan:1,2:a\n"), "file.ts, line 4: expected finite numbers that fit float32, no gaps, got"),
    ".ts: lengths that differ": (lambda: file(read_ts, HEAD + b"1,2:1:a\n"), "file.ts, line 4: expected lists of one length, got 2, 1"),
    ".ts: labels that move the cursor": (lambda: file(read_ts, b"@classLabel true \x1b[2J b\n@data\n1:c\n"), "labels, each once, and @dim"),
    ".ts: a header that moves the cursor": (lambda: file(read_ts, b"@missing \x1b[2J\n@data\n1:c\n"), r"got '\x1b[2J'"),
    ".ts: an unknown label": (lambda: file(read_ts, HEAD + b"1:1:c\n"), "line 4: expected 2 lists of values and one of the labels a b, go"),
    ".ts: one file of two": (lambda: file(datasets.load, HEAD, "A_TRAIN.ts"), "expected training samples in A_TRAIN.ts and test samples i"),
    "HDF5: other bytes": (lambda: file(read_shd, b"no HDF5", "a.h5"), "a.h5: expected spikes/times, spikes/units and labels in HDF5, got"),
    "N-MNIST: half an event": (lambda: file(read_nmnist, b"1234567", "a.bin"), "a.bin: expected events of 5 bytes, got 7 bytes"),
    "N-MNIST: no event": (lambda: file(read_nmnist, b"", "a.bin"), "a.bin: expected events of 5 bytes, got 0 bytes"),
}


@pytest.mark.parametrize("what", TABLE)
def test_arrays_and_files(what, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    call, words = TABLE[what]
    if what.startswith("HDF5"):
        pytest.importorskip("h5py")
    with pytest.raises((ValueError, TypeError, datasets.DataError)) as caught:
        call()
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_right_passes():
    """So that no row is refused for another reason than its own."""
    assert trained(epochs=1)["epoch"] == 1 and mine().kind == "sequence" and len(Sequences(X, [7] * 5)) == B
    assert leaky.step(STATE, STATE, 0.9)[0].shape == leaky.forward(CURRENT, 0.9)[1].shape == (B, N)
    assert spikes_of([0.25, 0.5], [0, 1]).sum() == 2


TRAIN = "train surrogate --backend reference --epochs 1 --val 0 --quiet --no-test --out a.npz "
COMMANDS = {
    TRAIN + "--data A_TRAIN.ts": "pysnn: error: A_TRAIN.ts: expected training samples in A_TRAIN.ts and test samples in A_TEST.ts, got no ",
    TRAIN + "--data Bad_TRAIN.ts": "pysnn: error: Bad_TRAIN.ts, line 1: expected a line that begins with # or @ before @data, got 'no seri",
    TRAIN + "--data Other_TRAIN.ts": "pysnn: error: Other_TRAIN.ts: expected a training and a test file of the same classes and dimensions",
    TRAIN + "--data W_TRAIN.ts --folder here": "pysnn: error: folder: expected None for W_TRAIN.ts, which is not read from a folder, got '",
    TRAIN + "--data W_TRAIN.ts --steps 9": "pysnn: error: model: expected 2-...-2 and 2 steps for W, got 2-128d-R0.9-2d-I0.9 and 9 steps",
    TRAIN + "--data W_TRAIN.ts --model 3-4-2": "pysnn: error: model: expected 2-...-2 and 2 steps for W, got 3-4-2 and 2 steps",
    TRAIN + "--data W_TRAIN.ts --model 2-4d-L2-2": "pysnn: error: model: expected beta from 0 to 1, got Leaky(beta=2.0",
    "train proxy --data W_TRAIN.ts": "pysnn: error: W: expected a method for samples with a time axis, such as surrogate with input=steps,",
    "train temporal --data W_TRAIN.ts --model 4-5-2": "pysnn: error: W: expected a method for samples with a time axis",
    "compare --data W_TRAIN.ts": "pysnn: error: W: expected a method for samples with a time axis",
    "evaluate good.npz --steps 2": "pysnn: error: --steps: expected neurons without a leak, and samples without a time axis, got 2-3d-R0.9",
    "evaluate good.npz --robust": "pysnn: error: --robust: expected neurons without a leak, and samples without a time axis, got 2-3d-R0.9",
    "evaluate good.npz --data xor": "pysnn: error: model: expected ",
    "plot steps good.npz": "pysnn: error: steps: expected neurons without a leak, and samples without a time axis, got 2-3d-R0.9-2d-I0.9",
    "plot robustness good.npz": "pysnn: error: robustness: expected neurons without a leak, and samples without a time axis, got 2-3d-R0",
    "plot raster good.npz --sample 2": "pysnn: error: sample: expected 0 to 1, got 2",
    "plot weights good.npz": "pysnn: error: weights: expected a network on images, got one on W",
    "plot leaky --times 0 1 2": "pysnn: error: --times: expected 3 whole numbers from 1 to 1000, one a weight, got 0 1 2",
    "plot leaky --times 1 2": "pysnn: error: --times: expected 3 whole numbers from 1 to 1000, one a weight, got 1 2",
    "plot leaky --beta 1.5": "pysnn: error: --beta: expected a number from 0 to 1, got 1.5",
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Make a folder with a good pair of files, a checkpoint of it, and bad ones."""
    folder = tmp_path_factory.mktemp("shelf")
    good = HEAD + b"1,2:3,4:a\n5:6:b\n"
    for name, content in (("W_TRAIN", good), ("W_TEST", good), ("Bad_TRAIN", b"no series"), ("Bad_TEST", b""), ("Other_TRAIN", good),
                          ("Other_TEST", b"@classLabel true a b\n@data\n1:a\n")):
        (folder / f"{name}.ts").write_bytes(content)
    run = training.start("surrogate", surrogate.Settings(**SETTINGS | {"model": "2-3d-R0.9-2d-I0.9", "n_steps": 2}), 0,
                         {"name": "W_TRAIN.ts", "n_val": 0})
    training.save(run, folder / "good.npz")
    return folder


@pytest.mark.parametrize("typed", COMMANDS)
def test_commands(typed, shelf, monkeypatch, capsys):
    monkeypatch.chdir(shelf)
    assert cli.main(typed.split()) == 1
    error = capsys.readouterr().err
    assert error.startswith(COMMANDS[typed]) and len(error.splitlines()) == 1
    assert not (shelf / "a.npz").exists() and not (shelf / "figures").exists()
