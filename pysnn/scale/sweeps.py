"""A sweep: many runs that differ in settings and seeds alone, by a grid, at random or by Optuna, each found again after a kill."""

import concurrent.futures as futures
import contextlib
import hashlib
import itertools
import json
import math
from typing import NamedTuple

import numpy as np

from .. import _checks, _files, datasets, learning, training
from ..datasets._rows import parts_of
from . import _workers
from ._book import Book, said
from .runs import Runs

MOST_AGAIN = 100      # suggestions of what was suggested already, until no new ones are expected


class Random(NamedTuple):
    """Points drawn at random: each value of a list equally likely, each number of a range, too."""

    trials: int
    seed: int = 0


class Optuna(NamedTuple):
    """Points that Optuna suggests from the results so far; validation accuracy is the aim, and its mean over seeds.

    With pruning a run ends early if Optuna expects nothing of it from the validation accuracy of each epoch. With more than one job, or
    after a kill, suggestions depend on which run ended first; what a run gives for its settings and seed does not.
    """

    trials: int
    seed: int = 0
    pruning: bool = True
    study: object = None     # an optuna.Study of your own that maximises, with its sampler and pruner; default: TPE, median


def sweep(method, data, settings, seeds=3, jobs=1, out=None, search=None):
    """Train a method with many settings and seeds. Called again after a kill, it does only the runs that are missing.

    Parameters
    ----------
    method : str or pysnn.learning.Method
        As in `pysnn.training.start`.
    data : str or pysnn.datasets.Dataset
        Name of a data set, or data. One with the name of ours has also the settings that we chose for it.
    settings : dict
        By name: a value; a list of values to try; or a range to draw from, (low, high) or (low, high, "log"), of whole numbers if both are.
        `preset`, and `val`, the number of validation samples, may be among them. Functions of your own: in a file, FILE.py:NAME or
        as objects; lambdas have no name by which a run could be found again.
    seeds : int or sequence of int
        How many, from 0 on, or which.
    jobs : int or str or distributed.Client
        How many processes of joblib; or the address of a Dask scheduler, or a client of one. A run has the same bits for all of them, those
        of `pysnn train`. A process has one thread; with one job all runs are in this process, with all its threads.
    out : str or Path, optional
        File with one JSON line a finished run; default: runs/sweep-METHOD-DATA.jsonl.
    search : Random or Optuna, optional
        Default: the grid of all values in lists.

    Returns
    -------
    Runs
        All runs of this call, also those that were in the file.

    Raises
    ------
    ValueError
        If settings mean nothing, the file is of another sweep or version, no cluster answers, or no run ended well.
    RuntimeError
        If a process was killed, or the scheduler of a cluster; what was finished is kept.
    """
    plan = _Plan(method, data, settings, seeds)
    if not hasattr(jobs, "get_executor") and not isinstance(jobs, str):
        jobs = _checks.whole(jobs, "jobs", 1)
    points, out = _points(plan, search), out or f"runs/sweep-{plan.method}-{plan.data.name}.jsonl".replace(".py:", ".")
    with _files.locked(out), _bar(len(plan.seeds) * (search.trials if points is None else len(points))) as count:
        book, done = Book(out, plan.header), {}

        def finished(line):
            done[line["key"]] = line
            count()

        if points is None:
            _drive(_suggested(plan, book, search, finished), plan.parts, jobs)
        else:
            _drive((_single(plan, book, at, finished) for at in itertools.product(points, plan.seeds)), plan.parts, jobs)
    if all("error" in line for line in done.values()):
        raise ValueError(f"no run ended well: {next(iter(done.values()))['error']}")
    return Runs(plan.names, list(done.values()), lambda chosen: _tested(plan, out, chosen, jobs))


