"""All methods train in any thread: the main one, a worker, four at once, beside a fork, in joblib's workers. The bits are the same.

Run: python benchmarks/threads.py [--json FILE]       fails where bits differ, or a thread takes more than 1.3 times the main one's time
"""

import argparse
import datetime
import hashlib
import json
import os
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np

from pysnn import _blas, _threads, learning, training

MOST = 1.3
BACKENDS = "loky", "multiprocessing", "threading"          # of joblib
MODELS = {"temporal": "784-200-10", "conversion": "28x28x1-8C3-A2-200-10", "eprop": "28-100d-R0.9-10d-I0.9",
          "eventprop": "784-30-10"}
CHOSEN = {"temporal": {"batch": 50}, "eprop": {"n_steps": 28}}
METHODS = tuple(learning.METHODS)


def train(method, backend="auto", n_samples=200):
    """Train one epoch on random images; return a digest of the weights and the seconds it took."""
    settings = learning.METHODS[method].Settings
    chosen = {"model": MODELS.get(method, "28x28x1-8C3-P2-8C3-P2-200-10"), "batch": 100, "n_steps": 4, "epochs": 1, "backend": backend,
              **CHOSEN.get(method, {})}
    run = training.start(method, settings(**{k: v for k, v in chosen.items() if k in settings.__dataclass_fields__}), seed=0)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (n_samples, 28, 28), dtype=np.uint8), rng.integers(0, 10, n_samples)
    x = x / np.float32(255) if getattr(run.nets.settings, "time_axis", None) else x                   # row after row
    began = time.perf_counter()
    list(training.epochs(run, (x, y), (x[:50], y[:50])))
    seconds = time.perf_counter() - began
    digest = hashlib.sha256(b"".join(w.tobytes() for _, w in sorted(run.nets.net.params.items())))
    return digest.hexdigest()[:16], seconds


def in_threads(n, method, **chosen):
    """Train in n threads at once; return digests and seconds of each, and of all."""
    began = time.perf_counter()
    with ThreadPoolExecutor(n) as pool:
        done = [job.result() for job in [pool.submit(train, method, **chosen) for _ in range(n)]]
    return done, time.perf_counter() - began


def beside_fork(method, seconds, **chosen):
    """Fork while another thread trains; return the child's digest, or "hangs"."""
    other = threading.Thread(target=train, args=(method,), kwargs=chosen)
    other.start()
    time.sleep(seconds / 2)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, train(method, **chosen)[0].encode())
        os._exit(0)
    other.join()
    os.close(write)
    os.set_blocking(read, False)
    until, digest = time.monotonic() + 60, b""
    while not digest and time.monotonic() < until:
        time.sleep(0.01)
        try:
            digest = os.read(read, 100)
        except BlockingIOError:
            continue
        break
    os.close(read)
    if not digest:
        os.kill(pid, 9)
    os.waitpid(pid, 0)
    return digest.decode() or "hangs"


def measure(method, rounds=5, **chosen):
    """Return a row: times relative to the main thread's, in the same round, and the digests of each place."""
    seconds = train(method, **chosen)[1]              # compiles
    digests, ratios = {}, {"worker": [], "four": []}
    for _ in range(rounds):
        digest, main = train(method, **chosen)
        one, alone = in_threads(1, method, **chosen)
        four, together = in_threads(4, method, **chosen)
        ratios["worker"].append(one[0][1] / main)
        ratios["four"].append(together / 4 / main)
        digests |= {"main": [digest], "worker": [one[0][0]], "four": [d for d, _ in four]}
        seconds = min(seconds, main, alone)
    digests["fork"] = [beside_fork(method, seconds, **chosen)]
    for backend in BACKENDS:
        found = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(train)(method, **chosen) for _ in range(2))
        digests[backend] = [d for d, _ in found]
    return {"method": method, "seconds": seconds, **{k: statistics.median(v) for k, v in ratios.items()}, "digests": digests}


def main(argv=None):
    """Measure, print, write; return 1 where bits differ or a thread is slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="also write the rows to FILE")
    args = parser.parse_args(argv)
    load, rows = os.getloadavg()[0], []
    for method in METHODS:
        rows.append(measure(method))
        r = rows[-1]
        same = len({d for ds in r["digests"].values() for d in ds}) == 1
        print(f"{method:<11}{r['seconds']:.3f} s; worker {r['worker']:.2f}, four at once {r['four']:.2f} times that; "
              f"{'one set of bits' if same else 'BITS DIFFER: ' + str(r['digests'])}", flush=True)
    if args.json:
        versions = training.versions() | {"joblib": joblib.__version__}
        try:
            import threadpoolctl
            versions["threadpoolctl"] = threadpoolctl.__version__
        except ImportError:
            pass
        record = {"what": "one training step from any thread", "command": "python benchmarks/threads.py", "seed": 0,
                  "blas": _blas.library(), "date": datetime.date.today().isoformat(), "versions": versions,
                  "cpu": f"{os.cpu_count()} cores", "threads": _threads.get_threads(), "load": load, "rows": rows}
        Path(args.json).write_text(json.dumps(record, indent=1) + "\n")
    return int(any(len({d for ds in r["digests"].values() for d in ds}) > 1 or max(r["worker"], r["four"]) > MOST for r in rows))


if __name__ == "__main__":
    sys.exit(main())
