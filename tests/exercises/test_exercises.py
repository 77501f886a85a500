"""The exercises: solutions are right, every known mistake gets its own hint, and no student's file can bring the marking down."""

import ast
import inspect
import json
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest

from pysnn import cli, exercises
from pysnn.layers import stages
from pysnn.learning import conversion
from pysnn.verify import student, zoo
from tests.cases import ROOT, few

REPAIRED = ("find_the_bug", "repair_tutorial")
WRITTEN = [name for name in exercises.NAMES if name not in REPAIRED]         # these have lines to fill in
EVERY = [pytest.param(name, m, id=f"{name}: {m.name}{k}", marks=[pytest.mark.slow] * (k % 3 > 0))
         for name in exercises.NAMES for k, m in enumerate(exercises.get(name).mistakes)]
TYPED = {   # fault of the zoo: (exercise, line of the solution, what somebody typed instead)
    "recurrent_transposed": ("recurrent_backward", "di @ w_rec.T", "di @ w_rec"),
    "recurrence_is_constant": ("recurrent_backward", " + di @ w_rec.T", ""),
    "leaky_attached": ("recurrent_backward", "if not detach_reset", "if True"),
    "xor_causal_set": ("spike_time", "if sum_w > threshold and sum_wz / (sum_w - threshold) <= z_next:",
                       "if (sum_w > threshold) != (sum_wz / (sum_w - threshold) <= z_next):"),
    "unsorted_inputs": ("spike_time", "order = np.argsort(z_in)", "order = np.arange(len(z_in))"),
    "denominator_all_weights": ("temporal_backward", "(causal * w).sum(axis=1)",
                                "np.where(np.isfinite(z_in)[:, :, None], w, 0).sum(axis=1)"),
    "softmax_sign": ("spike_loss", "-(p - one_hot)", "(p - one_hot)"),
    "recorded_late": ("integrate_and_fire", "return spikes, v", "return np.concatenate([0 * spikes[:1], spikes[:-1]]), v"),
    "float32_inside": ("integrate_and_fire", "def forward(", "def forward(x, *more):\n    spikes, v = inside(x.astype('f4'), *more)\n"
                       "    return spikes.astype(float), v.astype(float)\n\n\ndef inside("),
    "slope_ignored": ("surrogate_backward", 'if kind == "atan":', 'slope = 2.0\n    if kind == "atan":'),
    "sigmoid_overflow": ("surrogate_backward", "-slope * np.abs(x)", "-slope * x"),
    "attached_reset": ("surrogate_backward", "(1.0 if detach_reset else 1.0 - threshold * g)", "(1.0 - threshold * g)"),
    "state_gradient_lost": ("surrogate_backward", "dv = dv * (1.0", "dv = (dv if t == len(u) - 1 else 0 * dv) * (1.0"),
    "surrogate_off_centre": ("surrogate_backward", "surrogate_grad(u[t] - threshold,", "surrogate_grad(u[t],"),
    "stale_membrane": ("surrogate_backward", "surrogate_grad(u[t] -", "surrogate_grad(u[max(t - 1, 0)] -"),
    "max_pool_tie": ("max_pool_backward", "in range(size)", "in reversed(range(size))"),
    "batch_norm_statistics": ("batch_norm_backward", "of_batch = mean is None", "of_batch = True"),
    "updated_early": ("proxy_step", "c @ w2.T", "c @ (w2 - lr * dw2).T"),
    "unseen_regulariser": ("proxy_step", "w1 - lr * dw1, w2 - lr * dw2", "w1 - lr * (dw1 + 0.01 * w1), w2 - lr * (dw2 + 0.01 * w2)"),
}


