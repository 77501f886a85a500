"""The page docs/howto/many-processes.md runs: its program in one process, and with mpirun everything in it."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from pysnn.scale import mpi
from tests.cases import ROOT
from tests.cases.processes import environment, same

PAGE = (ROOT / "docs/howto/many-processes.md").read_text(encoding="utf-8")
PROGRAM = re.search(r"```python file=many.py\n(.*?)```", PAGE, re.S)[1]


def test_the_program_runs_in_one_process(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in (*mpi.SIZES, "PMIX_RANK"):
        monkeypatch.delenv(name, raising=False)
    exec(compile(PROGRAM, "many.py", "exec"), {"__name__": "page"})
    assert re.fullmatch(r"loss \d\.\d{6}\n", capsys.readouterr().out) and (tmp_path / "many-own.npz").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mpirun") is None, reason="needs mpirun")
def test_every_command_of_the_page(tmp_path):
    pytest.importorskip("mpi4py")
    (tmp_path / "many.py").write_text(PROGRAM)
    starts = {"pysnn": [sys.executable, "-m", "pysnn"], "python": [sys.executable], "mpirun": ["mpirun", "--oversubscribe"]}
    printed = []
    for line in "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.S)).splitlines():
        words = [word for text in shlex.split(line) for word in starts.get(text, [text])]
        done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (line, done.stderr)
        printed += [done.stdout] if "many.py" in line else []
    assert len(printed) == 2 and printed[0] == printed[1]
    same(tmp_path / "one.npz", tmp_path / "many.npz")


def test_the_page_says_what_is_said():
    assert "process 1: expected the same setting lr as process 0, 0.003, got 0.1" in PAGE      # as test_mpirun.py finds it
