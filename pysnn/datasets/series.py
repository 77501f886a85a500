"""Sequences of numbers with labels: the text format .ts of the UEA and UCR archives of time series.

Lines that begin with # are comments and those that begin with @ the header, which ends with @data. Then each line is a
sample: its values over time separated by commas, one such list for each dimension, and the label last, all separated by
colons. Read here are equally spaced series without gaps, of one length or of several, with labels.
"""

import pathlib
from typing import NamedTuple

import numpy as np

LARGEST = 1 << 28  # numbers, padding included


class Series(NamedTuple):
    """What one .ts file holds; `x` and `lengths` as in `pysnn.datasets.Dataset`, with an entry of `lengths` for each sample."""

    x: np.ndarray        # float32 (N, T, n)
    y: np.ndarray        # int64 (N,)
    lengths: np.ndarray  # int64 (N,)
    classes: tuple       # the labels as they stand in the file


def read_ts(path):
    """Read labelled time series from a .ts file.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    Series
        Samples padded with zeros to the longest, labels, lengths, classes.

    Raises
    ------
    ValueError
        If the file is not .ts, has gaps, time stamps or no labels, or a line does not fit the header; the message names the line.
    """
    path = pathlib.Path(path)
    return parse_ts(path.read_bytes(), path)


def parse_ts(data, path):
    """Turn the content of a .ts file into arrays.

    Parameters
    ----------
    data : bytes
        The content.
    path : str or pathlib.Path
        What to call it in a message.

    Returns
    -------
    Series
        As `read_ts`, which also says what is refused.
    """
    try:
        lines = bytes(data).decode().splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected a .ts file, which is text, got other bytes ({error.reason} at {error.start})") from error
    header, first = _header(lines, path)
    dims = header.get("dimensions", "1")
    _, *classes = header.get("classlabel", "false").split() or ["false"]
    for key, good in (("timestamps", "false"), ("missing", "false")):
        if header.get(key, good).lower() != good:
            raise ValueError(f"{path}: expected @{key} {good}, got {header[key][:40]!r}")
    wrong = not classes or len(set(classes)) < len(classes) or not "".join(classes).isprintable()
    if wrong or not dims.isdecimal() or len(dims) > 5 or int(dims) < 1:
        raise ValueError(f"{path}: expected a header with @classLabel true and labels, each once, and @dimensions 1 to 99999, got "
                         f"{header.get('classlabel', 'no labels')[:40]!r} and {dims[:40]!r}")
    samples = [_sample(line, int(dims), classes, f"{path}, line {k}") for k, line in enumerate(lines[first:], first + 1) if line.strip()]
    if not samples:
        raise ValueError(f"{path}: expected samples after @data, got none")
    lengths = np.array([values.shape[1] for values, _ in samples], np.int64)
    if len(samples) * int(lengths.max()) * int(dims) > LARGEST:
        raise ValueError(f"{path}: expected at most {LARGEST:,} numbers with the padding, got {len(samples):,} samples of up to "
                         f"{lengths.max():,} steps")
    x = np.zeros((len(samples), lengths.max(), samples[0][0].shape[0]), np.float32)
    for b, (values, _) in enumerate(samples):
        x[b, :lengths[b]] = values.T
    return Series(x, np.array([label for _, label in samples], np.int64), lengths, tuple(classes))


def joined_series(parts):
    """Join the training and test file of a set, padded to one length.

    Parameters
    ----------
    parts : list of Series
        The two files.

    Returns
    -------
    tuple of numpy.ndarray
        x_train, y_train, x_test, y_test; and lengths_train, lengths_test if the lengths differ.
    """
    train, test = parts
    if train.classes != test.classes or train.x.shape[2] != test.x.shape[2]:
        raise ValueError("expected a training and a test file of the same classes and dimensions")
    n_steps = max(train.x.shape[1], test.x.shape[1])
    padded = [np.pad(part.x, ((0, 0), (0, n_steps - part.x.shape[1]), (0, 0))) for part in parts]
    lengths = () if min(part.lengths.min() for part in parts) == n_steps else (train.lengths, test.lengths)
    return padded[0], train.y, padded[1], test.y, *lengths


def _header(lines, path):
    """Read the lines before the data; give what they say, keys in small letters, and the number of the first line of data."""
    header = {}
    for k, line in enumerate(lines):
        key, _, value = line.strip().partition(" ")
        if key.lower() == "@data":
            return header, k + 1
        if key.startswith("@"):
            header[key[1:].lower()] = value.strip()
        elif key and not key.startswith("#"):
            raise ValueError(f"{path}, line {k + 1}: expected a line that begins with # or @ before @data, got {line.strip()[:40]!r}")
    raise ValueError(f"{path}: expected a .ts file with a line @data, got none")


def _sample(line, n_dims, classes, place):
    """Read one line: values (n, T) and the index of the label."""
    *series, label = line.strip().split(":")
    if len(series) != n_dims or label.strip() not in classes:
        raise ValueError(f"{place}: expected {n_dims} lists of values and one of the labels {' '.join(classes):.80}, got {len(series)} and "
                         f"{label.strip()[:40]!r}")
    try:
        values = [np.array(text.split(","), np.float64) for text in series]
    except ValueError as error:
        raise ValueError(f"{place}: expected numbers separated by commas, got {_first_bad(series)[:40]!r}") from error
    if len({len(v) for v in values}) > 1:
        raise ValueError(f"{place}: expected lists of one length, got {', '.join(str(len(v)) for v in values):.80}")
    if not (np.abs(np.stack(values)) <= np.finfo(np.float32).max).all():
        raise ValueError(f"{place}: expected finite numbers that fit float32, no gaps, got others")
    return np.stack(values), classes.index(label.strip())


def _first_bad(series):
    """Find the first text that is no number."""
    for text in ",".join(series).split(","):
        try:
            float(text)
        except ValueError:
            return text
    return series[0]
