"""The lessons: minutes add up, slides and polls are all used, answers are right, commands work."""

import itertools
import json
import re
import shlex
import sys

import numpy as np
import pytest

from pysnn import cli, exercises
from pysnn.conventions import Rule, Surrogate
from pysnn.learning import proxy
from pysnn.reference import integrate_fire, temporal
from tests.cases import ROOT

TEACH = ROOT / "docs/teach"
LESSONS = ("exact-spike-times", "spike-counts")
PAGES = sorted(TEACH.glob("*.md"))
by_lesson = pytest.mark.parametrize("lesson", LESSONS)


def read(name):
    return (TEACH / f"{name}.md").read_text(encoding="utf-8")


def spans(text):
    """Expand 1-2, 4 to [1, 2, 4]."""
    found = [[int(n) for n in part.split("-")] for part in text.split(",") if part.strip()]
    return [n for first, *last in found for n in range(first, (last or [first])[0] + 1)]


def timetable(page):
    """Return the rows of the table that begins with minutes."""
    rows = re.search(r"^\| minutes .*\n\|[-|]+\n((?:\|.*\n)+)", page, re.M)[1].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@by_lesson
def test_minutes_slides_and_polls_are_all_there(lesson):
    plan, deck = read(lesson), read(f"slides/{lesson}")
    for rows in (timetable(plan), timetable(read(f"{lesson}-lab"))):
        edges = [[int(n) for n in row[0].split("-")] for row in rows]
        assert edges[0][0] == 0 and edges[-1][1] == 90 and all(a[1] == b[0] for a, b in itertools.pairwise(edges))
    slides = re.split(r"^---$", deck, flags=re.M)
    assert spans(",".join(row[1] for row in timetable(plan))) == list(range(1, len(slides) + 1))
    assert spans(",".join(row[3] for row in timetable(plan))) == list(range(1, 13))
    polls = {int(n): k for k, slide in enumerate(slides, 1) for part in re.findall(r"[Pp]olls? (?:\d+(?:, | and )?)+", slide)
             for n in re.findall(r"\d+", part)}
    assert all(slide.partition("\nNotes:")[2].strip() for slide in slides)
    for row in timetable(plan):                    # a poll that the notes of a slide name is beside it
        assert not [n for n in spans(row[3]) if n in polls and polls[n] not in spans(row[1])], (lesson, row, polls)


@by_lesson
def test_polls_have_answers_and_every_wrong_one_a_reason(lesson):
    polls = re.split(r"^## (\d+)\. .+$", read(f"{lesson}-polls"), flags=re.M)
    assert polls[1::2] == [str(n) for n in range(1, 13)]
    right = []
    for text in polls[2::2]:
        question, _, answer = text.partition("<details><summary>Answer</summary>")
        assert re.findall(r"^- ([A-D])\. \S", question, re.M) == list("ABCD") and answer.rstrip().endswith("</details>")
        (letter,) = re.findall(r"\*\*([A-D])\.\*\*", answer)
        assert all(re.search(rf"\b{other}\b", answer) for other in "ABCD" if other != letter), answer
        right.append(letter)
    assert all(2 <= right.count(letter) <= 4 for letter in "ABCD"), right


@by_lesson
def test_each_problem_has_an_answer(lesson):
    page = read(f"{lesson}-problems")
    assert re.findall(r"^## (\d)\. ", page, re.M) == list("123456") and page.count("<details><summary>Answer</summary>") == 6


def fires(z, w):
    """Return time and derivatives of one neuron."""
    z_out, cache = temporal.forward(np.array([z], float), np.array(w, float)[:, None])
    dz, dw = temporal.backward(np.ones((1, 1)), cache)
    return z_out[0, 0], dz[0].tolist(), dw[:, 0].tolist()


