"""Do what docs/teach tells a teacher, for a class of ten, and log how long each step takes; with what was unclear on the way.

Run: python docs/results/trial.py        writes docs/results/trial.json; needs what `make slides` needs, Chromium too

The commands are those of docs/teach/index.md, without the installation, which docs/results/newcomer.py times; then those of a lab. The
class is made here: right and wrong files, one that does not parse, an endless loop, an empty file. STUMBLES is
what was noted when the project's own people did the same step by step from the pages alone, as a teacher, as a student and as an
editor; (what it was, what was changed). No class has tried it yet.
"""

import csv
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import readability

from pysnn import exercises

DOCS = Path(__file__).resolve().parents[1]
PAGES = ("teach/index.md", "teach/exact-spike-times.md", "teach/exact-spike-times-lab.md", "teach/grading.md")
WORDS_A_MINUTE = 200
LAB = ("spike_time", "temporal_backward", "spike_loss", "find_the_bug")
EXERCISES = ("leaky_neuron", "stdp", "delay_backward", "localise")            # done from the stub to full marks
STUMBLES = {
    "teacher": (
        ("the set-up says that the second file has 100 %; the table has it first, and not as a remark", "the page names file and column"),
        ("a hand-in of three files, from a lab of four exercises", "four"),
        ("one score a student was left to the reader, and a score for a folder to one command a student", "a program on the page"),
        ("the link just before the jump stood six steps before it, so one step did nothing", "another state, and a test"),
        ("`find_the_bug` asked for lines to fill in, and spoke of sixteen mistakes where there are more", "other words, no number"),
        ("on a busy machine a right file lost an item, for its answer did not come within 2 seconds",
         "such a file is marked a second time, with more time"),
    ),
    "student": (
        ("the sum over all weights in the denominator had no hint where an input never comes", "a known mistake, in two exercises"),
        ("two mistakes at once left only the place where something is wrong", "the hint says that no single mistake gives the numbers"),
        ("a hint counted the NaN and stopped", "it says where NaN come from, and numpy.where"),
        ("symbols of the equations that the file does not have, such as gamma, K, h, sigma, e, lambda", "named in six exercises"),
        ("equal times that enter together were marked and not asked for", "a note in `spike_time`"),
        ("pages of the course used (T7) before they said where it comes from", "each page begins with what it needs, ends with the next"),
    ),
    "editor": (
        ("poll 5 counted inputs where one could read times", "numbers of the inputs"),
        ("poll 1 spoke of an example that the page does not have; poll 9 did not say that the causal set stays", "said"),
        ("answers with 'tempts who', which is no English", "'tempts those who'"),
        ("problem 3 on counts left out between which currents, problem 5 what y is", "said"),
    ),
}

AGAIN = {                                # a second time, with mistakes made on purpose; those that cost most stand first
    "date": "2026-11-27",
    "exercises": ("spike_time", "temporal_backward", "surrogate_backward", "proxy_step", "leaky_neuron", "delay_backward",
                  "event_prop_spike", "stdp", "localise", "repair_tutorial", "find_the_bug"),
    "stumbles": (
        ("on the site the link just before the jump opened the page without that state", "links keep their state, and a test"),
        ("on a busy machine a notebook had 0 %, for it did not run to its end within 2 seconds", "it is marked a second time"),
        ("fourteen common mistakes had no hint, such as `=` in the place of `+=`", "fourteen hints"),
        ("an answer on delays was that of another question", "computed again"),
        ("nothing said that the wheel for students has the solutions", "the page on grading says it"),
        ("results in float32 lost an item, although the page says that they are right", "they are right"),
        ("hints asked for `train_step` by hand where another function was wrong", "they say what it is computed from"),
        ("a message named `answers.py` where `answers.ipynb` was handed in", "the file that was handed in"),
        ("results.json called an exercise not handed in whose file could not be read", "it says so"),
        ("`pysnn check` of several folders did not say in which one a broken file lies", "it does"),
        ("`--jobs 0` was taken", "refused"),
        ("`>` in the place of `>=` had full marks in `repair_tutorial`", "a case exactly at the threshold"),
        ("training with silent outputs warned of layer 1", "it names the layer that is the cause"),
        ("three pages of the course for an evening that has the exercises of two", "two"),
        ("'first half' of a page, to be read before the lecture", "up to which equation"),
        ("a link to the comparison that led to the top of a long page, in two places", "to its heading"),
        ("a project without its command", "the command"),
        ("the syllabus said of each page that it has a worked example; three have none", "most"),
        ("one minute for two votes and a talk between them", "two more where votes are divided"),
        ("`delay by one more millisecond` where a derivative was meant", "by a little"),
        ("(T11) divided a gradient by 1/tau", "1/tau on the other side"),
        ("points of a student with 15 digits", "rounded"),
        ("the script behind the time for a class of 100 had stopped with an error since exercises were added", "it runs, and a test"),
        ("a note on a slide named a link on another page", "the page that has it"),
        ("remarks on an item were promised and are not in the table", "the page says where"),
    ),
}
SHOWN = 5                                # of them on the page


