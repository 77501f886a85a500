"""Train by proxy with and without the ceiling of the ReLU network, (P3), all else equal, and record rates and validation accuracy.

Run: python docs/results/ceiling.py            writes docs/results/ceiling.json, in some minutes
The shipped sample of Fashion-MNIST, its validation part; the test images are not used.
"""

import importlib.util
from pathlib import Path

from pysnn import datasets, training
from pysnn.learning import proxy

HERE = Path(__file__).parent
SEEDS = range(3)
CHOSEN = {"gamma 0.5": {"gamma": 0.5}, "gamma 1": {"gamma": 1.0}}      # the second puts more neurons at the ceiling


def main():
    """Run all, write the record."""
    data = datasets.load("fashion-sample")
    train, validation = datasets.held_out(data)
    runs = []
    for name, chosen in CHOSEN.items():
        for clip in (True, False):
            for seed in SEEDS:
                settings = proxy.settings_for("fashion-sample", clip=clip, **chosen)
                run = training.start("proxy", settings, seed, {"name": data.name, "n_val": len(validation[1]), "split_seed": 0})
                for _ in training.epochs(run, train, validation):
                    pass
                runs.append({"name": name, "clip": clip, "seed": seed, "settings": settings.plain(), "records": run.records})
                print(name, clip, seed, [round(100 * r["val_accuracy"], 1) for r in run.records], run.records[-1]["rates"], flush=True)
    spec = importlib.util.spec_from_file_location("record", HERE / "record.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write("ceiling", {"command": "python docs/results/ceiling.py", "data": data.name, "runs": runs})


if __name__ == "__main__":
    main()
