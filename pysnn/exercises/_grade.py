"""The marks of a class: one row a file, as a table for a teacher and as results for Gradescope."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

from . import _scan
from ._text import text

NO_ANSWER = "no answer within"       # how the note of an item begins that was stopped


class Row(NamedTuple):
    """What became of one file."""

    file: str
    marked: tuple            # a Marked for each exercise in it
    why: str                 # why nothing in it could be marked, in one line
    seconds: float
    alike: str = ""          # other files with nearly the same code

    @property
    def scores(self):
        """The score of each exercise, 0 to 1; 0 if it does not run."""
        return {m.exercise: m.marks.score if m.marks else 0.0 for m in self.marked}

    @property
    def errors(self):
        """Why something in it could not be marked, one line each; items without an answer are named, too."""
        late = [f"{m.exercise}, {i.case}: {i.note}" for m in self.marked if m.marks for i in m.marks.items if i.note.startswith(NO_ANSWER)]
        return [line for line in (self.why, *(m.why for m in self.marked), *late) if line]

    @property
    def remarks(self):
        """What somebody should look at, one line each."""
        return [f"{m.exercise}: {words}" for m in self.marked if m.marks for words in m.marks.remarks]


class Grades(NamedTuple):
    """The rows of a class."""

    rows: tuple
    weights: dict            # of the exercises; empty: all those in a file count alike
    seed: int
    left_out: tuple = ()     # files in the folders that are neither .py nor .ipynb

    def score(self, row):
        """Return the score of a file, 0 to 1: the weighted mean over its exercises."""
        scores, weights = row.scores, self.weights or dict.fromkeys(row.scores, 1.0)
        return sum(weight * scores.get(name, 0.0) for name, weight in weights.items()) / (sum(weights.values()) or 1.0)

    def csv(self):
        """Write a table: file, score in %, the score of each exercise, errors, remarks, files with nearly the same code, seconds."""
        names = list(self.weights) or list(dict.fromkeys(name for row in self.rows for name in row.scores))
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["file", "score", *names, "errors", "remarks", "alike", "seconds"])
        for row in self.rows:
            scores = [f"{100 * row.scores[name]:.1f}" if name in row.scores else "" for name in names]
            words = [_cell(x) for x in ("; ".join(row.errors), "; ".join(row.remarks), row.alike)]
            table.writerow([_cell(row.file), f"{100 * self.score(row):.1f}", *scores, *words, f"{row.seconds:.1f}"])
        return out.getvalue()

    def gradescope(self, hints):
        """Return the results of one submission as Gradescope reads them; a test is an exercise, its points are its weight.

        An exercise counts once: of several files with it the best one.
        """
        tests, weights = [], self.weights or {name: 1.0 for row in self.rows for name in row.scores}
        handed_in = dict.fromkeys(name for row in self.rows for name in row.scores)
        for name in handed_in:
            tries = [(row, m) for row in self.rows for m in row.marked if m.exercise == name]
            row, m = max(tries, key=lambda one: one[0].scores[name])
            tests.append(_test(f"{Path(row.file).name}: {name}", row.scores[name], weights.get(name, 0.0),
                               f"the best of {len(tries)} files\n" * (len(tries) > 1) + (m.marks.text(hints) if m.marks else m.why)))
        tests += [_test(Path(row.file).name, 0.0, 0.0, row.why) for row in self.rows if row.why]
        absent = "not handed in" if all(row.marked for row in self.rows) else "not found: see the file that could not be read"
        tests += [_test(name, 0.0, weight, absent) for name, weight in weights.items() if name not in handed_in]
        return {"score": sum(test["score"] for test in tests), "tests": tests}

    def to_dict(self):
        """Turn everything into a dict for JSON."""
        return {"seed": self.seed, "weights": self.weights, "left_out": list(self.left_out), "files": [
            {"file": row.file, "score": self.score(row), "errors": row.errors, "remarks": row.remarks, "alike": row.alike,
             "seconds": row.seconds, "exercises": [m.marks.to_dict() if m.marks else {"exercise": m.exercise, "error": m.why}
                                                   for m in row.marked]} for row in self.rows]}


def _test(name, score, points, output):
    return {"name": name, "score": round(score * points, 6), "max_score": points, "status": "passed" if score == 1 else "failed",
            "output": output}


def _cell(words):
    """Keep a spreadsheet from reading a text as a formula."""
    return f"'{words}" if words.startswith(("=", "+", "-", "@", "\t", "\r")) else words


def with_alike(rows, exercises):
    """Find files with nearly the same code, and those with that of the solution."""
    codes = [(str(row.file), m.exercise, m.code) for row in rows for m in row.marked]
    codes += [("the solution", name, text(name, True)) for name in dict.fromkeys(name for _, name, _ in codes)]
    found = {}
    pieces = [(file, name, _scan.pieces(code, exercises[name])) for file, name, code in codes]
    for k, (a, name, ours) in enumerate(pieces):
        for b, other, theirs in pieces[:k]:
            if name == other and a != b and _scan.alike(ours, theirs) >= _scan.ALIKE:
                found.setdefault(a, []).append(f"{b} ({name})")
                found.setdefault(b, []).append(f"{a} ({name})")
    return tuple(row._replace(alike="; ".join(found.get(row.file, ()))) for row in rows)
