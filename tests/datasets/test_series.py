"""The format .ts."""

import numpy as np
import pytest

from pysnn.datasets import read_ts
from pysnn.datasets.series import joined_series, parse_ts

HEAD = "#a comment\n\n@problemName Mine\n@timeStamps false\n@Dimensions 2\n@classLabel true up Down\n@data\n"
GOOD = HEAD + "1,2.5,-3e-1:4,5,6:Down\n\n7:8:up\n"


def test_read_ts(tmp_path):
    path = tmp_path / "a.ts"
    path.write_text(GOOD)
    got = read_ts(str(path))
    assert got.x.dtype == np.float32 and got.y.dtype == got.lengths.dtype == np.int64
    np.testing.assert_array_equal(got.x, np.float32([[[1, 4], [2.5, 5], [-0.3, 6]], [[7, 8], [0, 0], [0, 0]]]))
    assert got.y.tolist() == [1, 0] and got.lengths.tolist() == [3, 1] and got.classes == ("up", "Down")


def test_one_dimension_needs_no_line():
    got = parse_ts(b"@classLabel true a\r\n@data\r\n1,2:a\r\n", "f")
    assert got.x.tolist() == [[[1], [2]]]


def test_joined_to_one_length():
    long, short = parse_ts(GOOD.encode(), "f"), parse_ts((HEAD + "1,2:3,4:up\n").encode(), "f")
    x_train, _, x_test, y_test, *lengths = joined_series([long, short])
    assert x_train.shape == (2, 3, 2) and x_test.tolist() == [[[1, 3], [2, 4], [0, 0]]] and y_test.tolist() == [0]
    assert [part.tolist() for part in lengths] == [[3, 1], [2]]
    assert len(joined_series([short, short])) == 4                      # all of one length: none are given
    with pytest.raises(ValueError, match="same classes"):
        joined_series([short, short._replace(classes=("a", "b"))])


@pytest.mark.parametrize("text, words", [
    ("", "expected a .ts file with a line @data"), (HEAD, "samples after @data, got none"),
    ("x,y\n1,2\n", "line 1: expected a line that begins with # or @ before @data, got 'x,y'"),
    (HEAD.replace("true up Down", "false"), "@classLabel true"), (HEAD.replace("up Down", "up up"), "labels, each once"),
    (HEAD.replace("ons 2", "ons two"), "'two'"), (HEAD.replace("ons 2", "ons 0"), "'0'"),
    (HEAD.replace("ons 2", "ons " + "9" * 9999), "@dimensions 1 to 99999"),
    (HEAD.replace("Stamps false", "Stamps true"), "@timestamps false, got 'true'"),
    (HEAD.replace("@problemName Mine", "@missing true"), "@missing false, got 'true'"),
    (GOOD.replace(":Down", ":left"), "line 8: expected 2 lists of values and one of the labels up Down, got 2 and 'left'"),
    (GOOD.replace("4,5,6:", ""), "line 8: expected 2 lists of values and one of the labels up Down, got 1 and"),
    (GOOD.replace("5", "?"), r"line 8: expected numbers separated by commas, got '2.\?'"), (GOOD.replace("4,5,6", ""), "commas, got ''"),
    (GOOD.replace("5,6", "5"), "line 8: expected lists of one length, got 3, 2"), (GOOD.replace("8", "nan"), "line 10: expected finite"),
    (GOOD.replace("8", "1e39"), "line 10: expected finite numbers that fit float32")])
def test_ts_that_cannot_be_read(tmp_path, text, words):
    path = tmp_path / "a.ts"
    path.write_text(text)
    with pytest.raises(ValueError, match=words) as caught:
        read_ts(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_no_text_and_too_much_padding(monkeypatch):
    with pytest.raises(ValueError, match=r"f: expected a \.ts file, which is text, got other bytes"):
        parse_ts(b"\x89PNG\r\n\xff", "f")
    monkeypatch.setattr("pysnn.datasets.series.LARGEST", 11)
    with pytest.raises(ValueError, match="at most 11 numbers with the padding, got 2 samples of up to 3 steps"):
        parse_ts(GOOD.encode(), "f")