def functions_of(text, name, folder):
    """Import a file and return the functions of an exercise."""
    path = folder / f"{name}.py"
    path.write_text(text)
    module = student.import_file(path)
    return {f: getattr(module, f) for f in exercises.get(name).functions}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file into a folder of its own, and stand there."""
    monkeypatch.chdir(tmp_path)

    def at(text, name="mine.py"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)
    return at


# ---- stubs and solutions

def test_each_exercise_has_all_that_belongs_to_it():
    assert len(exercises.NAMES) == len(set(exercises.NAMES)) == 20
    for name in exercises.NAMES:
        exercise = exercises.get(name)
        assert exercise.name == name and exercise.title and re.search(r"\([A-Z]\d", exercise.tags)
        names = [m.name for m in exercise.mistakes]
        assert len(names) >= 3 and len({m.hint for m in exercise.mistakes}) == len(set(names))
    with pytest.raises(ValueError, match=r"exercise: expected one of spike_time, .* got 'spike'$"):
        exercises.get("spike")


@pytest.mark.parametrize("name", exercises.NAMES)
def test_stub_is_the_solution_without_the_lines_that_are_asked_for(name):
    stub, solution = (ast.parse(exercises.text(name, solution)) for solution in (False, True))
    task = ast.get_docstring(stub)
    assert task == ast.get_docstring(solution)
    assert "Your task" in task and f"pysnn check {name}.py" in task and "docs/derivations" in task
    for page in re.findall(r"docs/(?:derivations|course)/[\w-]+\.md", task):
        assert (ROOT / page).is_file(), page
    given, solved = ({f.name: f for f in tree.body if isinstance(f, ast.FunctionDef)} for tree in (stub, solution))
    assert set(exercises.get(name).functions) <= set(given) and list(given) == list(solved)
    changed = {f for f in given if ast.dump(given[f]) != ast.dump(solved[f])}
    asked = {f for f, node in given.items() if any(isinstance(n, ast.Constant) and n.value is ... for n in ast.walk(node))}
    assert asked == (changed if name in WRITTEN else set()) and changed <= set(exercises.get(name).functions) and changed
    for f in changed:
        assert ast.get_docstring(given[f]) == ast.get_docstring(solved[f])
        assert ast.dump(given[f].args) == ast.dump(solved[f].args)
    for f in asked:                                # what is asked for is what is returned; nothing else is left of the solution
        *lines, last = given[f].body
        placeholders = [n.targets[0].id for n in lines if isinstance(n, ast.Assign) and getattr(n.value, "value", None) is ...]
        returned = [n.id for n in ast.walk(last.value) if isinstance(n, ast.Name)]
        assert isinstance(last, ast.Return) and placeholders and set(placeholders) <= set(returned)
        assert [ast.dump(n) for n in lines[:-len(placeholders)]] == [ast.dump(n) for n in solved[f].body[:len(lines) - len(placeholders)]]
    assert (exercises.text(name).count("# your lines") == exercises.text(name).count("= ...  ")) and "# was" not in exercises.text(name)


@pytest.mark.parametrize("name", few(exercises.NAMES, 2))
def test_stub_is_wrong_and_the_solution_right(name, tmp_path):
    marks = exercises.mark(name, functions_of(exercises.text(name), name, tmp_path))
    assert not marks.ok and exercises.unwritten(marks) == (name in WRITTEN)
    assert marks.score == 0 and str(marks).endswith(f"{name}: 0 of {len(marks.counted)} items right")
    if name in WRITTEN:
        assert marks.hints == () and {i.note for i in marks.counted} == {"not written yet"}
    marks, printed = exercises.mark_file(Path(exercises.__file__).parent / "solutions" / f"{name}.py", seed=1)
    assert marks.ok and printed == "" and not exercises.unwritten(marks) and marks.hints == (), str(marks)
    assert sum(i.mark == "exact" for i in marks.items) >= 2                          # cases with numbers that are exact in binary
    assert str(marks).endswith(f"{name}: {len(marks.counted)} of {len(marks.counted)} items right")


@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(2, 8), marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize("name", few(exercises.NAMES, 4))
def test_ours_and_the_solution_are_right_for_any_seed(name, seeds, tmp_path):
    theirs = functions_of(exercises.text(name, True), name, tmp_path)
    for seed in seeds:
        for functions in (exercises.get(name).functions, theirs):
            marks = exercises.mark(name, functions, seed)
            assert marks.ok, str(marks)
    for case in exercises.get(name).draw_cases():
        wanted = case.answer(exercises.get(name).functions)
        assert set(wanted) == set(case.outputs) and all(isinstance(x, np.ndarray) and not np.isnan(x).any() for x in wanted.values())


def test_random_cases_are_alive():
    for seed in range(8):
        for name, case, output in (("spike_time", "200 random neurons", "z_out"), ("find_the_bug", "forward, inputs in any order", "z_out"),
                                   ("temporal_backward", "forward, as given", "z_out")):
            (chosen,) = [c for c in exercises.get(name).draw_cases(seed) if c.name == case]
            z_out = chosen.answer(exercises.get(name).functions)[output]
            assert np.isfinite(z_out).any() and (name == "find_the_bug" or np.isinf(z_out).any())
        delayed, leaky = (exercises.get(name) for name in ("delay_backward", "event_prop_spike"))
        z_out = delayed.functions["forward"](*delayed.draw_cases(seed)[0].args)[0]
        assert np.isinf(z_out[:, 4]).all() and np.isfinite(z_out[:, :4]).mean() > 0.5
        (several,) = [case.args for case in leaky.draw_cases(seed) if case.name == "30 random neurons"]
        t_out = [leaky.functions["forward"](t, w, *several[3:])[0] for t, w in zip(*several[1:3], strict=True)]
        assert 5 < np.isfinite(t_out).sum() < 25 and any((t < out).sum() < 6 for t, out in zip(several[1], t_out, strict=True) if out < 9)
        assert leaky.functions["forward"](*leaky.draw_cases(seed)[-1].args, 0.5, 3.0, 1.0)[0] < 2
        for case in exercises.get("integrate_and_fire").draw_cases(seed)[-3:]:
            assert 0 < case.answer(exercises.get("integrate_and_fire").functions)["spikes"].mean() < 1
        for name, case, output in (("leaky_neuron", "14 steps, 6 neurons", "spikes"), ("recurrent_backward", "forward, as given", "spikes"),
                                   ("leaky_neuron", "numbers without an exact binary form", "spikes"),
                                   ("fi_curve", "in steps: 40 currents", "per_step"), ("encode", "rate: 3 samples, 15 steps", "even"),
                                   ("encode", "poisson: 3 samples, 12 steps", "spikes")):
            (chosen,) = [c for c in exercises.get(name).draw_cases(seed) if c.name == case]
            assert 0 < (chosen.answer(exercises.get(name).functions)[output] > 0).mean() < 1


def test_conversion_is_that_of_the_learning_rule():
    """`rescale` by (P6) as pysnn.learning.conversion folds it in, `scale` by (P7) as its `end_epoch` finds it."""
    settings = conversion.Settings(model="4-3-2", bias=True, dtype="float64", backend="reference", percentile=90.0)
    nets = conversion.build(settings, rng=np.random.default_rng(0))
    x = np.random.default_rng(1).random((30, 4))
    conversion.end_epoch(nets, x)
    ours = exercises.get("conversion").functions
    outputs = nets.net.forward(x)[0]
    a, b = ours["scale"](outputs[1], 90.0), ours["scale"](outputs[-1], 90.0)
    assert [float(s) for s in nets.snn.scales] == [a, b] and a > 0
    before = 1.0
    for stage, k, after in zip(stages(nets.snn.folded_layers()), (1, 2), (a, b), strict=True):
        w, bias = ours["rescale"](nets.net.params[f"w{k}"], nets.net.params[f"b{k}"], before, after)
        assert (w == stage.w).all() and (bias == stage.b).all()
        before = after


# ---- hints

@pytest.mark.slow                                                         # test_attempts has the hints by default
@pytest.mark.parametrize("seeds", [(0, 1), (1, 0)], ids=str)
@pytest.mark.parametrize("name, mistake", EVERY)
def test_each_mistake_gets_its_own_hint(name, mistake, seeds, tmp_path):
    """Put into ours and into the solution; a seed for each."""
    for right, seed in zip((exercises.get(name).functions, functions_of(exercises.text(name, True), name, tmp_path)), seeds, strict=True):
        marks = exercises.mark(name, mistake.inject(right), seed)
        assert not marks.ok and {h.mistake for h in marks.hints} == {mistake.name}, str(marks)
        assert marks.hints[0].words == mistake.hint and f": {mistake.hint}" in str(marks)
        assert (f"(the known mistake {mistake.name}, see pysnn verify --zoo)" in str(marks)) == (mistake.name in zoo.every())


FEW_EXERCISES = {"leaky", "leaky_equal", "leaky_double", "alpha", "theta", "event_prop", "temporal_delays", "temporal_conv", "pooled_fire"}


@pytest.mark.parametrize("fault", sorted(name for name, fault in zoo.every().items()
                                         if fault.operation not in FEW_EXERCISES or name in TYPED))
def test_each_fault_of_the_zoo_typed_into_a_solution_gets_its_own_hint(fault, tmp_path):
    name, right, wrong = TYPED[fault]
    text = exercises.text(name, True)
    assert right in text
    marks = exercises.mark(name, functions_of(text.replace(right, wrong), name, tmp_path))
    assert not marks.ok and {h.mistake for h in marks.hints} == {fault}, str(marks)
    assert sum(m.name == fault for e in exercises.NAMES for m in exercises.get(e).mistakes) >= 1


@pytest.mark.parametrize("name", ["temporal_backward", "delay_backward"])
def test_all_weights_in_the_denominator_are_known_also_where_an_input_never_comes(name, tmp_path):
    marks = typed(name, tmp_path, ("(causal * w).sum(axis=1)", "w.sum(axis=0)"))
    assert [h.mistake for h in marks.hints] == ["denominator_all_weights"] and "your denominator uses all weights;" in str(marks)


def test_two_mistakes_that_hide_each_other_are_said_to_be_no_single_one(tmp_path):
    marks = typed("leaky_neuron", tmp_path, ("= v >= threshold", "= v > threshold"), ("v - threshold * spikes[t]", "v * (1 - spikes[t])"))
    lines = {level: [li for li in marks.text(level).splitlines() if li.startswith("hint for v: ")] for level in (0, 1, 2)}
    assert ["no single known mistake" in line for level in (0, 1, 2) for line in lines[level]] == [False, False, True]
    assert "no single" not in str(exercises.mark("leaky_neuron", exercises.get("leaky_neuron").functions))


def test_two_mistakes_at_once_get_two_hints():
    """dz_in by all weights, dw without the threshold; each output has its own hint."""
    mistakes = {m.name: m for m in exercises.get("temporal_backward").mistakes}
    right = exercises.get("temporal_backward").functions
    one, two = (mistakes[n].inject(right) for n in ("denominator_all_weights", "denominator_without_threshold"))

    def forward(z_in, w, threshold=1.0):
        z_out, cache = one["forward"](z_in, w, threshold)
        return z_out, (cache, two["forward"](z_in, w, threshold)[1])

    def backward(dz_out, caches):
        return one["backward"](dz_out, caches[0])[0], two["backward"](dz_out, caches[1])[1]
    marks = exercises.mark("temporal_backward", {"forward": forward, "backward": backward})
    assert {(h.mistake, h.outputs) for h in marks.hints} == {("denominator_all_weights", ("dz_in",)),
                                                            ("denominator_without_threshold", ("dw",))}


@pytest.mark.parametrize("change, said", [
    (lambda dx, dw: (dx, -dw), "has the wrong sign"), (lambda dx, dw: (dx, 3 * dw), "is 3 times what it should be"),
    (lambda dx, dw: (dx, 0 * dw), "is 0 everywhere"), (lambda dx, dw: (dx, np.nan * dw), "100 of 100 are NaN: inf times 0")])
def test_simple_mistakes_are_said(change, said):
    right = exercises.get("conv_backward").functions
    marks = exercises.mark("conv_backward", {**right, "backward": lambda dy, cache: change(*right["backward"](dy, cache))})
    (hint,) = marks.hints
    assert hint.outputs == ("dw",) and said in hint.words and hint.mistake == ""
    assert {i.output for i in marks.items if not i.ok} == {"dw"}


def test_bugs_are_found_one_after_the_other():
    """Each correction takes away its own clue; the last item is right when all four are made."""
    wrong, right = (exercises.text("find_the_bug", solution) for solution in (False, True))
    bodies = [{f.name: ast.get_source_segment(text, f) for f in ast.parse(text).body if isinstance(f, ast.FunctionDef)}
              for text in (wrong, right)]
    clues = {"forward": "clue_forward", "backward": "clue_backward", "loss": "clue_loss", "train_step": "clue_step"}
    text, left = wrong, ["clue_forward", "clue_backward", "clue_loss"]
    for f in clues:
        names = {}
        exec(compile(text, "find_the_bug.py", "exec"), names)
        marks = exercises.mark("find_the_bug", names)
        assert {h.mistake for h in marks.hints if h.mistake} == set(left), str(marks)
        assert not any(name in str(marks) for name in zoo.every())                   # clues, not names
        text = text.replace(bodies[0][f], bodies[1][f])
        left = [c for c in left if c != clues[f]] or ["clue_step"]
    assert text.split("import numpy")[1] == right.split("import numpy")[1]


def test_marks_as_a_table_and_as_json():
    marks = exercises.mark("spike_loss", {"loss": lambda z, y: (0.5, np.zeros_like(z))})
    lines = str(marks).splitlines()
    assert lines[0] == "wrong        two outputs at one time: loss  got 0.5, wanted 0.693147181"
    assert re.fullmatch(r"spike_loss: \d+ of 11 items right", lines[-1])
    data = json.loads(json.dumps(marks.to_dict()))
    assert data["exercise"] == "spike_loss" and data["ok"] is False and len(data["items"]) == 11
    with pytest.raises(ValueError, match="spike_loss: expected a function 'loss', found none; the exercise needs loss"):
        exercises.mark("spike_loss", {"los": print})


# ---- as somebody typed it: full marks for nothing else, and no hint that misleads

def typed(name, folder, *changes, seed=0):
    """Change lines of a solution, and mark it."""
    text = exercises.text(name, True)
    for right, wrong in changes:
        assert text.count(right) == 1
        text = text.replace(right, wrong)
    return exercises.mark(name, functions_of(text, name, folder), seed)


def of_items(marks, ok=False):
    """Return case and output of the items that are wrong, or of those that are right."""
    return [f"{i.case}: {i.output}" for i in marks.items if i.ok == ok]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name, right, wrong, only", [
    ("integrate_and_fire", "else 0.0, v)", "else v_init, v)", "the same, reset to zero, threshold 0.7, begins at 0.25: "),
    ("spike_time", "<= z_next", "< z_next", "the third at the same moment: z_out"),
    ("temporal_backward", "np.where(fired, dz_out, 0) /", "dz_out /", "a silent output with NaN in dz_out: "),
])
def test_nearly_right_is_wrong(name, right, wrong, only, seed, tmp_path):
    marks = typed(name, tmp_path, (right, wrong), seed=seed)
    assert of_items(marks) and of_items(marks) == [f"{i.case}: {i.output}" for i in marks.items if only in f"{i.case}: {i.output}"]


@pytest.mark.parametrize("kind", ("bool", "int64", "float32"))
def test_right_numbers_of_another_kind_are_right_with_a_remark(kind, tmp_path):
    marks = typed("integrate_and_fire", tmp_path, ("return spikes, v", f"return spikes.astype('{kind}'), v"))
    assert marks.ok and not marks.hints
    notes = {(i.mark, i.note) for i in marks.items if i.output == "spikes"}
    assert notes == {("remark", f"the right numbers, but {kind} instead of float64")}


def test_a_gradient_changed_in_place_is_named(tmp_path):
    marks = typed("surrogate_backward", tmp_path, ("dcurrent, dv = np.zeros_like(u), dv_final", "dcurrent, dv = dspikes, dv_final"))
    notes = {i.note for i in marks.items if i.case.startswith("8 steps")}
    assert notes == {"the argument dspikes of shape (8, 4) was changed in place: expected it to stay as it was"}


def test_results_in_a_list_are_right(tmp_path):
    assert typed("proxy_step", tmp_path, ("return loss, new_w1, new_w2", "return [loss, new_w1, new_w2]")).ok


@pytest.mark.parametrize("name, right, open_, outputs", [
    ("temporal_backward", "return dz_in, dw", "return dz_in, ...", {"dw"}),
    ("temporal_backward", "return dz_in, dw", "return ..., dw", {"dz_in"}),
    ("conv_backward", "return dx, dw", "return dx, ...", {"dw"}),
    ("batch_norm_backward", "return dx, dgamma, dbeta", "return ..., dgamma, dbeta", {"dx"}),
    ("batch_norm_backward", "return dx, dgamma, dbeta", "return dx, dgamma.repeat(2), dbeta", {"dgamma"}),
    ("conv_backward", "return dx, dw", "return dx[:, 1:], dw", {"dx"}),
])
def test_a_gradient_that_is_missing_or_misshapen_takes_no_other_along(name, right, open_, outputs, tmp_path):
    marks = typed(name, tmp_path, (right, open_))
    cases = {i.case for i in marks.items if i.output in outputs and "forward" not in i.case}
    assert {i.output for i in marks.items if not i.ok} == outputs and {i.case for i in marks.items if not i.ok} == cases
    assert any("differences" in case for case in cases)
    assert ({i.note for i in marks.items if not i.ok} == {"not written yet"}) == ("..." in open_)


H, NEAREST = "np.where(fired, dz_out, 0) / np.where(fired, margin, 1)", "np.percentile(activations, percentile, method='nearest')"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name, right, wrong, hints", [
    ("spike_time", "z_out = np.inf", "z_out = -1", {"silent_as_minus_one"}),
    ("conversion", " + 1e-9", "", {"rounded_down"}),
    ("conversion", "falling[int((1 - percentile / 100) * falling.size + 1e-9)]", NEAREST, {"counted_from_below"}),
    ("temporal_backward", H, "np.where(fired, dz_out, 0)", {"no_denominator"}),
    ("temporal_backward", H, "np.where(fired, dz_out, 0) / np.where(fired, margin, 1) ** 3", set()),
    ("surrogate_backward", "return dcurrent, dv", "return dcurrent, dv_final", {"final_returned"}),
    ("surrogate_backward", "return dcurrent, dv", "return dcurrent, dv_final + 1", set()),
])
def test_numbers_that_agree_by_chance_give_no_hint(name, right, wrong, hints, seed, tmp_path):
    marks = typed(name, tmp_path, (right, wrong), seed=seed)
    assert not marks.ok and {h.mistake for h in marks.hints} == hints, str(marks)


@pytest.mark.parametrize("name, hint, changes", [
    ("batch_norm_backward", "gamma_forgotten", [("dx * gamma / sigma", "dx / sigma")]),
    ("batch_norm_backward", "sigma_forgotten", [("dx * gamma / sigma", "dx * gamma")]),
    ("batch_norm_backward", "n_forgotten", [("dbeta / len(dy) - x_hat * dgamma / len(dy)", "dbeta - x_hat * dgamma")]),
    ("batch_norm_backward", "x_hat_added", [("- x_hat * dgamma", "+ x_hat * dgamma")]),
    ("surrogate_backward", "twice_as_high", [("slope / 2 /", "slope /")]),
    ("surrogate_backward", "half_pi_forgotten", [("np.pi / 2 * slope * x", "slope * x")]),
    ("surrogate_backward", "k_forgotten", [("slope * e /", "e /")]),
    ("proxy_step", "counts_as_rates", [("counts / N_STEPS -", "counts -")]),
    ("proxy_step", "summed", [("(error ** 2).mean()", "(error ** 2).sum()"), ("2 * error / error.size", "2 * error")]),
    ("spike_loss", "probability_only", [("-(p - one_hot) /", "p /")]),
    ("spike_loss", "mean_over_outputs", [("/ len(z), 0.0)", "/ z.size, 0.0)")]),
    ("spike_time", "silent_as_1000", [("z_out = np.inf", "z_out = 1000")]),
    ("spike_time", "silent_as_nan", [("z_out = np.inf", "z_out = np.nan")]),
])
def test_what_people_type_gets_its_hint(name, hint, changes, tmp_path):
    marks = typed(name, tmp_path, *changes)
    assert [h.mistake for h in marks.hints] == [hint] and " wrong items)" not in str(marks), str(marks)


def test_a_hint_says_how_much_it_explains(tmp_path):
    """Silent neurons as 0, and the threshold ignored in a case of its own: each hint says how many of the wrong items are its."""
    right = exercises.get("spike_time").functions["spike_time"]

    def spike_time(z_in, w, threshold=1.0):
        z_out = right(z_in, w, threshold)
        return 7.0 if threshold == 0.5 else 0.0 if np.isinf(z_out) else z_out
    marks = exercises.mark("spike_time", {"spike_time": spike_time})
    (hint,) = marks.hints
    assert hint.mistake == "never_silent" and hint.counts == ((5, 6),) and len(of_items(marks)) == 6
    assert "hint for z_out (5 of 6 wrong items): a neuron that stays silent" in str(marks)


def test_a_step_is_named_by_what_was_computed_of_it(tmp_path):
    marks = typed("proxy_step", tmp_path, ("w1 - lr * dw1, w2", "w1 + lr * dw1, w2"))
    assert {i.output for i in marks.items if not i.ok} == {"(w1 - new_w1)/lr"}
    marks = typed("proxy_step", tmp_path, ("return loss, new_w1, new_w2", "return loss, new_w1"))
    assert {i.note for i in marks.items} == {"expected 3 results (loss, new_w1, new_w2), got 2"}


@pytest.mark.parametrize("wrong, said", [
    ("None", "expected a NumPy array or a number, got NoneType None"), ("...", "not written yet"),
    ("np.array([np.inf, 1])", "expected one number for each neuron, got an array of shape (2,) and dtype float64")])
def test_one_odd_answer_of_200_is_named(wrong, said, tmp_path):
    marks = typed("spike_time", tmp_path, ("z_out = np.inf", f"z_out = {wrong}"))
    assert {i.case: i.note for i in marks.items}["200 random neurons"] == said


def test_an_error_in_a_notebook_names_function_and_line():
    cell = "def helper(z):\n    return z / 0\n\ndef loss(z, y):\n    return helper(z.sum().item())"
    names = {"__name__": "__main__"}
    exec(compile(cell, "/tmp/ipykernel_1/2.py", "exec"), names)
    assert {i.note for i in exercises.mark("spike_loss", names).items if i.case == "one sample"} == {
        "raises ZeroDivisionError: float division by zero (helper, line 2 of its cell)"}
    exec(compile("import numpy as np\ndef loss(z, y):\n    return np.stack([])", "/tmp/ipykernel_1/3.py", "exec"), names)
    assert all(i.note.endswith(" (loss, line 3 of its cell)") for i in exercises.mark("spike_loss", names).items)


# ---- what a student's file may do

HEAD = 'import os, sys, time\nimport numpy as np\nEXERCISE = "spike_loss"\n'
LOSS = HEAD + "def loss(z, y):\n    "


@pytest.mark.parametrize("body, note", [
    ("return 1/0", "raises ZeroDivisionError: division by zero (line 5)"),
    ("raise SystemExit(3)", "raises SystemExit: 3 (line 5)"),
    ("return loss(z, y)", "raises RecursionError: maximum recursion depth exceeded"),
    ("raise NotImplementedError", "not written yet"),
    ("return ...", "not written yet"),
    ("return 0.5", "expected 2 results (loss, dz), got float 0.5"),
    ("return 0.5, z, z", "expected 2 results (loss, dz), got 3"),
    ("return None", "expected 2 results (loss, dz), got NoneType None"),
    ("return '0.5', [1, 2]", "expected a NumPy array or a number, got str '0.5'"),
    ("return 0.5, z.T[:, :, None]", "shape (2, 1, 1) instead of (1, 2)"),
    ("return np.nan, z * np.nan", "2 of 2 wrong; [0, 0]: got nan, wanted"),
    ("z[0, 0] = 5; return 0.5, z", "the argument z of shape (1, 2) was changed in place: expected it to stay as it was"),
    ("z.T[0, 0] = 5; return 0.5, z", "the argument z of shape (1, 2) was changed in place: expected it to stay as it was"),
    ("return 0.5, [[1.0, 2.0], [3.0]]", "expected a NumPy array, got a list that makes none"),
    ("return 0.5, list(z)", "2 of 2 wrong; [0, 0]: got 2, wanted 0.5"),
    ("return 0.5 + 0j, z", "expected a NumPy array or a number, got complex"),
])
def test_what_a_file_does_wrong_is_said_in_one_line(body, note, tmp_path):
    marks = exercises.mark("spike_loss", functions_of(LOSS + body + "\n", "spike_loss", tmp_path))
    assert not marks.ok and any(note in item.note for item in marks.items), str(marks)
    assert all("\n" not in item.note for item in marks.items)


@pytest.mark.parametrize("body, limit, note", [
    ("while len(z) == 6: pass", 0.5, "no answer within 0.5 s"),
    ("if len(z) == 6: os._exit(7)", 4.0, "ended the Python process (exit code 7)"),
    ("if len(z) == 6: input()", 4.0, "raises EOFError: EOF when reading a line (line 5)"),
    ("if len(z) == 6: os.abort()", 4.0, "ended the Python process (exit code -6)")])
def test_an_item_that_never_answers_does_not_take_the_others_along(body, limit, note, write):
    right = exercises.text("spike_loss", True).split("def loss")[1].split('"""')[2]
    marks, _ = exercises.mark_file(write(LOSS + body + right), limit=limit)
    notes = {f"{i.case}: {i.output}": i.note for i in marks.items if not i.ok}
    assert notes == {f"{case}: {out}": note for case, out in (("6 samples", "loss"), ("6 samples", "dz"), ("silent outputs", "loss"),
                                                              ("silent outputs", "dz"), ("finite differences", "dz"))}


