"""Foreign code in its room: whatever a file does, verify and check say one sentence, nothing is left behind, and no green is forged."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pysnn import cli, foreign
from pysnn.foreign import _room
from pysnn.verify import student, suite
from tests.cases import ROOT

ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and prctl")
HEAD = "import os, signal, subprocess, sys, time\nimport numpy as np\nOPERATION = 'dense'\n"
FORWARD = "def forward(x, w, b):\n    {}\n    return x @ w + b, (x, w)\n"
BACKWARD = "def backward(dy, cache):\n    {}\n    x, w = cache\n    return {}dy @ w.T, x.T @ dy, dy.sum(axis=0)\n"


def dense(forward="pass", backward="pass", sign="", begin="", end=""):
    """Write a dense layer that does more than it should; sign "-" makes it wrong."""
    return f"{HEAD}{begin}\n{FORWARD.format(forward)}{BACKWARD.format(backward, sign)}{end}\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file into a folder of its own, and stand there."""
    monkeypatch.chdir(tmp_path)

    def at(text, name="mine.py"):
        (tmp_path / name).write_text(text)
        return name
    return at


def verify(capsys, file, *args):
    """Run pysnn verify; return its code, what it printed, and its results."""
    code = cli.main(["verify", "--module", file, "--quiet", "--json", "v.json", *args])
    return code, *capsys.readouterr(), json.loads(Path("v.json").read_text())


