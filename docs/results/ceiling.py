"""Train by proxy with and without the ceiling of the ReLU network, (P3), all else equal, and record rates and validation accuracy.

Run: python docs/results/ceiling.py            writes docs/results/ceiling.json, in some minutes
The shipped sample of Fashion-MNIST, its validation part; the test images are not used.
"""

from pysnn import datasets, training
from pysnn.learning import proxy

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
    from record import write
    write("ceiling", {"command": "python docs/results/ceiling.py", "data": data.name, "runs": runs})


if __name__ == "__main__":
    main()
