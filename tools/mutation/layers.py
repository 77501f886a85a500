"""Do the checks of any layer notice small wrong changes of it, and leave right layers alone? Both are counted and recorded.

Run: python -m tools.mutation.layers          writes docs/results/mutation-layers.json, in some minutes

Mutants are all small changes of the layers of tests/cases/any_layer.py that `mutants` knows, each with what it declares, and of an
adaptive neuron, of docs/howto/verify-any-neuron.md, held against its step. A mutant whose
spikes and gradients are the same on random currents changes no result, and does not count. Right layers are random conventions of ours.
"""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from pysnn.conventions import LEAKY_RULES, RULES, SURROGATES, Rule, Surrogate
from pysnn.verify import blackbox, check_against_step, parametric, steps
from pysnn.verify.conventions import Convention, LeakyNeuron
from pysnn.verify.frameworks.adapters import from_operation
from tests.cases.any_layer import RIGHT, source
from tools.mutation.mutants import all_of, code_of

ROOT = Path(__file__).parents[2]

DECLARED = ("RULE", "SURROGATE", "DETACH_RESET", "BETA")
N_RIGHT = 100


def results(names, currents):
    """Run a layer; return its numbers, or the error."""
    found = []
    try:
        with np.errstate(all="ignore"):
            for current, dspikes in currents:
                spikes, cache = names["forward"](current.copy())
                found += [np.asarray(spikes, float), np.asarray(names["backward"](dspikes.copy(), cache), float)]
    except Exception as error:
        return type(error).__name__
    return found


def same(a, b):
    """Say whether two runs gave the same numbers."""
    if isinstance(a, str) or isinstance(b, str):
        return False
    return all(x.shape == y.shape and np.allclose(x, y, rtol=1e-9, atol=1e-12) for x, y in zip(a, b, strict=True))


def verdict(names):
    """Check a layer; say whether it is found right."""
    declared = {name: names[name] for name in DECLARED if name in names}
    try:
        return blackbox.check(blackbox.of((names["forward"], names["backward"]), "numpy", declared=declared))[0].ok
    except Exception:                                        # it cannot be called: refused
        return False


def mutants(progress):
    """Judge all mutants; return counts, and those that were not noticed."""
    rng = np.random.default_rng(5)
    currents = [(rng.normal(0.4, 0.9, shape), rng.normal(size=shape)) for shape in ((9, 4, 5), (40, 2, 12))]
    counts, missed = {"mutants": 0, "change a result": 0, "noticed": 0}, []
    for name, change in RIGHT.items():
        text = source(**change)
        names = {}
        exec(compile(text, name, "exec"), names)
        right = results(names, currents)
        for mutant in all_of(text, name):
            wrong = {}
            counts["mutants"] += 1
            try:
                exec(code_of(text, name, mutant.index), wrong)
            except Exception:
                wrong = {}
            if "backward" in wrong and same(results(wrong, currents), right):
                continue
            counts["change a result"] += 1
            noticed = "backward" not in wrong or not verdict(wrong)
            counts["noticed"] += noticed
            if not noticed:
                missed.append(f"{name}: {mutant.text}: {mutant.old} -> {mutant.new}")
            progress(f"{name} {counts}")
    return counts, missed