def commands():
    """Return the lines of the set-up that follow the installation, in order."""
    return re.findall(r"^\$ (pysnn .+)$", (DOCS / "teach/index.md").read_text(encoding="utf-8").split("**Be a student")[1], re.M)


def submissions():
    """Make the class: for each student the texts of the files."""
    right = {name: exercises.text(name, True) for name in LAB}
    stub = exercises.text("spike_time")
    sign = right["spike_loss"].replace("-(p - one_hot)", "(p - one_hot)")
    return {
        "ada": right, "ben": {"all": right["spike_time"] + "\n\n" + right["spike_loss"]}, "cleo": {"spike_loss": sign},
        "dan": {"spike_time": stub.replace("    z_out = ...", "    while True:\n        z_out = ...")}, "eva": {"spike_time": ""},
        "fay": {name: exercises.text(name) for name in LAB}, "gus": {"spike_time": right["spike_time"].replace("):\n", ")\n", 1)},
        "hal": {"temporal_backward": right["temporal_backward"].replace(" - threshold\n", "\n")},
        "ida": {"spike_time": right["spike_time"].replace("<= z_next", "< z_next")}, "joe": {"homework": "print('no exercise')\n"}}


def main():
    """Follow the pages, log, write the record."""
    from record import write
    steps = []

    def do(what, *lines, codes=(0, 1)):
        began = time.perf_counter()
        for line in lines:
            print(f"$ {line}", flush=True)
            code = subprocess.run([sys.executable, *line.split()], cwd=folder, stdout=subprocess.DEVNULL).returncode
            if code not in codes:
                sys.exit(f"{line}: exit code {code}")
        steps.append({"what": what, "lines": len(lines), "seconds": round(time.perf_counter() - began, 1)})
    with tempfile.TemporaryDirectory() as folder:
        *student, teacher = (f"-m {line}" for line in commands())
        do("build the slides of both lessons, HTML, PDF and PPTX", f"{DOCS / '_ext/slides.py'} slides", codes=(0,))
        do("be a student", *student)
        place = Path(folder, "class")
        place.mkdir()
        for name in ("spike_time.py", "right.py"):
            Path(folder, name).rename(place / name)
        do("be a teacher of two files", teacher)
        do("copy the exercises of the lab", *(f"-m pysnn check --start {name} lab" for name in LAB))
        for name, files in submissions().items():
            (Path(folder, "submissions") / name).mkdir(parents=True)
            for stem, text in files.items():
                (Path(folder, "submissions") / name / f"{stem}.py").write_text(text, encoding="utf-8")
        do("grade a class of ten", "-m pysnn grade submissions --csv ten.csv --json ten.json --seed 4711")
        do("results.json of one student", "-m pysnn grade submissions/ada --gradescope results.json --seed 4711 --hints 1")
        rows = list(csv.DictReader(Path(folder, "ten.csv").read_text(encoding="utf-8").splitlines()))
    scores = {Path(row["file"]).relative_to("submissions").as_posix(): float(row["score"]) for row in rows}
    words = {page: readability.measure(DOCS / page, [])["words"] for page in PAGES}
    print(scores, words, f"{sum(step['seconds'] for step in steps):.0f} s", sep="\n")
    write("trial", {"command": "python docs/results/trial.py", "tried_by": "the project, from its pages alone; no class yet",
                    "steps": steps,
                    "words": words, "words_a_minute": WORDS_A_MINUTE, "scores": scores, "exercises": EXERCISES, "stumbles": STUMBLES,
                    "again": AGAIN, "shown": SHOWN})


if __name__ == "__main__":
    main()