def test_printing_without_end_is_stopped(write):
    began = time.monotonic()
    marks, printed = exercises.mark_file(write(LOSS + "while True: print('x' * 100_000)\n"), limit=30.0)
    assert time.monotonic() - began < 30                                             # not by the time limit
    notes = [i.note for i in marks.items]
    assert notes == ["no answer: prints without end"] * 6 + ["not run, after 3 cases without an answer"] * 5 and len(printed) == 4000


@pytest.mark.skipif(os.name != "posix", reason="processes have groups on POSIX")
@pytest.mark.parametrize("rest", ["", "while True: pass\n"], ids=["ends", "is stopped"])
def test_what_a_file_starts_ends_with_it(rest, write, tmp_path):
    """A child holds a pipe open; when all who hold it are gone, its reader sees the end."""
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    child = f"import time; f = open({str(tmp_path / 'pipe')!r}, 'w'); f.write('x'); f.flush(); print(flush=True); time.sleep(60)"
    text = f"import subprocess\nsubprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE).stdout.readline()\n"
    path = write(HEAD + text + rest + "def loss(z, y):\n    return ...\n")
    try:
        if rest:
            with pytest.raises(ValueError, match=r"expected it to run to its end within 1\.5 s; it did not"):
                exercises.mark_file(path, limit=1.5)
        else:
            assert exercises.unwritten(exercises.mark_file(path)[0])
        assert os.read(pipe, 10) == b"x"
        for _ in range(200):
            try:
                assert os.read(pipe, 10) == b""
                break
            except BlockingIOError:
                time.sleep(0.05)
        else:
            pytest.fail("the child of the file is still there")
    finally:
        os.close(pipe)


