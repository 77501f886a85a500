"""Events and spike trains, there and back; files of events, written here."""

import sys

import numpy as np
import pytest

from pysnn.datasets import Events, read_nmnist, read_shd, to_events, to_spikes


def events(times, places):
    return Events(np.array(times, float), np.array(places, int))


def test_events_to_spikes():
    samples = [events([0, 0.1, 0.1, 0.49, 0.999], [2, 0, 2, 0, 1]), events([], [])]
    got = to_spikes(samples, 4, 3, 1.0)
    assert got.dtype == np.uint8 and got.shape == (2, 4, 3)
    assert got[0].tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 0], [0, 1, 0]] and not got[1].any()     # two of place 2 in step 0 are one


@pytest.mark.parametrize("n_steps, duration", [(1, 1.0), (7, 0.3), (100, 1.4), (1000, 1e-3), (33, 33)])
def test_there_and_back(rng, n_steps, duration):
    spikes = (rng.random((5, n_steps, 6)) < 0.3).astype(np.uint8)
    spikes[2] = 0
    found = to_events(spikes, duration)
    np.testing.assert_array_equal(to_spikes(found, n_steps, 6, duration), spikes)
    assert len(found[2].times) == 0 and sum(len(e.times) for e in found) == spikes.sum() > 0
    assert all((np.diff(e.times) >= 0).all() and e.places.dtype == np.int64 for e in found)
    np.testing.assert_array_equal(to_spikes(to_events(spikes.astype(np.float32), duration), n_steps, 6, duration), spikes)


def test_a_time_just_before_the_end_is_in_the_last_step():
    last = np.nextafter(0.3, 0)
    assert to_spikes([events([last], [0])], 3, 1, 0.3)[0, :, 0].tolist() == [0, 0, 1]


# ---- HDF5

def write_shd(path, times, units, labels, keys=None):
    """Write the layout of the Spiking Heidelberg Digits."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, lists, kind in (("times", times, np.float16), ("units", units, np.uint16)):
            data = file.create_dataset(f"spikes/{name}", (len(lists),), h5py.vlen_dtype(kind))
            for b, values in enumerate(lists):
                data[b] = np.array(values, kind)
        file["labels"] = np.array(labels, np.uint16)
        if keys:
            file["extra/keys"] = np.array(keys, "S")
    return path


def test_read_shd(tmp_path):
    path = write_shd(tmp_path / "a.h5", [[0.5, 0.25, 0.75], []], [[3, 699, 0], []], [1, 0], ["zero", "eins"])
    samples, y, classes = read_shd(path)
    assert y.tolist() == [1, 0] and y.dtype == np.int64 and classes == ("zero", "eins")
    assert samples[0].times.tolist() == [0.25, 0.5, 0.75] and samples[0].places.tolist() == [699, 3, 0] and not len(samples[1].times)
    assert to_spikes(samples, 4, 700, 1.0).sum() == 3
    assert read_shd(write_shd(tmp_path / "b.h5", [[0.5]], [[3]], [2]))[2] == ("0", "1", "2")


@pytest.mark.parametrize("change, words", [
    (lambda file: file.pop("labels"), "labels"),
    (lambda file: file.pop("spikes/units"), "units"),
    (lambda file: (file.pop("labels"), file.create_dataset("labels", data=np.zeros(3, int))), "2 lists of times, 2 of units and labels"),
    (lambda file: (file.pop("labels"), file.create_dataset("labels", data=np.zeros(2))), "dtype float64"),
    (lambda file: file["spikes/times"].__setitem__(0, np.zeros(1, np.float16)), r"\(1,\) times and \(2,\) units in sample 0"),
    (lambda file: file["spikes/times"].__setitem__(0, np.array([np.nan, 1], np.float16)), "sample 0: expected finite times, got nan")])
def test_hdf5_of_another_layout(tmp_path, change, words):
    h5py = pytest.importorskip("h5py")
    path = write_shd(tmp_path / "a.h5", [[0.5, 0.75], [0.5]], [[3, 4], [5]], [0, 1])
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(ValueError, match=words) as caught:
        read_shd(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_hdf5_that_cannot_be_read(tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    good = write_shd(tmp_path / "a.h5", [[0.5]], [[3]], [0]).read_bytes()
    for k in [*range(0, len(good), len(good) // 40), None]:
        (tmp_path / "b.h5").write_bytes(b"no HDF5" if k is None else good[:k])
        with pytest.raises(ValueError, match="expected spikes/times, spikes/units and labels in HDF5") as caught:
            read_shd(tmp_path / "b.h5")
        assert "\n" not in str(caught.value)
    write_shd(tmp_path / "c.h5", [[0.5]], [[3]], [7], ["a", "b"])
    with pytest.raises(ValueError, match="labels 0 to 1, got 7 to 7"):
        read_shd(tmp_path / "c.h5")


def test_without_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"^reading HDF5 files needs h5py: pip install h5py$"):
        read_shd(tmp_path / "a.h5")


# ---- N-MNIST

def nmnist(*rows):
    """Write events (column, row, polarity, microseconds) as five bytes each."""
    return b"".join(bytes([x, y]) + (p << 23 | t).to_bytes(3, "big") for x, y, p, t in rows)


def test_read_nmnist(tmp_path):
    path = tmp_path / "00001.bin"
    path.write_bytes(nmnist((0, 0, 0, 5), (33, 33, 1, 70_000), (3, 2, 0, 8_388_607)))
    got = read_nmnist(path)
    np.testing.assert_allclose(got.times, [5e-6, 0.07, 8.388607])
    assert got.places.tolist() == [0, 2 * 34 * 34 - 1, 71] and got.places.dtype == np.int64
    path.write_bytes(nmnist((1, 0, 0, 8_000), (0, 240, 0, 0), (2, 0, 0, 100)))          # the clock began anew
    got = read_nmnist(str(path))
    np.testing.assert_allclose(got.times, [8e-3, 8.292e-3])
    assert got.places.tolist() == [1, 2]


@pytest.mark.parametrize("data, words", [
    (b"", "events of 5 bytes, got 0 bytes"), (nmnist((1, 1, 0, 1))[:4], "got 4 bytes"),
    (nmnist((1, 1, 0, 1), (34, 0, 0, 2)), "columns and rows from 0 to 33, got 34 and 0 in event 1"),
    (nmnist((1, 1, 0, 9), (1, 0, 0, 2)), "times in order, got 2e-06 after 9e-06")])
def test_nmnist_that_cannot_be_read(tmp_path, data, words):
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=words) as caught:
        read_nmnist(path)
    assert str(caught.value).startswith(str(path))