def by_step(progress):
    """Judge the mutants of an adaptive neuron, which only its step describes; return counts, and those that were not noticed."""
    page = (ROOT / "docs/howto/verify-any-neuron.md").read_text(encoding="utf-8")
    text = page.split("```python\n")[1].split("```")[0]
    rng, right = np.random.default_rng(6), {}
    exec(compile(text, "adaptive", "exec"), right)
    step = steps.read(SimpleNamespace(**right))
    case = rng.normal(0.5, 0.7, (40, 2, 12)), {name: np.asarray(x, float) for name, x in step.params.items()}, {
        name: rng.normal(0, 0.3, (2, 12)) for name in step.start}

    def numbers(names):
        layer = parametric.from_functions(names["forward"], names["backward"], step.params, step.start)
        with np.errstate(all="ignore"):
            y, grads = layer.run(*case)[0], layer.vjp(*case, np.ones(case[0].shape))
        return layer, [y, grads[0], *(g for part in grads[1:] for g in part.values())]
    wanted, counts, missed = numbers(right)[1], {"mutants": 0, "change a result": 0, "noticed": 0}, []
    for mutant in all_of(text, "adaptive"):
        if mutant.function not in ("forward", "backward"):
            continue
        counts["mutants"] += 1
        names, layer = {}, None
        try:
            exec(code_of(text, "adaptive", mutant.index), names)
            layer, got = numbers(names)
            if same([np.asarray(x, float) for x in got], wanted):
                continue
            noticed = not check_against_step(step, layer).ok
        except Exception:                                    # it fails
            noticed = True
        counts["change a result"] += 1
        counts["noticed"] += noticed
        if not noticed:
            missed.append(f"adaptive: {mutant.text}: {mutant.old} -> {mutant.new}")
        progress(f"by a step {counts}")
    return counts, missed


def convention(k):
    """Draw a right neuron, and its threshold."""
    rng = np.random.default_rng([2207, k])
    surrogate = Surrogate(SURROGATES["kind"][k % 4], float(np.exp(rng.uniform(np.log(0.5), np.log(20)))))
    if k % 2:
        rule = Rule(*(words[rng.integers(2)] for words in RULES.values()))
        return Convention(rule, surrogate, bool(rng.integers(2))), float(rng.choice([0.5, 0.75, 1.0, 2.0]))
    timing = rng.choice(["same", "next"])
    rule = Rule(str(rng.choice(["subtract", "zero"])), str(timing), str(rng.choice(LEAKY_RULES["fire"])),
                str(rng.choice(LEAKY_RULES["gain"])), "leak first" if timing == "next" and rng.integers(2) else "reset first")
    alpha = float(rng.choice([0.25, 0.5])) if rng.integers(2) else None
    return LeakyNeuron(rule, surrogate, bool(rng.integers(2)), float(rng.choice([0.75, 0.875, 0.9375])), alpha), 1.0


def right_layers(progress):
    """Check right layers; return how many numbers were compared, and the false alarms."""
    n, alarms = 0, []
    for k in range(N_RIGHT):
        neuron, threshold = convention(k)
        box = from_operation(neuron, threshold)

        def backward(dspikes, current, box=box):
            return box.vjp(current, dspikes)
        layer = blackbox.of((lambda current, box=box: (box.forward(current), np.array(current)), backward), "numpy", threshold=threshold)
        ledger, _ = blackbox.check(layer, seed=k)
        n += sum(e.n_checked for e in ledger.entries)
        if not ledger.ok:
            alarms.append(f"{k}: {neuron}: {[e.note for e in ledger.failed][:2]}")
        progress(f"right layers {k + 1} of {N_RIGHT}, {n} numbers, {len(alarms)} false alarms")
    return {"layers": N_RIGHT, "numbers": n, "false alarms": alarms}


def main():
    """Run both, and write the record."""
    sys.path.insert(0, str(ROOT / "docs/results"))
    import record
    def progress(words):
        print(f"\r{words:<110}"[:112], end="", file=sys.stderr, flush=True)
    began = time.perf_counter()
    counts, missed = mutants(progress)
    more, missed_too = by_step(progress)
    counts, missed = {name: n + more[name] for name, n in counts.items()}, [*missed, *missed_too]
    right = right_layers(progress)
    score = counts["noticed"] / counts["change a result"]
    record.write("mutation-layers", {"command": "python -m tools.mutation.layers", **counts, "score": score, "missed": missed,
                                     "right": right,
                                     "by a step": more, "seconds": round(time.perf_counter() - began, 1)})
    print(f"\n{counts}, score {score:.4f}, missed {missed}; right: {right}")


if __name__ == "__main__":
    main()
