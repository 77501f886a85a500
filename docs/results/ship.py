"""Make the networks that ship with pysnn, and those beside this file, from the runs that are on record; record what they score as float16.

Run: python docs/results/ship.py [NAME ...]          (needs the runs of SHIPPED and BESIDE)
"""

import dataclasses
import sys

from pysnn import checkpoint, datasets, training
from pysnn.learning import ann

SHIPPED = {"mnist": ("mnist", "mnist-still-0"), "fashion-mnist": ("fashion-mnist", "fashion-ours-0"),
           "fashion-proxy": ("fashion-mnist", "proxy-fashion-mnist-0"), "fashion-fast": ("fashion-mnist", "fashion-warm-0"),
           "cifar-fast": ("cifar10", "cifar-warm-0"), "cifar-temporal": ("cifar10", "cifar10-conv-0")}
FILES = {"mnist-relu": "sparse.py", "fashion-relu": "sparse.py", "cifar-temporal": "record.py", "fashion-temporal": "record.py"}
BESIDE = {"mnist-relu": ("mnist", "bridge-mnist-0"), "fashion-relu": ("fashion-mnist", "bridge-fashion-0"),
          "fashion-temporal": ("fashion-mnist", "fashion-conv-three-0")}


def as_relu(run):
    """Return a run of conversion as one of the ReLU network alone, without the regulariser of bridge.py."""
    settings = ann.settings_for(run.data["name"], model=run.nets.settings.model, epochs=run.epoch)
    return training.start("ann", settings, run.seed, run.data, weights=run)


def as_pairs(run):
    """Return a run with the package's own name for the code of bright and dark channels, which gives the same spikes."""
    settings = dataclasses.replace(run.nets.settings, code="pairs", augment=None)
    return dataclasses.replace(run, nets=run.nets._replace(settings=settings))


def main(*names):
    """Round, write, load again, score, record."""
    import record
    for name in names or (*SHIPPED, *BESIDE):
        (data_name, run_name), path = (SHIPPED | BESIDE)[name], (record.HERE if name in BESIDE else checkpoint.PRETRAINED) / f"{name}.npz"
        run = training.load(record.RUNS / f"{run_name}.npz", [str(record.HERE / FILES[name])] if name in FILES else ())
        made = {"sparse.py": as_relu, "record.py": as_pairs}[FILES[name]](run) if name in FILES else run
        training.save(made, path, weights_only=True)
        data = datasets.load(data_name)
        score = (run := training.load(path)).rule.score(run.nets, data.x_test, data.y_test)
        record.write(f"shipped-{name}", {"command": "python docs/results/ship.py", "seed": run.seed, "run": run_name,
                                         "test": score._asdict()})
        print(name, score)


if __name__ == "__main__":
    main(*sys.argv[1:])