def test_numbers_of_exact_spike_times():
    polls, problems = read("exact-spike-times-polls"), read("exact-spike-times-problems")
    example = fires(np.exp([0, 1, 2]), [0.8, 0.6, -0.3])
    assert example[1] == pytest.approx([2, 1.5, 0]) and "$w_2/(S - \\vartheta) = 1.5$" in polls                                # poll 1
    assert fires([1], [0.8])[0] == np.inf and np.log(fires([1], [2])[0]) == pytest.approx(0.69, abs=0.005)                # 2, 3
    assert fires(np.e * np.array([1, 2.0]), [1, 1])[0] == pytest.approx(np.e * fires([1, 2], [1, 1])[0])                  # 4
    assert fires([1, 2, 4], [0.5, 1, 1])[0] == pytest.approx(6.5 / 1.5) and fires([1, 2], [0.5, 1])[0] == 5               # 5
    assert fires([1, 3], [2, 1])[2][1] == 0                                                                               # 6
    (less, _, _), (same, *_), (later, *_) = (fires([1, t], [2, w]) for t, w in ((1.5, -0.4), (1.5, -0.5), (1.6, -0.5)))
    assert less < same and later < same                                                                                   # 7, 8
    near = fires([1, 1.2], [0.6, 0.5])
    assert sum(near[1]) == pytest.approx(11)                                                                              # 9
    assert fires([1, 2.01, 4], [2, -1.5, 1])[1][1] == 0 and fires([1, 1.99, 4], [2, -1.5, 1])[0] == pytest.approx(6.03)   # 10
    assert fires([1, 1.99, 4], [2, -1.5, 1])[1][1] == pytest.approx(-3) and fires([1, 2], [0.5, 0.4])[2] == [0, 0]        # 10, 11
    z, _, dw = fires([1, 2], [0.9, 0.6])
    assert z == pytest.approx(4.2) and dw[1] == pytest.approx(-4.4) == pytest.approx(-1.1 / 0.25) and fires([1, 2], [0.9, 0.1])[0] == np.inf
    z_in = np.exp([0, 0.5])
    z, dz, _ = fires(z_in, [1.2, 0.8])
    assert f"= {z:.3f}$, $t = {20 * np.log(z):.2f}$ ms" in problems and fires([1], [1.2])[0] == pytest.approx(6)
    first, second = z_in * dz / z
    assert f"{second:.3f} ms for the second input, {first:.3f} ms for the first" in problems and first + second == pytest.approx(1)
    assert fires([1, 1.4], [3, -1])[0] == pytest.approx(1.6) and fires([1, 1.4], [3, -1])[1][1] == -1 and fires([1, 1.6], [3, -1])[0] == 1.5
    assert fires([1, 1.4], [3, -1.99])[0] < np.inf == fires([1, 1.4], [3, -2])[0] == fires([1, 1.4], [3, -2.5])[0]
    a, b, out = fires([1, 2], [1.5, 0.5]), fires([1, 2], [1, 1]), fires([2.5, 3], [1, 1])
    assert (a[0], b[0], out[0]) == (2.5, 3, 5.5) and out[1:] == ([1, 1], [-3, -2.5])
    assert (a[2], b[2]) == ([-1.5, -0.5], [-2, -1]) and np.add(a[1], b[1]).tolist() == [2.5, 1.5]
    for z, wanted in (([2.0, 3.0], "$p = (0.731, 0.269)$, $L = 1.313$"), ([4.0, 6.0], "$L = 2.127$")):
        p = np.exp(-np.array(z)) / np.exp(-np.array(z)).sum()
        said = f"$L = {-np.log(p[1]):.3f}$"
        assert wanted in problems and wanted.endswith(said) and (z[0] > 2 or f"({p[0]:.3f}, {p[1]:.3f})" in wanted)


def counted(a, n_steps, reset="subtract", v_init=0.0):
    return int(integrate_fire.forward(np.full((n_steps, 1), float(a)), 1.0, np.full(1, float(v_init)), Rule(reset))[0].sum())


