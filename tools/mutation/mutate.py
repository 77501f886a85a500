"""Mutation testing: do the tests notice small wrong changes in the passes, the losses and the learning rules?

Run: python -m tools.mutation.mutate [--n 600] [--seed 0] [--jobs 2] [--only FILE] [--again] [--report]
A sample of all changes that mutants.py can make is drawn; a smaller --n is the beginning of a larger one. Numba's compiler is
off. Each mutant lives in memory alone: a process with NumPy and pytest loaded forks, the child imports the changed source under the
module's name and runs the tests until one fails. First each test runs once on the right source, which tells how long it takes and which
functions it calls; a mutant then meets only the tests that call its function, those first that have noticed most, then the quick ones.
Results go to runs/mutate.jsonl, and a run that was stopped goes on where it was; --again tries survivors once more, --report writes
docs/results/mutation.json. Why no ready tool: mutmut 3.8 leaves decorated functions alone, and all kernels are; cosmic-ray 8.7 changes the
files on disk and starts Python anew for each mutant; neither draws a sample.
"""

import argparse
import collections
import functools
import hashlib
import importlib
import json
import math
import os
import random
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from . import equivalent, forks, mutants

ROOT = Path(__file__).parents[2]
RESULTS, BASELINE = "runs/mutate.jsonl", "runs/mutate-tests.json"
FOLDERS = ("pysnn/reference", "pysnn/kernels", "pysnn/losses.py", "pysnn/learning")
TESTS = ("tests/ops/test_losses.py", "tests/ops/test_relu.py", "tests/ops/test_integrate_fire.py", "tests/ops/test_temporal_gradients.py",
         "tests/ops/test_temporal.py", "tests/ops/test_spiking.py", "tests/ops/test_small_blocks.py", "tests/learning/test_learning.py",
         "tests/learning/test_training.py", "tests/learning/test_edges.py", "tests/learning/test_models.py", "tests/verify/test_verify.py",
         "tests/evaluation/test_diagnostics.py", "tests/test_bad_input.py")
LOADED = ("numpy", "numba", "scipy.special", "threadpoolctl")      # before forking; nothing of pysnn
BUDGET = 20.0    # seconds of tests a mutant meets at most
PATIENCE = 5     # seconds of processor time a mutant has beyond four times its tests' time
FIRST = 6       # tests a mutant meets at first: most meet their end there, without the import of all test files


# ---- what tests do on the right source

def on_right_source(files, watch, jobs):
    """Run test files where nothing is changed; yield (file, answer, seconds)."""
    todo = collections.deque((file, lambda file=file: (None, [file], watch(), 3600)) for file in files)
    for file, answer, _, seconds in forks.pool(ROOT, todo, jobs):
        yield file, answer, seconds


def digest(*files):
    """Return a number that changes with the files."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def sources():
    """List the files that are mutated."""
    return sorted(str(f.relative_to(ROOT)) for name in FOLDERS for f in expanded(name, "*.py"))


def expanded(name, pattern):
    """List a file, or the files of a folder."""
    return [ROOT / name] if name.endswith(".py") else sorted((ROOT / name).glob(pattern))


def baseline(jobs):
    """Return for each usable test its seconds and the functions it calls; files that did not change are not run again."""
    path, files = ROOT / BASELINE, [str(f.relative_to(ROOT)) for name in TESTS for f in expanded(name, "test_*.py")]
    known = json.loads(path.read_text()) if path.is_file() else {}
    shared = [*(ROOT / f for f in sources()), *sorted(ROOT.glob("tests/conftest.py")), *sorted(ROOT.glob("tests/cases/*.py"))]
    now = {name: digest(ROOT / name, *shared) for name in files}
    modules = tuple(str(ROOT / f) for f in FOLDERS)
    new = [name for name in files if known.get(name, {}).get("digest") != now[name]]
    for name, answer, seconds in on_right_source(new, lambda: forks.Watch(calls=modules), jobs):
        always = answer["importing"]                            # what an import calls, each test of the file needs
        seen = {test: {"seconds": round(one["seconds"], 4),
                       "calls": sorted({f"{os.path.relpath(f, ROOT)}:{q}" for f, q in one["calls"] + always})}
                for test, one in answer["seen"].items() if one["ok"]}
        if not seen:
            raise SystemExit(f"{name}: expected tests that pass on the right source with NUMBA_DISABLE_JIT=1, got none")
        known[name] = {"digest": now[name], "left_out": sorted(set(answer["seen"]) - set(seen)), "tests": seen}
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(known))
        print(f"{name}: {len(seen)} of {len(answer['seen'])} tests are usable, {seconds:.0f} s", flush=True)
    return {test: one for name in files for test, one in known[name]["tests"].items()}


def callers(tests):
    """Return the tests that call a function, by its file and name; under a file's name alone those that call anything in it."""
    by_name = {}
    for test, one in tests.items():
        for name in {*one["calls"], *(call.split(":")[0] + ":" for call in one["calls"])}:
            by_name.setdefault(name, []).append(test)
    return by_name