def test_after_three_items_without_an_answer_no_more_are_asked(write):
    marks, _ = exercises.mark_file(write(LOSS + "while True: pass\n"), limit=0.3)
    notes = [i.note for i in marks.items]
    assert notes == ["no answer within 0.3 s"] * 6 + ["not run, after 3 cases without an answer"] * 5


@pytest.mark.parametrize("text, message", [
    ("def f(:", r"mine.py, line 1: invalid syntax"),
    ("x = 1", r'mine.py: expected a line such as EXERCISE = "spike_time"; pysnn check --start NAME makes a file with it'),
    ("EXERCISE = 'spike'", r"mine.py: EXERCISE: expected one of spike_time, .*, got 'spike'"),
    ("EXERCISE = 5 + 5", r"mine.py: EXERCISE: expected one of spike_time, .*, got 5 \+ 5"),
    (HEAD, r"mine.py: expected a function 'loss', found none; the exercise needs loss"),
    (HEAD + "1/0", r"mine.py: does not run: ZeroDivisionError: division by zero \(line 4\)"),
    (HEAD + "sys.exit(4)", r"mine.py: does not run: it exits \(4\)"),
    (HEAD + "os._exit(4)", r"mine.py: does not run: it ended the Python process \(exit code 4\)"),
    (HEAD + "while True: time.sleep(1)", r"mine.py: expected it to run to its end within 0.5 s; it did not"),
    ("EXERCISE = '\x00'", r"mine.py: expected a Python file: |mine.py, line \d: source code string cannot contain null bytes"),
])
def test_what_cannot_be_marked_is_refused_in_one_line(text, message, write, capsys):
    assert cli.main(["check", write(text), "--limit", "0.5" if "while" in text else "4"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and re.search(rf"^pysnn: error: (?:{message})", err)


# ---- the command

def test_list_start_mark_solution(write, tmp_path, capsys):
    assert cli.main(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == list(exercises.NAMES) and "pysnn check --start NAME" in lines[-1]
    assert cli.main(["check", "--start", "conversion", "new/folder"]) == 0
    path = tmp_path / "new/folder/conversion.py"
    assert path.read_text() == exercises.text("conversion") and str(Path("new/folder/conversion.py")) in capsys.readouterr().out
    for name in REPAIRED:
        assert cli.main(["check", "--start", name, "new/folder"]) == 0
        assert "read what it asks, correct the code, then" in capsys.readouterr().out
    assert cli.main(["check", "--start", "conversion", "new/folder"]) == 2
    assert "conversion.py exists already; expected a folder without it" in capsys.readouterr().err
    assert cli.main(["check", str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == f'nothing is filled in yet: look for "your lines" in {path}'
    assert cli.main(["check", "--solution", "conversion"]) == 0
    printed = capsys.readouterr().out
    assert cli.main(["check", "--solution", "conversion", "--out", "way.py"]) == 0 and capsys.readouterr().out == "way.py\n"
    assert Path("way.py").read_text() == printed
    alone, there = "expected --solution NAME beside it", "expected a file that is not there yet, got way.py"
    for line, said in ((["--solution", "conversion", "--out", "way.py"], there), (["--out", "other.py"], alone),
                       (["--start", "conversion", "--out", "other.py"], alone)):
        assert cli.main(["check", *line]) == 2 and f"--out: {said}" in capsys.readouterr().err
    path.write_text(printed)
    assert cli.main(["check", str(path), "--json", "marks.json", "--seed", "5"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "to compare: pysnn check --solution conversion"
    data = json.loads((tmp_path / "marks.json").read_text())
    assert data["ok"] is True and data["hints"] == [] and {i["mark"] for i in data["items"]} <= {"exact", "approximate"}


def test_exercise_with_an_annotation(write):
    text = exercises.text("conversion", True).replace('EXERCISE = "conversion"', 'EXERCISE: str = "conversion"')
    marks, _ = exercises.mark_file(write(text))
    assert marks.exercise == "conversion" and marks.ok


def test_the_page_shows_what_is_printed(write, capsys):
    """Each line of the block in docs/exercises.md, in this order."""
    _, right, wrong = TYPED["denominator_all_weights"]
    assert cli.main(["check", write(exercises.text("temporal_backward", True).replace(right, wrong), "temporal_backward.py")]) == 1
    (shown,) = re.findall(r"```text\n(.*?)```", (ROOT / "docs/exercises.md").read_text(), re.S)
    printed = iter(capsys.readouterr().out.splitlines())
    assert all(line in printed for line in shown.splitlines() if line != "...")


def test_what_a_file_prints_is_shown_apart(write, capsys):
    text = exercises.text("conversion", True) + "\nprint('three', 4)\nprint('x' * 10_000)\n"
    assert cli.main(["check", write(text), "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["printed"].startswith("three 4\n") and len(json.loads(out)["printed"]) == 4000
    assert err.splitlines()[:2] == ["mine.py printed:", "  three 4"] and max(map(len, err.splitlines())) <= 140


@pytest.mark.parametrize("args, message", [
    (["nothing.py"], "expected a file such as spike_time.py, got 'nothing.py', which does not exist; pysnn check --start NAME makes one"),
    (["spike_time"], "expected a file such as spike_time.py, got 'spike_time', which does not exist"),
    (["."], "expected files such as spike_time.py in the folder '.', found none"),
    (["--start", "spike"], "exercise: expected one of spike_time, "),
    (["--solution", "spike"], "exercise: expected one of spike_time, "),
    (["--start", "conversion", "--solution", "conversion"], "--start: expected no --solution beside it"),
    (["--solution", "conversion", "x.py"], "--solution: expected no FILE beside it, got x.py"),
    (["--limit", "0", "x.py"], "--limit: expected a positive number of seconds, got 0"),
    (["--limit", "inf", "x.py"], "--limit: expected a positive number of seconds, got inf")])
def test_wrong_words_are_refused(args, message, capsys, write):
    assert cli.main(["check", *args]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"pysnn: error: {message}") and len(err.splitlines()) == 1


def test_a_file_named_like_a_module_of_ours_does_no_harm(write):
    """Python puts no folder of the student on its path before ours are loaded."""
    write("raise RuntimeError('not this one')\n", "numpy.py")
    write("raise RuntimeError('not this one')\n", "pysnn.py")
    marks, _ = exercises.mark_file(write(exercises.text("conversion", True)))
    assert marks.ok


def test_public_names():
    assert set(exercises.__all__) <= set(vars(exercises)) and all(inspect.getdoc(getattr(exercises, n)) for n in exercises.__all__
                                                                  if callable(getattr(exercises, n)))