def test_numbers_of_spike_counts():
    polls, problems = read("spike-counts-polls"), read("spike-counts-problems")
    assert counted(0.75, 12) == 9 and [counted(a, 12, "zero") for a in (0.75, 0.5, 0.99, 0.6, 1)] == [6, 6, 6, 6, 12]         # polls 1, 2
    timed = [integrate_fire.forward(np.full((9, 1), 0.75), 1.0, np.zeros(1), Rule("zero", timing=t)) for t in ("same", "next")]
    assert (timed[0][0] == timed[1][0]).all()                                                                               # 3
    assert [counted(0.6875, 8, v_init=v) for v in (0, 0.5)] == [5, 6] and counted(1.5, 8) == 8                              # 4, 5
    assert min(1 - counted(0.999, n, "zero") / n for n in (10, 20, 100, 1000)) > 0.4                                        # 6
    far = [integrate_fire.surrogate_grad(np.array([-4.0]), Surrogate(kind, k))[0] for kind, k in (("triangle", 1.0), ("atan", 2.0))]
    assert far[0] == 0 and f"{far[1]:.3f} for atan with $k = 2$" in polls                                                   # 8
    assert [counted(0.875, 8, reset) for reset in ("subtract", "zero")] == [7, 4]
    assert integrate_fire.forward(np.full((8, 1), 0.875))[1][0] == 0
    a = np.arange(0, 1, 1 / 4096) + 1 / 8192
    for n, v, bound in ((100, 0.0, 0.01), (50, 0.5, 0.01)):
        rate = integrate_fire.forward(np.tile(a, (n, 1)), 1.0, np.full(len(a), v))[0].mean(axis=0)
        fewer = integrate_fire.forward(np.tile(a, (n - 1, 1)), 1.0, np.full(len(a), v))[0].mean(axis=0)
        assert abs(a - rate).max() <= bound < abs(a - fewer).max()
    spikes, _, cache = integrate_fire.forward(np.full((3, 1), 0.75))
    back = [integrate_fire.backward(np.ones((3, 1)), cache, None, Surrogate("triangle", 1.0), d)[0][::-1, 0] for d in (True, False)]
    assert spikes[:, 0].tolist() == [0, 1, 1] and [b.tolist() for b in back] == [[0.75, 1.25, 2], [0.75, 0.875, 0.96875]]
    assert "0.75, 1.25, 2." in problems and "0.96875" in problems
    for w1, clip, wanted in ((0.75, True, (3, -0.15625, 0.5, 0.75)), (2.0, True, (4, -0.125, 0, 1)), (2.0, False, (4, -0.125, 0.5, 2))):
        settings = proxy.Settings(model="1-1-1", n_steps=8, v_init=0.0, clip=clip, dtype="float64", backend="reference")
        step = proxy.gradients(proxy.build(settings, {"w1": np.array([[w1]]), "w2": np.array([[0.5]])}), np.ones((1, 1)), np.zeros(1, int))
        y = step.y[0, 0]
        c = 2 / 8 * (y / 8 - 1)
        assert (y, c, *(step.grads[name][0, 0] / c for name in ("w1", "w2"))) == wanted and f"{wanted[1]:g}" in problems
    assert f"{1 - 0.7 ** 4:.4f}" in problems


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_parse_and_exercises_exist(page):
    text = page.read_text(encoding="utf-8").replace(" \\\n", " ")
    commands = re.findall(r"^(?:[$>] )?(pysnn .+)$", text, re.M) + re.findall(r"`(pysnn [a-z]+ [^`]*)`", text)
    for command in commands:
        args = cli.parser().parse_args(shlex.split(command.replace("NAME", "spike_time"))[1:])
        assert getattr(args, "start", None) in (None, *exercises.NAMES), command
    named = {word for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text) if word not in ("spikes_t",)}
    assert page.stem in ("grading",) or named <= {*exercises.NAMES}, named - {*exercises.NAMES}


