"""Where results go: devices, pipes and links stay what they are, modes and old files are kept, nothing of the user's is replaced."""

import errno
import json
import os
import pty
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pysnn import _files, checkpoint, cli, training
from tests.cases.command import ENV

TRAIN = "train temporal --data xor --backend reference --model 2-4-2 --epochs 3 --quiet --no-test".split()
VERIFY = "verify relu --backend reference --quiet".split()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def node(minor=3):
    """Make a device of our own: 3 is null, 7 is full."""
    try:
        os.mknod("node", 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        with open("node", "wb"):
            pass
    except (AttributeError, OSError) as error:
        pytest.skip(f"no device can be made or used here: {error}")
    return "node"


def train(out, *more):
    return cli.main([*TRAIN, *more, "--out", str(out)])


OUTPUTS = {   # an output of each verb
    "checkpoint": [*TRAIN, "--out"], "json": ["info", "--json"], "json of train": [*TRAIN, "--out", "a.npz", "--json"],
    "html": [*VERIFY, "--html"], "markdown": [*VERIFY, "--markdown"], "figure": ["plot", "neuron", "--out"],
}


@pytest.mark.parametrize("what", OUTPUTS)
def test_a_device_stays_a_device(what):
    device = node()
    assert cli.main([*OUTPUTS[what], device]) == 0
    assert stat.S_ISCHR(os.stat(device).st_mode) and not [p for p in os.listdir() if p.startswith(".")]


@pytest.mark.parametrize("what", OUTPUTS)
def test_a_full_device_gives_one_sentence(what, capsys):
    device = node(7)
    assert cli.main([*OUTPUTS[what], device]) in (1, 2)
    error = capsys.readouterr().err.strip()
    assert "node: No space left on device" in error and len(error.splitlines()) == 1
    assert stat.S_ISCHR(os.stat(device).st_mode)


@pytest.mark.parametrize("what", OUTPUTS)
def test_a_pipe_gets_all_and_stays_a_pipe(what):
    os.mkfifo("pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()), daemon=True)
    reader.start()
    assert cli.main([*OUTPUTS[what], "pipe"]) == 0
    reader.join(20)
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    if what == "checkpoint":                        # the last one, once
        Path("got.npz").write_bytes(got[0])
        assert training.load("got.npz").epoch == 3
    else:
        assert len(got[0]) > 100 and (json.loads(got[0]) if "json" in what else True)


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_an_open_file_is_written_to_not_replaced(name, place):
    if not os.path.exists("/dev/fd"):
        pytest.skip("no /dev/fd here")
    with open("seen", "w+b") as file:
        file.write(b"before ")
        file.flush()
        path = name.format(file.fileno())
        if name == "link":
            os.symlink(f"/dev/fd/{file.fileno()}", "link")
        elif not os.path.exists(path):
            pytest.skip(f"no {path} here")
        inode = os.fstat(file.fileno()).st_ino
        assert cli.main(["data", "where", "--json", path]) == 0
        assert os.stat("seen").st_ino == inode and (name != "link" or os.path.islink("link"))
        text = Path("seen").read_text()
        assert text.startswith("before {") and "cache" in json.loads(text.removeprefix("before "))


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_standard_output_holds_the_results_alone(name):
    done = subprocess.run([sys.executable, "-m", "pysnn", "data", "where", "--json", name], capture_output=True, text=True, env=ENV)
    assert done.returncode == 0 and "cache" in json.loads(done.stdout)


def test_a_terminal_is_written_to():
    ours, theirs = pty.openpty()
    assert cli.main(["data", "where", "--json", os.ttyname(theirs)]) == 0
    assert b'"cache"' in os.read(ours, 100_000)
    os.close(ours)
    os.close(theirs)


def test_links_stay_and_their_targets_are_written():
    os.makedirs("big")
    Path("big/x.npz").touch()
    os.symlink("big/x.npz", "one.npz")
    os.symlink("one.npz", "two.npz")
    os.symlink("big/new.npz", "dangling.npz")
    for name in ("two.npz", "dangling.npz"):
        assert train(name) == 0
        assert os.path.islink(name) and training.load(name).epoch == 3
    assert os.path.islink("one.npz") and sorted(os.listdir("big")) == ["new.npz", "x.npz"]
    for words in ("data where --json l.json", "plot neuron --out l.png"):
        name = words.split()[-1]
        os.symlink(f"big/{name}", name)
        assert cli.main(words.split()) == 0 and os.path.islink(name) and os.path.getsize(f"big/{name}") > 50


def test_a_link_that_leads_in_a_circle(capsys):
    os.symlink("b.npz", "a.npz")
    os.symlink("a.npz", "b.npz")
    assert train("a.npz") == 1 and os.path.islink("a.npz") and os.path.islink("b.npz")
    assert "a.npz: " in (error := capsys.readouterr().err) and "symbolic link" in error


@pytest.mark.parametrize("mask, mode", [(0o077, 0o600), (0o027, 0o640), (0o022, 0o644), (0o002, 0o664)])
def test_new_files_follow_the_umask_old_ones_keep_their_mode(mask, mode):
    Path("old.npz").touch()
    os.chmod("old.npz", 0o604)
    before = os.umask(mask)
    try:
        assert train("a.npz", "--json", "a.json") == train("old.npz") == 0
    finally:
        os.umask(before)
    assert [stat.S_IMODE(os.stat(name).st_mode) for name in ("a.npz", "a.json", "old.npz")] == [mode, mode, 0o604]


# ---- nothing lost

FOREIGN = {"thesis.txt": b"twelve months of work", "data.npz": None, "a.npy": b"\x93NUMPY", "photo.png": b"\x89PNG",
           "zip.zip": b"PK\5\6" + bytes(18)}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_kind_is_not_replaced(name, capsys):
    if FOREIGN[name] is None:
        np.savez(name, x=np.arange(9))
    else:
        Path(name).write_bytes(FOREIGN[name])
    before = Path(name).read_bytes()
    assert train(name) == 1
    assert f"{name}: expected a new name or a checkpoint of pysnn, got a file of another kind, which stays" in capsys.readouterr().err
    assert Path(name).read_bytes() == before and os.listdir() == [name]


def test_an_empty_file_may_be_replaced():
    Path("made-by-mktemp").touch()
    assert train("made-by-mktemp") == 0 and os.listdir() == ["made-by-mktemp"]


@pytest.mark.parametrize("damage", [lambda raw: raw[:-100], lambda raw: raw[:300], lambda raw: raw[:1000] + b"\xff" + raw[1001:]])
def test_a_damaged_checkpoint_is_kept(damage):
    train("a.npz")
    damaged = damage(Path("a.npz").read_bytes())
    Path("a.npz").write_bytes(damaged)
    assert train("a.npz") == 0 and training.load("a.npz").epoch == 3
    assert Path("a.previous.npz").read_bytes() == damaged


def test_a_checkpoint_of_a_newer_version_is_kept_and_so_are_several(place):
    train("a.npz")
    with checkpoint.Stored("a.npz") as stored:
        header, arrays = stored.header, stored.arrays()
    kept = []
    for version in (2, 3):
        checkpoint.write("a.npz", {**header, "version": version}, arrays)
        kept.append(Path("a.npz").read_bytes())
        assert train("a.npz") == 0
    assert [Path(name).read_bytes() for name in ("a.previous.npz", "a.previous2.npz")] == kept
    assert train("a.npz", "--seed", "5") == 0               # and a run that can be read goes behind them, the longest one stays
    assert training.load("a.previous3.npz").epoch == 3 and training.load("a.npz").seed == 5
    assert sorted(os.listdir()) == ["a.npz", "a.previous.npz", "a.previous2.npz", "a.previous3.npz"]


def test_names_with_dots_have_backups_of_their_own():
    names = ("run.lr0.01", "run.lr0.02", "run")
    for seed in (1, 2):
        for k, name in enumerate(names):
            assert train(name, "--seed", str(10 * seed + k)) == 0
    assert [training.load(f"{name}.previous.npz").seed for name in names] == [10, 11, 12]


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "fashion-proxy"])
def test_names_of_networks_that_ship_are_files_like_others(name):
    assert train(name) == train(name, "--resume") == train(name, "--seed", "1") == 0
    assert sorted(os.listdir()) == [name, f"{name}.previous.npz"] and training.load(name).seed == 1