@contextlib.contextmanager
def _bar(total):
    """Lend a function that counts runs: on a terminal, where tqdm is installed, it moves a bar."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda: None
        return
    with tqdm(total=total, unit="run", disable=None, leave=False) as bar:
        yield bar.update


class _Plan:
    """What is to be tried, checked before any run."""

    def __init__(self, method, data, settings, seeds):
        self.rule = learning.get(method)
        self.method = self.rule.name if learning.METHODS.get(self.rule.name) is self.rule else _files.reference(self.rule)
        self.data = datasets.load(data) if isinstance(data, str) else data
        if not isinstance(self.data, datasets.Dataset):
            raise ValueError(f"data: expected a name or a pysnn.datasets.Dataset, got {_checks.describe(data)}")
        if self.data.regression:
            raise ValueError(f"data: expected labels, by whose accuracy a sweep chooses, got targets of regression in {self.data.name}")
        if not isinstance(settings, dict):
            raise ValueError(f"settings: expected a dict of names and values, got {_checks.describe(settings)}")
        seeds = range(_checks.whole(seeds, "seeds", 1)) if not isinstance(seeds, (list, tuple, range)) else seeds
        self.seeds = [_checks.whole(seed, "seeds", 0) for seed in seeds]
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: expected at least one, none twice, got {self.seeds}")
        self.fixed = {name: value for name, value in settings.items() if not isinstance(value, (list, tuple))}
        self.tried = {name: value for name, value in settings.items() if name not in self.fixed}
        self.names = tuple(self.tried)
        if "val" in self.tried:
            raise ValueError("val: expected one number of validation samples for all runs, got several")
        for name, values in self.tried.items():
            _check_values(name, values)
        first = {name: values[0] for name, values in self.tried.items()}
        for name, values in self.tried.items():
            for value in values[:2] if isinstance(values, tuple) else values:
                self.settings(first | {name: value})
        self.settings(first)
        train, validation = datasets.held_out(self.data, self.fixed.get("val"))
        if validation is None:
            raise ValueError(f"{self.data.name}: expected validation samples to choose by, got none; give val=N")
        self.parts = train, validation, self.data.test
        self.digest = _files.fingerprint(*(array for part in self.parts for some in part for array in parts_of(some)))
        base = {name: said(value) for name, value in self.fixed.items() if name != "val"}
        self.header = {"method": self.method, "data": self.data.name, "digest": self.digest, "fixed": base, "tried": sorted(self.names),
                       "versions": _workers.versions()}

    def settings(self, point):
        """Return the settings of a point, checked."""
        chosen = {name: value for name, value in {**self.fixed, **point}.items() if name != "val"}
        made = self.rule.settings_for(self.data.name if self.data.name in datasets.NAMES else self.data, **chosen)
        training.check_fit(made.model, self.data, made.own_encoding, made.time_axis)
        if made.epochs < 1:
            raise ValueError(f"epochs: expected at least 1, got {made.epochs}")
        return made

    def job(self, point, seed):
        """Return a run."""
        settings = self.settings(point)
        what = {"method": self.method, "settings": settings.plain() | {"model": settings.model.to_json()}, "seed": seed}
        known = json.dumps([what, _files.named(what), self.digest], sort_keys=True)
        return _workers.Job(hashlib.sha256(known.encode()).hexdigest(), **what, files=_files.sources(what), versions=_workers.versions())

    def line(self, point, job, result):
        """Return what the file keeps of a run."""
        settings = {name: said(value) for name, value in point.items()}
        return {"key": job.key, "settings": settings, "seed": job.seed, **({"val_accuracy": None} if "error" in result else {}), **result}


def _check_values(name, values):
    """Refuse a list or a range that is none."""
    if isinstance(values, list):
        if not values or any(a == b for a, b in itertools.combinations(map(said, values), 2)):
            raise ValueError(f"{name}: expected a list of values that differ, got {_checks.describe(values)}")
        return
    numbers = [x for x in values[:2] if isinstance(x, (int, float)) and not isinstance(x, bool)]
    if len(numbers) < 2 or not numbers[0] < numbers[1] or values[2:] not in ((), ("log",)) or (values[2:] and numbers[0] <= 0):
        raise ValueError(f'{name}: expected a range (low, high) or, of positive numbers, (low, high, "log"), got {values!r:.80}')


def _points(plan, search):
    """Return the points of a grid, or random ones; None if Optuna suggests them one by one."""
    if search is None:
        if ranges := [name for name, values in plan.tried.items() if isinstance(values, tuple)]:
            raise ValueError(f"{ranges[0]}: expected a list of values for a grid, got a range; give search=Random(n) or Optuna(n)")
        return [dict(zip(plan.tried, values, strict=True)) for values in itertools.product(*plan.tried.values())]
    if not isinstance(search, (Random, Optuna)):
        raise ValueError(f"search: expected None, Random(n) or Optuna(n), got {search!r:.80}")
    n, rng = _checks.whole(search.trials, "trials", 1), np.random.default_rng(_checks.whole(search.seed, "seed", 0))
    if not plan.tried:
        raise ValueError("settings: expected a list of values or a range of one at least, got none")
    return [{name: _drawn(values, rng) for name, values in plan.tried.items()} for _ in range(n)] if isinstance(search, Random) else None


def _whole(values):
    """Tell whether a range is one of whole numbers."""
    return isinstance(values[0], int) and isinstance(values[1], int)


def _drawn(values, rng):
    """Draw from a list or a range."""
    if isinstance(values, list):
        return values[rng.integers(len(values))]
    low, high = values[:2]
    whole = _whole(values)
    low, high = (low - 0.5, high + 0.5) if whole else (low, high)
    x = math.exp(rng.uniform(math.log(low), math.log(high))) if values[2:] else rng.uniform(low, high)
    return min(max(round(x), values[0]), values[1]) if whole else x


def _drive(rows, parts, jobs):
    """Do rows of jobs, each row a generator that yields a job and receives its result, as many rows at once as there are processes."""
    rows, going = iter(rows), {}

    def go_on(row, result=None):
        with contextlib.suppress(StopIteration):
            going[pool.submit(row.send(result))] = row

    with _workers.lent(jobs, parts) as pool:
        more = True
        while True:
            while more and len(going) < pool.n:
                more = (row := next(rows, None)) is not None
                if more:
                    go_on(row)
            if not going:
                break
            finished, _ = futures.wait(going, _workers.PATIENCE, return_when=futures.FIRST_COMPLETED)
            if not finished:
                pool.check()
            for future in sorted(finished, key=lambda future: future.cancelled() or future.exception() is not None):
                go_on(going.pop(future), _workers.result(future))
        if more:
            raise RuntimeError(_workers.GONE)


def _single(plan, book, at, finished):
    """Do one run, if it is not in the file."""
    job = plan.job(*at)
    finished(book.found(job.key) or book.add(plan.line(at[0], job, (yield job))))


def _suggested(plan, book, search, finished):
    """Yield the trials of Optuna, at different points; those in the file come first, and it is told of them."""
    try:
        import optuna
    except ImportError as error:
        raise ImportError('Optuna(n) needs optuna: pip install optuna') from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = search.study or optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=search.seed),
        pruner=optuna.pruners.MedianPruner() if search.pruning else optuna.pruners.NopPruner())
    if study.direction != optuna.study.StudyDirection.MAXIMIZE:
        raise ValueError(f"study: expected one that maximises, got one that does not ({study.direction.name})")
    space, values = {}, {}
    for name, given in plan.tried.items():
        kind = optuna.distributions.IntDistribution if _whole(given) else optuna.distributions.FloatDistribution
        values[name] = None if isinstance(given, tuple) else {said(value): value for value in given}
        space[name] = (optuna.distributions.CategoricalDistribution(list(values[name])) if values[name]
                       else kind(*given[:2], log=len(given) > 2))
    for there in {json.dumps(line["settings"]): line["settings"] for line in book.lines}.values():
        if all(value in values[name] if values[name] else plan.tried[name][0] <= value <= plan.tried[name][1]
               for name, value in there.items()):
            study.enqueue_trial(there)
    state, seen, again = optuna.trial.TrialState, set(), 0
    while len(seen) < search.trials and again < MOST_AGAIN:
        trial = study.ask(space)
        text, again = json.dumps(trial.params, sort_keys=True), again + 1
        if text in seen:
            study.tell(trial, state=state.FAIL)
            continue
        seen.add(text)
        again = 0
        yield _trial(plan, book, (study, trial, state, search.pruning),
                     {name: values[name][value] if values[name] else value for name, value in trial.params.items()}, finished)


def _trial(plan, book, asked, point, finished):
    """Do the seeds of a trial one after the other, epoch by epoch where it may be pruned; tell Optuna."""
    (study, trial, states, pruning), accuracy, step = asked, [], 0
    for seed in plan.seeds:
        job = plan.job(point, seed)._replace(epochs=1 if pruning else None)
        line = book.found(job.key, pruning)
        for k, value in enumerate((line or {}).get("curve", ()), 1):
            trial.report(value, step + k)
        while line is None:
            result = yield job
            state = result.pop("state", None)
            if "error" not in result:
                trial.report(result["val_accuracy"], step + result["epochs"])
            if state and trial.should_prune():
                result |= {"pruned": True}
            job = job._replace(state=state)
            if not state or "pruned" in result:
                line = book.add(plan.line(point, job, result))
        finished(line)
        if "error" in line or "pruned" in line:
            study.tell(trial, state=states.FAIL if "error" in line else states.PRUNED)
            return
        accuracy.append(line["val_accuracy"])
        step += line["epochs"]
    study.tell(trial, float(np.mean(accuracy)))


def _tested(plan, out, chosen, jobs):
    """Train a choice again with all seeds, compare the bits, and score it on the test samples, once."""
    point = {name: next((value for value in plan.tried[name] if said(value) == chosen.get(name)), chosen.get(name)) for name in plan.names}
    wanted = {name: said(value) for name, value in point.items()}
    with _files.locked(out):
        book, by_seed = Book(out, plan.header), {}
        if other := [line["settings"] for line in book.lines if "test_accuracy" in line and line["settings"] != wanted]:
            raise ValueError(f"the test samples are used once, and were for {other[0]}: expected that choice, got {wanted}")

        def one(seed):
            job = plan.job(point, seed)._replace(test=True)
            line = book.found(job.key, test=True)
            if line is None:
                line = plan.line(point, job, (yield job))
                before = book.found(job.key)
                if before and before.get("sha256") != line.get("sha256"):
                    raise RuntimeError(f"seed {seed}: expected the same bits as before, got others; another processor, or other versions?")
                line = book.add(line)
            by_seed[seed] = line["test_accuracy"]

        _drive(map(one, plan.seeds), plan.parts, jobs)
    return dict(sorted(by_seed.items()))
