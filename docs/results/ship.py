"""Make the networks that ship with pysnn from the runs of docs/results/record.py, and record what they score after rounding to float16.

Run: python docs/results/ship.py [NAME ...]          (needs the runs of SHIPPED)
"""

import sys

from pysnn import checkpoint, datasets, training

SHIPPED = {"mnist": ("mnist", "mnist-still-0"), "fashion-mnist": ("fashion-mnist", "fashion-ours-0"),
           "fashion-proxy": ("fashion-mnist", "proxy-fashion-mnist-0"), "fashion-fast": ("fashion-mnist", "fashion-warm-0"),
           "cifar-fast": ("cifar10", "cifar-warm-0")}


def main(*names):
    """Round, write, load again, score, record."""
    import record
    for name in names or SHIPPED:
        data_name, run_name = SHIPPED[name]
        run = training.load(record.RUNS / f"{run_name}.npz")
        training.save(run, checkpoint.PRETRAINED / f"{name}.npz", weights_only=True)
        data = datasets.load(data_name)
        score = training.METHODS[run.method].score(training.load(name).nets, data.x_test, data.y_test)
        record.write(f"shipped-{name}", {"command": "python docs/results/ship.py", "seed": run.seed, "run": run_name,
                                         "test": score._asdict()})
        print(name, score)


if __name__ == "__main__":
    main(*sys.argv[1:])