def chosen(mutant, tests, by_name, kills):
    """Return the tests that a mutant meets, in order."""
    names = {f"{mutant.file}:{mutant.function}", f"{mutant.file}:{mutant.function.split('.<locals>')[0]}"}
    met = sorted({test for name in names for test in by_name.get(name, ())},
                 key=lambda t: (-kills.get(t, 0) / (0.1 + tests[t]["seconds"]), tests[t]["seconds"], t))
    total, kept = 0.0, []
    for test in met:
        total += tests[test]["seconds"]
        if total <= BUDGET:
            kept.append(test)
    return kept


# ---- the run

def sample(n, seed, only=None):
    """Draw n mutants of all; the first ones of a larger n are those of a smaller one."""
    every = [m for file in sources() for m in mutants.all_of((ROOT / file).read_text(), file)]
    random.Random(seed).shuffle(every)
    return [m for m in every[:n] if only in (None, m.file)], len(every)


@functools.cache
def key(mutant):
    """Name a mutant as long as its file is the same."""
    return f"{digest(ROOT / mutant.file)}:{mutant.file}:{mutant.line}:{mutant.column}:{mutant.old} -> {mutant.new}"


def known(first=False):
    """Read what is known of mutants; the last word counts, or the first."""
    path = ROOT / RESULTS
    lines = path.read_text().splitlines() if path.is_file() else []
    return {one["key"]: one for one in map(json.loads, reversed(lines) if first else lines)}


def run(wanted, tests, jobs):
    """Try mutants, some at a time, and note each result at once."""
    kills = collections.Counter(one["by"] for one in known().values())
    (ROOT / RESULTS).parent.mkdir(exist_ok=True)
    plan, spent, twice, by_name = {}, collections.Counter(), set(), callers(tests)

    def job(mutant, first):
        if first:
            plan[mutant] = chosen(mutant, tests, by_name, kills)
        names = plan[mutant][:FIRST] if first else plan[mutant][FIRST:]
        files = dict.fromkeys(name.split("::")[0] for name in names)
        return mutant, ["-x", *files], forks.Watch(names), PATIENCE + 4 * sum(tests[name]["seconds"] for name in names)

    with open(ROOT / RESULTS, "a") as out:
        todo = collections.deque()
        for mutant in wanted:
            if chosen(mutant, tests, by_name, kills):
                todo.append((mutant, functools.partial(job, mutant, True)))
            else:
                note(out, mutant, ("survived", "no test calls it", 0.0, 0))
        for mutant, answer, status, seconds in forks.pool(ROOT, todo, jobs):
            outcome, by = outcome_of(answer, status)
            spent[mutant] += seconds
            if outcome == "survived" and mutant not in twice and len(plan[mutant]) > FIRST:
                twice.add(mutant)
                todo.appendleft((mutant, functools.partial(job, mutant, False)))
                continue
            kills[by] += 1
            note(out, mutant, (outcome, by, spent[mutant], len(plan[mutant])))


def confirm(wanted, tests, jobs):
    """Run each test that noticed something on the right source, too: where it fails there, it noticed nothing."""
    used = {one["by"] for one in map(known().get, map(key, wanted)) if one} & set(tests)
    files = sorted({name.split("::")[0] for name in used})
    answers = [answer for _, answer, _ in on_right_source(files, lambda: forks.Watch(sorted(used)), jobs)]
    good = {name for answer in answers for name, one in answer["seen"].items() if one["ok"]}
    if bad := used - good:
        kept = [json.dumps(one) + "\n" for one in known().values() if one["by"] not in bad]
        (ROOT / RESULTS).write_text("".join(kept))
        raise SystemExit(f"expected tests that pass on the right source, but these fail, and their results are dropped: {sorted(bad)}")


def outcome_of(answer, status):
    """Return whether a mutant was killed or survived, and which test killed it."""
    if not answer:
        return "killed", "time limit" if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM) else "crash"
    if answer["code"] == 0:
        return "survived", ""
    if answer["code"] in (4, 5):
        return "survived", "; pytest found no test to run"
    return "killed", answer["failed"] or f"pytest ended with {answer['code']}"