@pytest.mark.parametrize("name, code", [("x" * 255, 0), ("\u00fc" * 127, 0), ("x" * 256, 1)], ids=["255", "two bytes each", "256"])
def test_long_names(name, code, capsys):
    assert train(name) == code
    assert (os.listdir() == [name]) if code == 0 else "File name too long" in capsys.readouterr().err


@pytest.mark.parametrize("out, words", [
    ("folder", "Is a directory"), ("file/a.npz", "expected a folder, got the file file"), ("file/b/a.npz", "expected a folder, got")])
def test_places_that_are_no_files(out, words, capsys):
    os.mkdir("folder")
    Path("file").write_text("mine")
    for command in ([*TRAIN, "--out", out], ["info", "--json", out], [*VERIFY, "--html", out], [*VERIFY, "--markdown", out]):
        assert cli.main(command) in (1, 2)
        error = capsys.readouterr().err.strip()
        assert len(error.splitlines()) == 1 and (words in error or "can be written" in error)
    assert sorted(os.listdir()) == ["file", "folder"] and os.listdir("folder") == []


def test_no_right_to_write(capsys):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    os.mkdir("shut")
    os.chmod("shut", 0o500)
    Path("shut.npz").touch(0o400)
    for out in ("shut/a.npz", "shut.npz"):
        assert train(out) == 1
        assert f"cannot write the checkpoint {out}: Permission denied" in capsys.readouterr().err
    assert cli.main(["info", "--json", "shut/a.json"]) == 1


