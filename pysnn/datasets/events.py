"""Lists of events, a time and a place each, and spike trains made of them and back; files of events that a user may have."""

import pathlib
from typing import NamedTuple

import numpy as np

from .. import _checks

NMNIST_SIDE = 34            # pixels
NMNIST_EVENT = 5            # bytes
NMNIST_OVERFLOW = 240       # a row that stands for no event: the clock began anew
NMNIST_CLOCK = 1 << 13      # microseconds that are then to be added


class Events(NamedTuple):
    """The events of one sample."""

    times: np.ndarray   # float64 (E,), not falling, in seconds or any other unit
    places: np.ndarray  # int64 (E,), which input each belongs to, from 0


def to_spikes(samples, n_steps, n_places, duration):
    """Turn events into spike trains: time step k holds the times from k duration / n_steps on.

    Parameters
    ----------
    samples : list of Events
        The events of each sample; a sample may have none.
    n_steps : int
        Time steps T.
    n_places : int
        Places n.
    duration : float
        The time of T steps, in the unit of the events.

    Returns
    -------
    numpy.ndarray
        uint8 (N, T, n), 1 a spike; several events of one place in one step are one spike.

    Raises
    ------
    TypeError, ValueError
        If there is no sample, times fall, or a time is not in [0, duration) or a place not in 0 ... n - 1; the message names the sample.
    """
    n_steps, n_places = _checks.whole(n_steps, "n_steps", 1), _checks.whole(n_places, "n_places", 1)
    duration = _checks.positive(duration, "duration")
    if not len(samples):
        raise ValueError("samples: expected at least one, got none")
    spikes = np.zeros((len(samples), n_steps, n_places), np.uint8)
    for b, sample in enumerate(samples):
        times, places = _checked(sample, f"sample {b}")
        for name, values, end in (("times", times, duration), ("places", places, n_places)):
            if len(bad := values[~((values >= 0) & (values < end))]):
                raise ValueError(f"sample {b}: expected {name} from 0 to below {end:g}, got {bad[0]:g}")
        spikes[b, np.minimum((times / duration * n_steps).astype(np.int64), n_steps - 1), places] = 1
    return spikes


def to_events(spikes, duration):
    """Turn spike trains into events; `to_spikes` turns them back into the same spike trains.

    Parameters
    ----------
    spikes : numpy.ndarray
        (N, T, n), 1 a spike and 0 none.
    duration : float
        The time of T steps.

    Returns
    -------
    list of Events
        One entry for each sample; an event has the time of the middle of its step.

    Raises
    ------
    TypeError, ValueError
        If spikes are no such array, or other numbers than 0 and 1.
    """
    spikes, duration = check_spikes(spikes, "spikes"), _checks.positive(duration, "duration")
    found = [np.nonzero(sample) for sample in spikes]
    return [Events((steps + 0.5) * (duration / spikes.shape[1]), places.astype(np.int64)) for steps, places in found]


def check_spikes(spikes, name):
    """Pass spike trains through, (N, T, n) with 0 and 1 alone.

    Parameters
    ----------
    spikes : numpy.ndarray
        The spike trains.
    name : str
        What to call them in a message.

    Returns
    -------
    numpy.ndarray
        The same array.

    Raises
    ------
    TypeError, ValueError
        If they are no array, of another number of dimensions, empty, or hold other numbers than 0 and 1.
    """
    if not isinstance(spikes, np.ndarray) or spikes.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected an array of spikes, got {_checks.describe(spikes)}")
    if spikes.ndim != 3 or not spikes.size:
        raise ValueError(f"{name}: expected shape (N, T, n), each at least 1, got {_checks.describe(spikes)}")
    if (bad := (spikes != 0) & (spikes != 1)).any():
        raise ValueError(f"{name}: expected 0 and 1 alone, got {spikes[bad][0]} {_checks.place(bad)}")
    return spikes


