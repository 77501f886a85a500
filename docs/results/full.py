"""Train networks of full width for a while: seconds a step, memory, how far from the limit, and what a whole training would take.

Run: python docs/results/full.py fashion-proxy                the authors' network, 5 passes over 10,000 images: 500 steps
     python docs/results/full.py cifar-vgg                       64 channels, 3 steps of 100 images

Writes docs/results/full-NAME.json. A run that was stopped goes on with the next pass. The limit is arithmetic alone, at the rate of a large
matrix product measured in the same process: the ReLU network's multiply-adds, three times (forward, gradients of inputs and of weights),
and an addition for each weight that a spike meets, at one addition where a product does a multiply-add.
"""

import resource
import statistics
import sys
import time

import numpy as np

from pysnn import _blas, _threads, datasets, training
from pysnn.evaluation.operations import additions, multiply_adds
from pysnn.learning import proxy, rate

PLANS = {   # name: (data, images a pass, passes, steps, passes and images of the training that is projected)
    "fashion-proxy": ("fashion-mnist", 10_000, 5, 15, (100, 60_000)),
    "cifar-vgg": ("cifar10", 100, 3, 8, (100, 50_000)),
}
N_VAL = 1000


def product_rate():
    """Measure multiply-adds a second of a large float32 product, the best of some."""
    a = np.random.default_rng(0).random((2048, 2048), np.float32)
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        _blas.matmul(a, a)
        seconds.append(time.perf_counter() - began)
    return len(a) ** 3 / min(seconds)


def main(name):
    """Train, measure, record."""
    import record
    data_name, n, epochs, n_steps, (passes, images) = PLANS[name]
    data, settings = datasets.load(data_name), proxy.settings_for(data_name, model=name, n_steps=n_steps, epochs=epochs)
    (x, y), (x_val, y_val) = datasets.held_out(data)
    path = record.RUNS / f"full-{name}.npz"
    about = {"name": data_name, "n_val": len(y_val), "split_seed": 0}
    run = training.load(path) if path.is_file() else training.start("proxy", settings, 0, about)
    if run.nets.settings != settings:
        raise SystemExit(f"{path} was trained with other settings: remove it to start again")
    for r in training.epochs(run, (x[:n], y[:n]), (x_val[:N_VAL], y_val[:N_VAL])):
        training.save(run, path)
        print(name, f"pass {r['epoch']} loss {r['loss']:.4f} train {r['train_accuracy']:.4f} val {r['val_accuracy']:.4f} "
              f"{r['seconds']:.0f} s", flush=True)
    began = []
    for k in range(5):                     # steps alone, without validation
        some = slice(k * settings.batch % n, (k * settings.batch) % n + settings.batch)
        began.append(time.perf_counter())
        step = proxy.gradients(run.nets, x[some], y[some], run.rng)
        run.optimiser.update(run.nets.net.params, step.grads, 0.0)
    seconds = statistics.median(np.diff([*began, time.perf_counter()]).tolist())
    batch = rate.encode_batch(run.nets, x[:settings.batch])                  # as a step of training sees it: statistics of the batch
    statistics_of = run.nets.net.batch_stats(run.nets.net.forward(batch, None, "batch")[1])
    seen = run.nets.snn.run(batch, statistics_of, keep_counts=True)
    sizes = [int(np.prod(shape)) for _, shape in settings.model.neuron_layers]
    rates = (np.array(seen.n_spikes) / (len(batch) * n_steps * np.array(sizes))).tolist()
    n_additions = float(sum(additions(seen.layer_counts, settings.model, n_steps))) / len(batch)
    n_multiply_adds, speed = sum(multiply_adds(settings.model)), product_rate()
    limit = settings.batch * (3 * n_multiply_adds + n_additions) / speed
    record.write(f"full-{name}", {
        "command": f"python docs/results/full.py {name}", "settings": settings.plain(), "seed": 0, "records": run.records,
        "threads": _threads.get_threads(), "n_optimiser_steps": epochs * n // settings.batch,
        "n_params": int(sum(w.size for w in run.nets.net.params.values())), "multiply_adds": n_multiply_adds,
        "additions": n_additions, "rates": rates, "seconds_a_step": seconds, "multiply_adds_a_second": speed, "limit_seconds_a_step": limit,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "projected": {"epochs": passes, "images": images, "hours": passes * images / settings.batch * seconds / 3600}})
    print(name, f"{seconds:.2f} s a step, limit {limit:.2f} s", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PLANS:
        raise SystemExit(__doc__)
    main(sys.argv[1])