@pytest.mark.parametrize("n", range(1, 7))
def test_a_disk_that_is_full_at_any_step(n, monkeypatch, capsys):
    """Of a new training over an old one: the old run is under its name or is the backup, and there is no half file."""
    train("a.npz")
    old, calls = Path("a.npz").read_bytes(), []

    def full(function):
        def wrapped(*args, **kwargs):
            calls.append(function)
            if len(calls) == n:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(*args, **kwargs)
        return wrapped

    with monkeypatch.context() as patch:
        for name in ("fsync", "replace", "link"):
            patch.setattr(os, name, full(getattr(os, name)))
        code = train("a.npz", "--seed", "5")
    error = capsys.readouterr().err
    assert code == 0 or error == "pysnn: error: cannot write the checkpoint a.npz: No space left on device\n"
    assert old in [Path(name).read_bytes() for name in os.listdir()] and not [p for p in os.listdir() if p.startswith(".")]
    assert all(training.load(name) for name in os.listdir())


def test_without_hard_links_the_backup_is_a_whole_copy(monkeypatch):
    train("a.npz")
    old = Path("a.npz").read_bytes()

    def none(*args, **kwargs):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", none)
    assert train("a.npz", "--seed", "5") == 0 and Path("a.previous.npz").read_bytes() == old
    assert sorted(os.listdir()) == ["a.npz", "a.previous.npz"]


def test_an_error_amid_a_file_names_it(monkeypatch, capsys):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for words, name in ((["info", "--json"], "a.json"), (["plot", "neuron", "--out"], "a.png"), ([*VERIFY, "--html"], "a.html")):
        assert cli.main([*words, name]) in (1, 2)
        assert f"cannot use {name}: No space left on device" in capsys.readouterr().err
    assert os.listdir() == []


# ---- locks

def test_two_trainings_on_one_file(capsys):
    os.symlink("a.npz", "link.npz")
    with _files.locked("a.npz"):
        for name in ("a.npz", "link.npz"):
            assert train(name) == 1
            assert f"{name}: another process writes it: wait for its end, or choose another name" in capsys.readouterr().err
        assert train("b.npz") == 0
    assert train("a.npz") == 0 and sorted(os.listdir()) == ["a.npz", "b.npz", "link.npz"]


def test_two_comparisons_in_one_folder(capsys):
    with _files.locked("folder"):
        assert cli.main("compare --data xor --backend reference --epochs 1 --seeds 1 --model 2-4-2 --methods ann --out folder".split()) == 1
    assert "folder: another process writes it" in capsys.readouterr().err


def test_a_process_that_is_killed_leaves_no_lock():
    code = "from pysnn import cli; import sys; cli.main(sys.argv[1:])"
    command = [sys.executable, "-c", code, *TRAIN, "--epochs", "100000", "--out", "a.npz"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENV)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and not os.path.exists("a.npz"):
            time.sleep(0.01)
        assert train("a.npz") == 1                          # it is at work
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert os.path.exists(".a.npz.lock")
    assert cli.main([*TRAIN, "--epochs", "100000", "--resume", "--seed", "1", "--out", "a.npz"]) == 1      # another seed, not the lock
    assert train("a.npz") == 0 and not os.path.exists(".a.npz.lock")


def test_a_folder_without_locks_can_be_written(monkeypatch):
    def none(*args):
        raise OSError(errno.ENOLCK, "no locks here")

    if _files.fcntl is None:
        pytest.skip("no locks here")
    monkeypatch.setattr(_files.fcntl, "flock", none)
    assert train("a.npz") == 0
    monkeypatch.setattr(_files, "fcntl", None)
    assert train("a.npz") == 0