def alive(word):
    """Find the processes whose command or environment has a word, other than this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            zombie = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if word.encode() in text and not zombie and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def gone(word, seconds=5.0):
    """Wait until no process has the word."""
    until = time.monotonic() + seconds
    while alive(word) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(word)


# ---- it leaves its process

# whoever kills the keeper lives until the system has told both, and would answer meanwhile: so it waits
LEAVES = {"sys.exit()": "exits|raises SystemExit", "raise KeyboardInterrupt": "raises KeyboardInterrupt",
          "raise BaseException('x')": "raises BaseException: x", "os._exit(0)": r"ended the Python process \(exit code 0\)",
          "os.abort()": r"ended the Python process \(exit code -6\)", "os.closerange(0, 999)": "ended|closed",
          "os.kill(os.getppid(), 9); time.sleep(9)": "ended the Python process", "os.killpg(0, 9)": "ended the Python process",
          "os.killpg(os.getpgid(os.getppid()), 9); time.sleep(9)": "ended the Python process"}


def mostly_slow(cases, quick):
    """Mark all cases but some as slow."""
    return [pytest.param(*case, marks=[] if case in quick else pytest.mark.slow) for case in cases]


@pytest.mark.parametrize("what, where", mostly_slow(
    [(what, where) for what in LEAVES for where in ("end", "forward", "backward")],
    [*((what, "end") for what in LEAVES), ("sys.exit()", "forward"), ("os._exit(0)", "backward"), ("raise KeyboardInterrupt", "backward")]))
def test_leaving_is_never_green(what, where, write, capsys):
    code, out, err, found = verify(capsys, write(dense(**{where: what})))
    assert code == 2 and out == "" and len(err.splitlines()) == 1 and err.startswith("pysnn: error: mine.py: ")
    assert re.search(LEAVES[what], err), err
    (entry,) = found["entries"]
    assert not found["ok"] and found["n_unjudged"] == 1 and entry["verdict"] == "unjudged" and entry["note"] in err


@pytest.mark.parametrize("what", ["sys.exit(0)", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_what_is_known_when_it_leaves_is_written(what, write, capsys):
    code, out, err, found = verify(capsys, write(dense(f"N[0] += 1\n    if N[0] > 40: {what}", begin="N = [0]")), "--html", "v.html",
                                   "--markdown", "v.md")
    assert code == 2 and len(err.splitlines()) == 1 and "1 NOT RIGHT" in out
    assert [e["verdict"] for e in found["entries"]] == ["right", *["unjudged"] * (len(found["entries"]) - 1)] and not found["ok"]
    for report in ("v.html", "v.md"):
        assert found["entries"][-1]["note"] in Path(report).read_text() and "all right" not in Path(report).read_text()


def test_the_same_in_the_functions_of_an_operation_of_ones_own(write, capsys):
    own = ("from pysnn.operations import Operation\nimport sys\nimport numpy as np\n"
           "OPERATION = Operation('double', arguments=('x',), gradients=('x',))\n"
           "def forward(x):\n    return 2 * x, None\ndef backward(d, cache):\n    return 2 * d\n"
           "def cases(rng):\n    yield (rng.normal(size=(3, 2)),)\ndef definition(x):\n    return x + x\n"
           "def decisions(x):\n    return [x > 0]\nreference = forward, backward\n")
    assert verify(capsys, write(own))[0] == 0
    for name in ("cases(rng)", "definition(x)", "decisions(x)"):
        code, _, err, _ = verify(capsys, write(own.replace(f"def {name}:\n", f"def {name}:\n    sys.exit()\n")))
        assert code == 2 and "raises SystemExit" in err and len(err.splitlines()) == 1
    code, _, err, found = verify(capsys, write(own.replace("def definition(x):\n", "def definition(x):\n    1 / 0\n")))
    assert code == 2 and "could not judge: ZeroDivisionError" in err and found["n_wrong"] == 0


# ---- it takes too much

STUCK = {"loops": "while True: pass", "stops": "os.kill(os.getpid(), signal.SIGSTOP)",
         "forks": "[os.fork() for _ in '123']; time.sleep(99)"}


@pytest.mark.parametrize("what, where", mostly_slow([(what, where) for what in STUCK for where in ("end", "forward")],
                                                    [("loops", "end"), ("loops", "forward"), ("stops", "forward"), ("forks", "end")]))
def test_time(what, where, write, capsys):
    began = time.monotonic()
    code, out, err, _ = verify(capsys, write(dense(**{where: STUCK[what]})), "--limit", "0.5")
    assert code == 2 and out == "" and time.monotonic() - began < 20
    assert err == {"end": "pysnn: error: mine.py: expected it to run to its end within 0.5 s; it did not; --limit SECONDS gives it more\n",
                   "forward": "pysnn: error: mine.py: no answer within 0.5 s; --limit SECONDS gives it more\n"}[where]


def test_recursion(write, capsys):
    code, _, err, _ = verify(capsys, write(dense("return forward(x, w, b)")))
    assert code == 2 and "RecursionError" in err and len(err.splitlines()) == 1


@LINUX
@pytest.mark.parametrize("what, said", [
    ("bytearray(2 ** 33)", "MemoryError"), ("a = [bytearray(2 ** 26) for _ in range(99)]", "MemoryError"),
    ("import mmap; m = mmap.mmap(-1, 2 ** 29); m.write(bytes(2 ** 28)); m.write(bytes(2 ** 28)); time.sleep(9)", "memory")])
def test_memory(what, said, write, capsys, monkeypatch):
    monkeypatch.setattr(_room, "MEMORY", 2 ** 29)
    code, _, err, _ = verify(capsys, write(dense(end=what)))
    assert code == 2 and said in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("stream", ["print('x' * 100_000)", "os.write(2, b'x' * 100_000)"])
def test_output(stream, write, capsys):
    code, out, err, _ = verify(capsys, write(dense(end=f"while True: {stream}")))
    assert code == 2 and "prints without end" in err and len(err.splitlines()) == 1 and len(out) < 5000


# ---- it leaves nothing behind

DAEMON = ("if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    os._exit(0)\n"
          "subprocess.Popen(['sleep', '611'], start_new_session=True)\n"
          "subprocess.Popen(['/bin/sleep', '611'], start_new_session=True, env={})\ntime.sleep(0.2)\n")


@LINUX
@pytest.mark.parametrize("then, code", [("", 0), ("while True: pass", 2), ("os._exit(0)", 2)], ids=["right", "loops", "exits"])
def test_grandchildren_in_sessions_of_their_own_end(then, code, write, capsys, monkeypatch):
    monkeypatch.setenv("PYSNN_TEST_WORD", "grandchild-of-a-test")
    assert verify(capsys, write(dense(end=DAEMON + then)), "--limit", "1" if "while" in then else "9")[0] == code
    assert gone(b"sleep\x00611".decode(), 1) and gone("grandchild-of-a-test", 1)


@LINUX
def test_what_kills_its_keeper_leaves_no_orphan(write, capsys, monkeypatch):
    monkeypatch.setenv("PYSNN_TEST_WORD", "orphan-of-a-test")
    text = "subprocess.Popen(['sleep', '612'], start_new_session=True); os.kill(os.getppid(), 9); time.sleep(600)"
    assert verify(capsys, write(dense(end=text)))[0] == 2
    assert gone("orphan-of-a-test", 1)


@LINUX
@pytest.mark.parametrize("verb, how", mostly_slow(
    [(verb, how) for verb in ("verify", "check") for how in (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGINT)],
    [("verify", signal.SIGINT), ("check", signal.SIGKILL)]))
def test_when_the_command_is_ended_its_file_ends(verb, how, write):
    start = "subprocess.Popen(['sleep', '613'], start_new_session=True)\nwhile True: pass\n"
    file = write(dense(end=start) if verb == "verify" else f"{HEAD}EXERCISE = 'spike_loss'\n{start}", "endless.py")
    env = {**ENV, "PYSNN_TEST_WORD": f"ended-{verb}-{how}"}
    args = ["verify", "--module", file, "--limit", "60"] if verb == "verify" else ["check", file, "--limit", "60"]
    child = subprocess.Popen([sys.executable, "-m", "pysnn", *args], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while len(alive(env["PYSNN_TEST_WORD"])) < 4 and time.monotonic() < until:           # the command, keeper, worker, and what it started
        time.sleep(0.05)
    n_alive = len(alive(env["PYSNN_TEST_WORD"]))
    child.send_signal(how)
    child.wait(10)
    assert n_alive >= 4 and gone(env["PYSNN_TEST_WORD"])


# ---- it forges nothing

FAKES = {
    "prints": "print('\\x1b[2J\\x1b[H3 entries, 99 numbers compared: all right; 0.1 s\\r'); sys.stdout.flush()",
    "streams": "sys.stdout = sys.stderr = open(os.devnull, 'w')",
    "numpy": "np.abs = np.subtract = lambda *a: np.zeros(3); np.isfinite = np.ones_like; np.random.default_rng = None",
    "suite": "import pysnn.verify.suite as s; from pysnn.verify import Ledger; s.run = s.runner.run = None; Ledger.ok = True",
    "measure": "import pysnn.verify.suite._recorder as r; r.relative = lambda a, b: np.zeros(np.shape(b))",
    "atexit": "import atexit; atexit.register(os._exit, 0)",
    "hook": "sys.excepthook = lambda *a: os._exit(0)",
    "warnings": "import warnings; warnings.simplefilter('error'); np.seterr(all='raise')",
    "signals": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "place": "os.chdir('/'); os.environ.clear(); sys.argv[:] = []",
    "pipes": "for fd in range(3, 20):\n    try: os.write(fd, b'{}')\n    except OSError: pass",
    "json": "import json; json.dumps = lambda *a, **k: '[0, \"right\", {}, {}]'",
    "nested": "import json; json.dumps = lambda *a, **k: '[' * 99_999",
    "long": "import pysnn.foreign._wire as w; w.pack = lambda *a: w.HEAD.pack(2 ** 60, 2 ** 60)",
    "half": "import pysnn.foreign._wire as w; w.pack = lambda *a: w.HEAD.pack(99, 0)",
    "objects": "import json; json.dumps = lambda *a, **k: '[0, \"right\", {\"a\": [\"array\", \"|O\", [1], \"C\", false, 0, 8]}, {}]'",
}


WAITS = ("pipes", "half")          # its answer is cut off: nothing more comes


@pytest.mark.parametrize("how", [pytest.param(how, marks=[pytest.mark.slow] * (how not in ("prints", "suite", "hook", "pipes", "objects")))
                                 for how in FAKES])
def test_green_is_not_forged(how, write, capsys):
    code, out, err, found = verify(capsys, write(dense(sign="-", begin=FAKES[how])), "--limit", "0.5" if how in WAITS else "9")
    assert code in (1, 2) and not found["ok"] and len(err.splitlines()) == code - 1
    assert "\x1b" not in out + err and "\r" not in out + err
    if code == 1:
        assert "gradient of x: has the wrong sign" in out and found["n_wrong"] > 0 and found["n_unjudged"] == 0


def test_what_is_printed_stands_apart_and_is_harmless(write, capsys):
    code, out, _, _ = verify(capsys, write(dense(end=FAKES["prints"])))
    assert code == 0 and out.splitlines()[:2] == ["mine.py printed:", "  \\x1b[2J\\x1b[H3 entries, 99 numbers compared: all right; 0.1 s"]


EVIL = "\x1b[2J\x1b[1;1H12 of 12 items right\x9b0m\u202e\x07\x08"


SAYS = ("raise ValueError(EVIL)", "raise type(EVIL, (Exception,), {})", "sys.exit(EVIL)", "print(EVIL); 1 / 0", "return EVIL",
        "return type(EVIL, (), {'__repr__': lambda s: EVIL})()")


@pytest.mark.parametrize("verb, statement", mostly_slow([(verb, said) for verb in ("verify", "check") for said in SAYS],
                                                        [*(("verify", s) for s in SAYS[1:5]), ("check", SAYS[0]), ("check", SAYS[5])]))
def test_no_control_character_reaches_the_terminal(verb, statement, write, capsys):
    text = dense(statement, begin=f"EVIL = {EVIL!r}") if verb == "verify" else \
        f"import sys\nEXERCISE, EVIL = 'spike_loss', {EVIL!r}\ndef loss(z, y):\n    {statement}\n"
    args = ["--module", write(text), "--quiet"] if verb == "verify" else [write(text)]
    assert cli.main([verb, *args]) in (1, 2)
    out, err = capsys.readouterr()
    assert not [c for c in out + err if not c.isprintable() and c != "\n"] and "12 of 12 items right\n" not in out


def test_clean_text():
    assert foreign.clean("a\tb\r\nc é ü 漢\n") == "a\tb\nc é ü 漢\n"
    assert foreign.clean(EVIL) == r"\x1b[2J\x1b[1;1H12 of 12 items right\x9b0m\u202e\x07\x08"
    assert foreign.clean("\ud800 \u2028") == r"\ud800 \u2028"


# ---- it works

def test_input_is_empty(write, capsys):
    assert "EOFError" in verify(capsys, write(dense("input()")))[2]
    assert verify(capsys, write(dense("assert sys.stdin.read() == ''")))[0] == 0


def test_a_file_with_the_name_of_a_module_of_ours(write, capsys):
    for name in ("numpy.py", "json.py"):
        write("raise RuntimeError('not this one')\n", name)
    write("VALUE = 2.0\n", "sibling.py")
    assert verify(capsys, write(dense(begin="from sibling import VALUE")))[0] == 0


def test_arrays_go_and_come_as_they_are(write):
    with foreign.Room(write("import numpy as np\ndef same(*x):\n    return x\ndef change(x):\n    x += 1\n"
                            "def seen(x):\n    return [x.flags.f_contiguous, x.dtype.str, x.shape]\n")) as room:
        module = room.load()
        for x in (np.array([[1, np.nan], [-0.0, np.inf]]), np.float32([3]), np.array(2.5), np.zeros((0, 3)), np.arange(6).reshape(2, 3) > 2,
                  np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(10.0)[::3], np.complex128([1j])):
            back, again = module.same(x, x)
            assert back.tobytes() == again.tobytes() == x.tobytes() and back.dtype == x.dtype and back.shape == x.shape
            assert module.seen(x) == [x.flags.f_contiguous, x.dtype.str, list(x.shape)] or module.seen(x)[2] == x.shape
        a = np.zeros(3)
        module.change(a)
        assert (a == 1).all()
        assert type(module.same(np.float64(2), 1)[0]) is np.float64 and module.same(True, None, "a", 2, 1.5)[:4] == (True, None, "a", 2)


def test_arrays_lie_over_there_as_they_lie_here(write):
    with foreign.Room(write("def seen(x):\n    return [x.flags.c_contiguous, x.flags.f_contiguous, x.flags.writeable]\n")) as room:
        module = room.load()
        a = np.arange(12.0).reshape(3, 4)
        fixed = a.copy()
        fixed.flags.writeable = False
        for x in (a, np.asfortranarray(a), a[:, ::2], fixed):
            assert module.seen(x) == [x.flags.c_contiguous, x.flags.f_contiguous, x.flags.writeable]


def test_what_a_call_does_to_earlier_results_is_done_here(write):
    """A buffer that the next call writes into, an argument, a cache: all of it is seen on this side."""
    with foreign.Room(write("import numpy as np\nBUFFER = np.zeros(3)\ndef forward(x):\n    BUFFER[:] = x\n    return BUFFER, {'x': [x]}\n"
                            "def backward(d, cache):\n    cache['x'][0] += 1\n    d *= 2\n    return d\n"
                            "def look(cache):\n    return cache['x'][0]\n")) as room:
        module = room.load()
        first, cache = module.forward(np.ones(3))
        module.forward(np.full(3, 7.0))
        assert (first == 7).all() and cache.n_changes == 0
        module.look(cache)
        assert cache.n_changes == 0
        d = np.ones(3)
        module.backward(d, cache)
        assert (d == 2).all() and cache.n_changes == 1


def test_a_cache_stays_the_same_object(write):
    """A second backward on one cache must see what the first one has done to it."""
    for cache in ("[x.copy()]", "(x.copy(),)", "{'x': x.copy()}", "x.copy()"):
        take = "c" if cache == "x.copy()" else "c['x']" if "{" in cache else "c[0]"
        with foreign.Room(write(f"def forward(x):\n    return x, {cache}\n"
                                f"def backward(d, c):\n    a = {take}\n    a += 1\n    return d * a\n")) as room:
            module = room.load()
            _, kept = module.forward(np.ones(2))
            first, second = module.backward(np.ones(2), kept), module.backward(np.ones(2), kept)
            assert first.tolist() == [2, 2] and second.tolist() == [3, 3], cache


def test_what_is_forgotten_here_is_forgotten_there(write):
    text = "import gc\nimport weakref\nlive = weakref.WeakSet()\nclass Cache:\n    pass\n" \
           "def forward(x):\n    c = Cache(); live.add(c)\n    return x, c\ndef count():\n    gc.collect(); return len(live)\n"
    with foreign.Room(write(text)) as room:
        module = room.load()
        kept = [module.forward(1.0)[1] for _ in range(5)]
        assert module.count() == 5
        kept.clear()
        assert module.count() <= 1


def test_random_numbers_go_on_where_they_were(write):
    with foreign.Room(write("def draw(rng):\n    return rng.normal(size=3)\n")) as room:
        module, here, there = room.load(), np.random.default_rng(3), np.random.default_rng(3)
        for _ in range(2):
            assert (module.draw(there) == here.normal(size=3)).all()
        assert here.normal() == there.normal()


def test_after_an_end_it_begins_again(write):
    with foreign.Room(write("import os\ndef f(x):\n    os._exit(x) if x else None\n    return 5\n"), limit=5) as room:
        module = room.load()
        with pytest.raises(foreign.NoAnswer, match="exit code 3"):
            module.f(3)
        with pytest.raises(foreign.NoAnswer, match="exit code 3"):
            module.f(0)
        room.begin()
        assert module.f(0) == 5


@pytest.mark.parametrize("method", ["proxy", *(pytest.param(m, marks=pytest.mark.slow) for m in ("tandem", "surrogate", "ann"))])
def test_learning_rules_are_checked_there(method, write):
    """Their networks are built there anew, and what a rule changes of them is seen here."""
    text = f"from pysnn.learning import METHODS\nOPERATION = {method!r}\n" \
           "def gradients(nets, x, y):\n    step = METHODS[OPERATION].gradients(nets, x, y)\n    {}return step\n"
    for change, right in (("", True), ("step.grads['w1'] *= -1\n    ", False), ("nets.net.params['w1'] += 1\n    ", False)):
        kind = "frozen offsets" if "grads" in change else "arguments left alone"
        with foreign.Room(write(text.format(change))) as room:
            rule = student.load("mine.py", None, lambda _, room=room: room.load())
            for check in suite.checks(method, few=True):
                if right or check.kind == kind:
                    assert suite.apply(check, rule).ok == right, check.name
