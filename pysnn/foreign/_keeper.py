"""The process in which foreign code runs: python -P _keeper.py FILE PARENT MEMORY; `Room` starts it and talks to it.

Where the system can fork, it is two processes. The first is the keeper: it ends all that the second one has started, in whatever session,
when the second ends, when it is told to, and when the parent is gone. The second runs the file and answers calls.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

TOO_MUCH_MEMORY, TOO_MANY = 201, 202      # exit codes of the keeper
MAX_PROCESSES = 128
MAX_FILE = 2 ** 28                        # bytes that the file may write to one file
PDEATHSIG, CHILD_SUBREAPER = 1, 36        # of Linux's prctl

def keep(parent, memory):
    """Fork; return in the new process. The old one ends all that the new one starts, and then itself, in the way in which that ended."""
    prctl(CHILD_SUBREAPER, 1)                  # whoever loses its parent below becomes a child of this process
    told, status, wrong = [], None, 0
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    keeper, worker = os.getpid(), os.fork()
    if worker == 0:
        prctl(PDEATHSIG, signal.SIGKILL)
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        limit(memory)
        if os.getppid() != keeper:
            os._exit(1)
        return
    for fd in (0, 1):                          # the ends of the pipes are the worker's alone: when it is gone, the parent sees it
        os.close(fd)
    looked, pause = time.monotonic(), 0.1
    while not (told or wrong) and os.getppid() == parent and status is None:
        time.sleep(0.01)
        status, begun = reap(worker), time.monotonic()
        if begun - looked > pause:
            below = descendants()
            wrong = TOO_MANY if len(below) > MAX_PROCESSES else TOO_MUCH_MEMORY if sum(below.values()) > memory else 0
            looked = time.monotonic()
            pause = max(0.1, 20 * (looked - begun))           # looking takes a twentieth of the time at most
    end(worker)
    if wrong or status is None or os.WIFEXITED(status):
        os._exit(wrong or os.WEXITSTATUS(status or 0))
    limit(memory)                              # no core dump
    with contextlib.suppress(OSError):         # SIGKILL needs no such thing
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
    os.kill(os.getpid(), os.WTERMSIG(status))


def prctl(option, value):
    """Call Linux's prctl; elsewhere do nothing."""
    if sys.platform == "linux":
        import ctypes
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(int(value)), 0, 0, 0)


def limit(memory):
    """Limit what this process may take."""
    import resource
    limits = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": MAX_FILE, "RLIMIT_DATA": memory}
    with contextlib.suppress(OSError, ValueError, IndexError):             # processes: those of everybody now, and some
        limits["RLIMIT_NPROC"] = int(Path("/proc/loadavg").read_text().split("/")[1].split()[0]) + 2 * MAX_PROCESSES
    for name, most in limits.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, name), (most, most))


def reap(worker):
    """Take leave of the children that have ended; return the worker's status if it is among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            status = found[1] if found[0] == worker else status
    return status


def descendants():
    """Find what this process and its children have started: {process: bytes of memory}; nothing where there is no /proc."""
    parents, memory, page = {}, {}, os.sysconf("SC_PAGE_SIZE")
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(folder.name)], memory[int(folder.name)] = int(fields[1]), int(fields[21]) * page
    below, new = {}, {os.getpid()}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new and pid not in below}
        below |= {pid: memory[pid] for pid in new}
    return below


def end(worker):
    """Kill all that was started, until nothing is left; one look may miss what is being born."""
    calm = 0
    while calm < 2:
        with contextlib.suppress(OSError):
            os.killpg(worker, signal.SIGKILL)
        below = descendants()
        for pid in below:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        reap(worker)
        calm = 0 if below else calm + 1
        time.sleep(0.005)


if __name__ == "__main__":
    if hasattr(os, "fork"):
        keep(int(sys.argv[2]), int(sys.argv[3]))
    from pysnn.foreign._worker import serve
    serve(Path(sys.argv[1]))