def note(out, mutant, what):
    """Write down a result."""
    outcome, by, seconds, n = what
    one = {"key": key(mutant), **mutant._asdict(), "outcome": outcome, "by": by, "seconds": round(seconds, 2), "n_tests": n}
    out.write(json.dumps(one) + "\n")
    out.flush()
    if outcome == "survived":
        print(f"survived: {mutant.file}:{mutant.line} {mutant.function}: {mutant.old} -> {mutant.new}   ({n} tests {by})", flush=True)


def wilson(k, n, z=1.959964):
    """Return the 95 % interval of a share k/n by Wilson's formula."""
    middle, half = k + z * z / 2, z * math.sqrt(k * (n - k) / n + z * z / 4)
    return (middle - half) / (n + z * z), (middle + half) / (n + z * z)


def summary(wanted, n_all, seed):
    """Count what is known of a sample."""
    tried = [one for one in map(known().get, map(key, wanted)) if one]
    left = [one for one in tried if one["outcome"] == "survived"]
    for one in left:
        one["equivalent"] = equivalent.why(one)
    n, n_killed, n_equal = len(tried), len(tried) - len(left), sum(bool(one["equivalent"]) for one in left)
    at_first = sum(known(first=True)[one["key"]]["outcome"] == "killed" for one in tried)        # by tests that had not seen the sample
    if not n:
        raise SystemExit("no mutant has been tried yet")
    by_file = {}
    for one in tried:
        row = by_file.setdefault(one["file"], [0, 0, 0])
        row[0] += 1
        row[1] += one["outcome"] == "killed"
        row[2] += bool(one.get("equivalent"))
    killers = collections.Counter(one["by"] for one in tried)
    show = ("file", "line", "function", "text", "old", "new", "by", "n_tests", "equivalent")
    return {"seed": seed, "n_mutants": n_all, "n": n, "killed_at_first": at_first, "killed": n_killed, "time_limit": killers["time limit"],
            "equivalent": n_equal, "score": n_killed / n, "interval": wilson(n_killed, n),
            "score_without_equivalent": n_killed / (n - n_equal), "interval_without_equivalent": wilson(n_killed, n - n_equal),
            "seconds": sum(one["seconds"] for one in tried), "files": by_file, "survivors": [{k: one[k] for k in show} for one in left],
            "killed_by": dict(killers.most_common())}


def prepare():
    """Load what every child needs, pysnn and Numba's compiler left out; one thread, so that forking is safe."""
    os.environ.update(NUMBA_DISABLE_JIT="1", OPENBLAS_NUM_THREADS="1", PYSNN_THREADS="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
                      MPLBACKEND="Agg")
    for name in LOADED:
        with suppress(ImportError):
            importlib.import_module(name)


def main(arguments=None):
    """Draw the sample, run the tests, say the score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", help="one source file; the sample is then its part of the sample")
    parser.add_argument("--again", action="store_true", help="try survivors once more")
    parser.add_argument("--report", action="store_true", help="run nothing; write docs/results/mutation.json")
    a = parser.parse_args(arguments)
    wanted, n_all = sample(a.n, a.seed, a.only)
    if not a.report:
        with tempfile.TemporaryDirectory(prefix="pysnn-mutate-") as scratch:
            os.environ["TMPDIR"], sys.pycache_prefix = scratch, scratch
            tempfile.tempdir = scratch
            prepare()
            tests, old = baseline(a.jobs), known()
            run([m for m in wanted if (one := old.get(key(m))) is None or (a.again and one["outcome"] == "survived")], tests, a.jobs)
            confirm(wanted, tests, a.jobs)
    result = summary(wanted, n_all, a.seed)
    print(f"killed {result['killed']} of {result['n']}: {result['score']:.1%}, 95 % interval {result['interval'][0]:.1%} to "
          f"{result['interval'][1]:.1%}; {result['equivalent']} of the survivors are argued equivalent: "
          f"{result['score_without_equivalent']:.1%} of the others; {result['seconds'] / result['n']:.1f} s a mutant")
    for one in result["survivors"]:
        print(f"  {one['file']}:{one['line']} {one['function']}: {one['old']} -> {one['new']}   {one['equivalent'] or 'UNEXPLAINED'}")
    if a.report:
        sys.path[:0] = [str(ROOT / "docs/results"), str(ROOT)]
        import record
        record.write("mutation", {"command": f"python -m tools.mutation.mutate --n {a.n} --seed {a.seed}", **result})


if __name__ == "__main__":
    main()
