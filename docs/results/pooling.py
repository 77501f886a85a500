"""Set maximum and mean pooling of spikes side by side: how well spike counts follow the ReLU twin's activations, layer by layer.

Run: python docs/results/pooling.py            writes docs/results/pooling.json, in some seconds (needs CIFAR-10: pysnn data fetch cifar10)
The first 200 training images of CIFAR-10, networks that no training has touched, batch statistics shared as in training.
"""

import numpy as np

from pysnn import datasets
from pysnn.evaluation import diagnostics
from pysnn.learning import proxy, rate
from pysnn.models import AvgPool, MaxPool, Model, read

N_STEPS, SEEDS, SAMPLES = 8, range(3), 200


def main():
    """Measure, write the record."""
    from record import write
    x = datasets.load("cifar10").x_train[:SAMPLES]
    standard, runs = read("cifar-vgg:16"), []
    for pool in ("max", "mean"):
        specs = [spec if pool == "mean" or not isinstance(spec, AvgPool) else MaxPool(spec.size) for spec in standard.specs]
        model = Model(standard.shape, specs)
        for seed in SEEDS:
            rows = diagnostics.agreement(fresh(model, seed, x), x)
            runs.append({"pool": pool, "seed": seed, "model": str(model), "correlation": [row["correlation"] for row in rows]})
            print(pool, seed, [round(c, 3) for c in runs[-1]["correlation"]])
    write("pooling", {"command": "python docs/results/pooling.py", "data": "cifar10", "n_steps": N_STEPS, "samples": SAMPLES,
                      "runs": runs})


def fresh(model, seed, x):
    """Build networks with drawn weights, and put the statistics of a batch in the place of running ones."""
    nets = proxy.build(proxy.settings_for("cifar10", model=model, n_steps=N_STEPS), rng=np.random.default_rng(seed))
    _, caches = nets.net.forward(rate.encode_batch(nets, x), None, "batch")
    for name, value in nets.net.batch_stats(caches).items():
        nets.state[name][...] = value
    return nets


if __name__ == "__main__":
    main()