def read_shd(path):
    """Read events from an HDF5 file in the layout of the Spiking Heidelberg Digits; needs h5py.

    The file holds `spikes/times` (seconds) and `spikes/units`, a list for each sample, and `labels`; `extra/keys`, if there, names the
    classes. Within a sample the events are sorted by time. Take the file from where you trust: if its bytes were altered, the library
    behind h5py can hang or crash.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    samples : list of Events
        Times in seconds; places are the units, in the published files 0 to 699.
    y : numpy.ndarray
        int64 (N,), the labels.
    classes : tuple of str
        Names, or the numbers 0 to the largest label.

    Raises
    ------
    ImportError
        If h5py is not installed.
    ValueError
        If the file is not HDF5, is damaged, or is laid out in another way.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError("reading HDF5 files needs h5py: pip install h5py") from error
    try:
        with h5py.File(path, "r") as file:
            times, units, y = file["spikes/times"][:], file["spikes/units"][:], np.asarray(file["labels"][:])
            classes = tuple(key.decode() for key in file["extra/keys"][:]) if "extra/keys" in file else None
        if not len(times) == len(units) == len(y) or y.dtype.kind not in "iu" or y.ndim != 1 or not len(y):
            raise ValueError(f"{len(times)} lists of times, {len(units)} of units and labels of shape {y.shape} and dtype {y.dtype}")
        if classes and not "".join(classes).isprintable():
            raise ValueError(f"names of classes that cannot be printed, {classes[:4]!r:.80}")
        samples = [_sorted(*pair, b) for b, pair in enumerate(zip(times, units, strict=True))]
    except Exception as error:      # h5py: a damaged file can fail anywhere
        said = " ".join(str(error).split())
        raise ValueError(f"{path}: expected spikes/times, spikes/units and labels in HDF5, got {said:.200}") from error
    classes = tuple(map(str, range(int(y.max()) + 1))) if classes is None else classes
    return samples, _checks.labels(y.astype(np.int64), f"{path}: labels", len(y), len(classes)), classes


def read_nmnist(path):
    """Read the events of one sample from a binary file of N-MNIST.

    An event has five bytes: column, row, polarity (the highest bit) and time in microseconds (23 bits). An event of row 240 is
    none: from there on 8,192 microseconds are added to all times.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    Events
        Times in seconds; place = column + 34 row + 34 * 34 polarity, where polarity 1 means brighter: 2,312 places.

    Raises
    ------
    ValueError
        If the file is empty or not a whole number of events, or an event is out of order or outside the 34 x 34 pixels.
    """
    path = pathlib.Path(path)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    if not data.size or data.size % NMNIST_EVENT:
        raise ValueError(f"{path}: expected events of {NMNIST_EVENT} bytes, got {data.size} bytes")
    columns, rows, *rest = data.reshape(-1, NMNIST_EVENT).T.astype(np.int64)
    overflow = rows == NMNIST_OVERFLOW
    times = ((rest[0] & 127) << 16) + (rest[1] << 8) + rest[2] + NMNIST_CLOCK * np.cumsum(overflow)
    if len(bad := np.flatnonzero(~overflow & ((columns >= NMNIST_SIDE) | (rows >= NMNIST_SIDE)))):
        raise ValueError(f"{path}: expected columns and rows from 0 to {NMNIST_SIDE - 1}, got {columns[bad[0]]} and {rows[bad[0]]} in "
                         f"event {bad[0]}")
    places = columns + NMNIST_SIDE * rows + NMNIST_SIDE ** 2 * (rest[0] >> 7)
    return _checked(Events(times[~overflow] * 1e-6, places[~overflow]), str(path))


def _checked(events, name):
    """Pass the events of one sample through as float64 and int64, in order."""
    if not isinstance(events, Events):
        raise TypeError(f"{name}: expected Events, got {_checks.describe(events)}")
    times, places = map(np.asarray, events)
    if times.ndim != 1 or times.shape != places.shape or times.dtype.kind not in "fiu" or (places.dtype.kind not in "iu" and len(places)):
        raise TypeError(f"{name}: expected a time and a whole number as place for each event, got {_checks.describe(times)} and "
                        f"{_checks.describe(places)}")
    times = times.astype(np.float64)
    if not np.isfinite(times).all():
        raise ValueError(f"{name}: expected finite times, got {times[~np.isfinite(times)][0]}")
    if len(late := np.flatnonzero(np.diff(times) < 0)):
        raise ValueError(f"{name}: expected times in order, got {times[late[0] + 1]:g} after {times[late[0]]:g}")
    return Events(times, places.astype(np.int64))


def _sorted(times, places, b):
    """Put the events of one sample in order."""
    times, places = np.asarray(times, np.float64), np.asarray(places)
    if times.shape != places.shape or times.ndim != 1:
        raise ValueError(f"{times.shape} times and {places.shape} units in sample {b}")
    order = np.argsort(times, kind="stable")
    return _checked(Events(times[order], places[order]), f"sample {b}")