def test_the_link_opens_just_before_the_jump():
    """One press of the left arrow key on the chosen input, and the spike jumps; the derivative said nothing."""
    source = (ROOT / "docs/interactive/src/neuron-draw.js").read_text(encoding="utf-8")
    (step,) = re.findall(r"e\.shiftKey \? [\d.]+ : ([\d.]+)", source)
    found = [m for page in (*PAGES, ROOT / "docs/interactive/index.md") for m in re.findall(
        r"neuron\.html#t=([\d.,]+)&w=([-\d.,]+)&threshold=1&input=(\d)", page.read_text(encoding="utf-8"))]
    assert len(found) == 3
    for t, w, chosen in found:
        t, w = ([float(x) for x in part.split(",")] for part in (t, w))
        before, slopes, _ = fires(np.exp(t), w)
        t[int(chosen) - 1] -= float(step)
        assert before == 2 and slopes[int(chosen) - 1] == 0 and fires(np.exp(t), w)[0] == pytest.approx(6, abs=0.05)


def test_the_trial_is_of_these_pages():
    """The record of the trial: the lines of the set-up, the words that the pages have, the marks that the class has earned."""
    sys.path.insert(0, str(ROOT / "docs/results"))
    try:
        import readability
        import trial
    finally:
        sys.path.remove(str(ROOT / "docs/results"))
    record = json.loads((ROOT / "docs/results/trial.json").read_text())
    shown = re.findall(r"^\$ pysnn (.+)$", read("index").split("**Be a student")[1], re.M)
    assert trial.commands() == [f"pysnn {line}" for line in shown] and sum(step["lines"] for step in record["steps"]) == len(shown) + 7
    assert sum(step["seconds"] for step in record["steps"]) < 900
    for page, n in record["words"].items():
        assert abs(readability.measure(ROOT / "docs" / page, [])["words"] - n) < 60, f"{page}: run {record['command']}"
    assert record["stumbles"] == json.loads(json.dumps(trial.STUMBLES)) and set(record["exercises"]) < set(exercises.NAMES)
    assert record["again"] == json.loads(json.dumps(trial.AGAIN)) and set(record["again"]["exercises"]) < set(exercises.NAMES)
    scores, files = record["scores"], {f"{who}/{name}.py" for who, made in trial.submissions().items() for name in made}
    assert set(scores) == files and len(trial.submissions()) == 10
    assert {file for file, score in scores.items() if score == 100} == {"ben/all.py", *(f"ada/{name}.py" for name in trial.LAB)}
    assert all(scores[f"{file}.py"] == 0 for file in ("dan/spike_time", "eva/spike_time", "gus/spike_time", "joe/homework"))
    assert all(0 < scores[f"{file}.py"] < 100 for file in ("cleo/spike_loss", "ida/spike_time"))


@by_lesson
def test_a_lab_takes_in_a_file_for_each_exercise(lesson):
    lab, numbers = read(f"{lesson}-lab"), ("one", "two", "three", "four", "five")
    (n,) = re.findall(r"the (\w+) files\.\*\*", lab)
    assert numbers.index(n) + 1 == len(re.findall(r"^\*\*`\w+` \(\d+\)\.\*\*", lab, re.M))


def test_the_set_up_works(tmp_path, monkeypatch, capsys):
    """The lines of "Be a student" and "Be a teacher", as they stand."""
    monkeypatch.chdir(tmp_path)
    shown = read("index").split("**Be a student")[1]
    lines = re.findall(r"^\$ pysnn (.+)$", shown, re.M)
    assert [cli.main(shlex.split(line)) for line in lines[:-1]] == [0, 1, 0, 0]
    (tmp_path / "class").mkdir()
    for name in ("spike_time.py", "right.py"):
        (tmp_path / name).rename(tmp_path / "class" / name)
    capsys.readouterr()
    assert cli.main(shlex.split(lines[-1])) == 0
    told = capsys.readouterr().out
    assert re.search(r"right\.py +100\.0 % .*the solution", told) and (tmp_path / "marks.csv").is_file()
