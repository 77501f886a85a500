"""The file of a sweep: a header, and one JSON line for each finished run."""

import errno
import json
import os
import warnings
from pathlib import Path

from .. import _files, models

FORMAT = {"format": "pysnn-sweep", "version": 1}
START = b'{"format": "pysnn-sweep"'


def said(value):
    """Say a value of a setting in what JSON can hold."""
    if isinstance(value, str):
        return _files.short(value)
    return str(value) if isinstance(value, models.Model) else _files.reference(value) if callable(value) else value


class Book:
    """What the file holds, and the file. A last line that a kill has torn is taken away, so that its run is done again."""

    def __init__(self, path, header):
        """Open it, or begin it; refuse one of another sweep or version."""
        self.path, header = Path(path), FORMAT | header
        _files.no_file_above(path)
        if not _files.writable(path):
            raise ValueError(f"{path}: expected a file that can be written")
        start = self.path.read_bytes()[:len(START)] if self.path.is_file() else b""
        if start == START and b"\n" not in self.path.read_bytes():               # killed while it began
            os.truncate(self.path, 0)
            start = b""
        if start:
            head, *self.lines = self._read()
            if differ := [f"{name} {short(head.get(name))} there, {short(header[name])} here" for name in header
                          if head.get(name) != header[name]]:
                raise ValueError(f"{path}: is of another sweep ({'; '.join(differ)}); give the same, or another file")
        else:
            self.lines = []
            self._append(header)
        self._by_key = {(line["key"], "test_accuracy" in line): line for line in self.lines}

    def _read(self):
        """Read the lines, the header first."""
        data = self.path.read_bytes()
        whole, _, torn = data.rpartition(b"\n")
        made = []
        for k, line in enumerate(whole.split(b"\n"), 1):
            try:
                made.append(json.loads(line))
            except ValueError:
                made.append(None)
            good = isinstance(made[-1], dict) and (made[-1].get("format") == FORMAT["format"] if k == 1 else "key" in made[-1])
            if not good:
                what = "the runs of a sweep, got a file of another kind" if k == 1 else f"a run in line {k}, got {line[:40]!r}"
                raise ValueError(f"{self.path}: expected {what}, which stays as it is")
        if torn:
            warnings.warn(f"{self.path}: the last line is not whole; its run is done again", stacklevel=6)
            os.truncate(self.path, len(whole) + 1)
        return made

    def _append(self, line):
        """Write a line and see it to the disk; where there is no room, leave nothing of it."""
        size = self.path.stat().st_size if self.path.is_file() else 0
        try:
            with open(self.path, "ab", buffering=0) as file:
                text = (json.dumps(line) + "\n").encode()
                if file.write(text) < len(text):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
        except OSError as error:
            if self.path.is_file():
                os.truncate(self.path, size)
            error.filename = str(self.path)
            raise

    def found(self, key, pruned=False, test=False):
        """Return the line of a run, or None; also of one that was pruned, or only of one with the test samples."""
        line = self._by_key.get((key, test))
        return None if line is None or ("pruned" in line and not pruned) else line

    def add(self, line):
        """Keep a finished run."""
        self._append(line)
        self.lines.append(line)
        self._by_key[line["key"], "test_accuracy" in line] = line
        return line


def short(value):
    """Say a value in at most 60 characters."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
