"""The runs of a sweep: their means, intervals, tests and figures."""

import json
from collections import Counter
from typing import NamedTuple

import numpy as np

from ..evaluation import comparison
from ._book import said, short


class Paired(NamedTuple):
    """A paired t test: the same seeds with two settings."""

    difference: float   # mean over seeds of accuracy with a minus accuracy with b
    ci95: float         # half the 95 % interval of that mean, by Student's t
    p: float            # probability of a difference at least as large if there were none, of both signs
    n_seeds: int


class Runs:
    """The runs of a sweep. Printed, they are a table of means and intervals.

    Parameters
    ----------
    names : sequence of str
        The settings that differ.
    lines : list of dict
        One a run: settings, seed, val_accuracy (None if it failed), epochs, curve (validation accuracy by epoch), seconds, sha256 of the
        trained parameters; `pruned`, or `error` in words.
    tested : callable, optional
        (settings) -> test accuracy by seed.
    """

    def __init__(self, names, lines, tested=None):
        self.names, self.lines, self._tested = tuple(names), lines, tested

    def __len__(self):
        return len(self.lines)

    def __iter__(self):
        return iter(self.lines)

    def to_frame(self):
        """Turn them into a table of pandas.

        Returns
        -------
        pandas.DataFrame
            A row for each run, a column for each setting and each number.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError('a frame needs pandas: pip install pandas') from error
        return pandas.DataFrame([{**line["settings"], **{k: v for k, v in line.items() if k not in ("key", "settings", "curve")}}
                                 for line in self.lines])

    def table(self):
        """Put the seeds of the same settings together.

        Returns
        -------
        list of dict
            The settings; n_seeds; accuracy: the mean validation accuracy; std; ci95: half the 95 % interval of the mean over seeds,
            by Student's t (both None of one seed); seconds: mean time of training; unfinished: number of runs that were pruned or failed
            and do not count. The best are first, those with unfinished runs last.
        """
        groups = {}
        for line in self.lines:
            groups.setdefault(json.dumps(line["settings"]), []).append(line)
        rows = []
        for lines in groups.values():
            done = [line for line in lines if _is_done(line)]
            values = [line["val_accuracy"] for line in done]
            rows.append({**lines[0]["settings"], "n_seeds": len(done), "accuracy": float(np.mean(values)) if done else None,
                         **comparison.deviation(values), "seconds": float(np.mean([line["seconds"] for line in done])) if done else None,
                         "unfinished": len(lines) - len(done)})
        return sorted(rows, key=lambda row: (row["unfinished"] > 0, -row["n_seeds"], -(row["accuracy"] or 0)))

    def best(self):
        """Choose settings by validation accuracy.

        Returns
        -------
        dict
            Of those with most seeds and no run that was pruned or failed, those with the best mean: for `settings_for` of the method.

        Raises
        ------
        ValueError
            If no settings have only finished runs.
        """
        rows = self.table()
        if not rows or rows[0]["unfinished"]:
            errors = Counter(line["error"] for line in self.lines if "error" in line)
            raise ValueError("expected settings whose runs all ended, got none" + (f"; {errors.most_common(1)[0][0]}" if errors else ""))
        return {name: rows[0][name] for name in self.names}

    def paired(self, a, b):
        """Test whether two settings differ: a t test of the differences between runs with the same seed.

        Best against second best of many is no fair test: the best was chosen for its luck, too.

        Parameters
        ----------
        a, b : dict
            Values of the settings that differ.

        Returns
        -------
        Paired
            Difference, interval and p.

        Raises
        ------
        ValueError
            If the settings have not two finished seeds in common, or are not those of one point.
        """
        try:
            from scipy import stats
        except ImportError as error:
            raise ImportError('a paired test needs SciPy: pip install scipy') from error
        first, second = self._by_seed(a), self._by_seed(b)
        seeds = sorted(set(first) & set(second))
        if len(seeds) < 2:
            raise ValueError(f"expected two seeds or more that both settings have, got {len(seeds)}")
        differences = np.array([first[seed] - second[seed] for seed in seeds])
        same = np.ptp(differences) < 1e-12                           # then t is 0 / 0 or infinite
        p = float(abs(differences[0]) < 1e-12) if same else float(stats.ttest_1samp(differences, 0).pvalue)
        return Paired(float(differences.mean()), comparison.deviation(differences)["ci95"], p, len(seeds))

    def _by_seed(self, settings):
        """Return validation accuracy by seed."""
        wanted = {name: said(value) for name, value in settings.items()}
        if set(wanted) != set(self.names):
            raise ValueError(f"expected a value of each of {', '.join(self.names)}, got {short(wanted)}")
        made = {line["seed"]: line["val_accuracy"] for line in self.lines if line["settings"] == wanted and _is_done(line)}
        if not made:
            raise ValueError(f"expected settings that were tried, got {short(wanted)}")
        return made

    def plot(self, x, y=None):
        """Draw mean validation accuracy against one setting, or two.

        Parameters
        ----------
        x, y : str
            Names of settings. Runs that differ in other settings are averaged.

        Returns
        -------
        matplotlib.figure.Figure
            Points with 95 % intervals over one setting; over two a field for each pair of values.
        """
        from .. import plots
        if missing := [name for name in (x, y) if name not in (*self.names, None)]:
            raise ValueError(f"expected some of {', '.join(self.names)}, got {missing[0]!r}")
        groups = {}
        for line in filter(_is_done, self.lines):
            groups.setdefault(tuple(line["settings"][name] for name in (x, y) if name), []).append(line["val_accuracy"])
        if not groups:
            raise ValueError("expected finished runs, got none")
        points = [(*at, float(np.mean(values)), comparison.deviation(values)["ci95"] or 0.0) for at, values in groups.items()]
        return plots.settings(points, [name for name in (x, y) if name])

    def test(self, settings=None):
        """Use the test samples, once: train one choice again with each seed, to the same bits, and score it.

        Parameters
        ----------
        settings : dict, optional
            Values of the settings that differ; default: `best()`. The file remembers the result, and refuses another choice.

        Returns
        -------
        dict
            accuracy: mean over seeds; std and ci95 as in `table`; by_seed: seed -> test accuracy.
        """
        if self._tested is None:
            raise ValueError("expected the runs that pysnn.sweep returned, got some without their data")
        by_seed = self._tested(self.best() if settings is None else {name: said(value) for name, value in settings.items()})
        values = list(by_seed.values())
        return {"accuracy": float(np.mean(values)), **comparison.deviation(values), "by_seed": by_seed}

    def __str__(self):
        rows = self.table()
        cells = []
        for row in rows:
            accuracy = "-" if row["accuracy"] is None else f"{row['accuracy']:.2%}"
            interval = "" if row["ci95"] is None else f" ± {100 * row['ci95']:.2f}"
            values = (f"{row[name]:.5g}" if isinstance(row[name], float) else str(row[name]) for name in self.names)
            seconds = "-" if row["seconds"] is None else f"{row['seconds']:.1f}"
            cells.append([*values, str(row["n_seeds"]), accuracy + interval, seconds, str(row["unfinished"] or "")])
        heads = [*self.names, "seeds", "validation accuracy", "s a run", "unfinished" * any(row["unfinished"] for row in rows)]
        widths = [max(len(line[k]) for line in [heads, *cells]) for k in range(len(heads))]
        lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in [heads, *cells]]
        return "\n".join([*lines, "± : 95 % interval of the mean over seeds, by Student's t"])


def _is_done(line):
    """Tell whether a run ended by itself."""
    return not line.get("pruned") and "error" not in line
