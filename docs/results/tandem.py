"""Why tandem learning falls apart on a convolutional network with max pooling: one change at a time, on Fashion-MNIST.

Run: python docs/results/tandem.py          tandem.json

The first line has the settings of the run that fell apart in compare-conv.json, on a smaller network and fewer images: its layers have a
quarter of the channels and four times the learning rate, since Adam moves a current by about the rate for each input. Every other
line changes one thing. Accuracies are those of held-out images; the test set is not seen.
"""

from pysnn import datasets, training
from pysnn.learning import tandem

N_TRAIN, N_VAL, SEEDS = 2000, 400, range(2)
POOLED = "28x28x1-8C3s2-8C3-P2-8C3-P2-160-72-16-10"        # fashion-proxy:8, but for the stride of the first layer
BASE = {"model": POOLED, "n_steps": 8, "v_init": 0.5, "loss": "mse", "on": "rates", "lr": 4e-3, "lr_end": 4e-3, "batch": 25, "epochs": 8,
        "flip": True}
CHANGES = {   # name: settings other than those of the first line
    "as recorded": {},
    "learning rate / 10": {"lr": 4e-4, "lr_end": 4e-4},
    "running statistics after epoch 1": {"freeze_after": 1},
    "gamma 0.5": {"gamma": 0.5},
    "average pooling": {"model": POOLED.replace("P", "A")},
    "ceiling": {"clip": True},
}
KEPT = "epoch", "loss", "train_accuracy", "val_accuracy", "relu_accuracy", "agreement", "rates", "ceiling", "bias", "movable"


def one(name, seed, data):
    """Train one line with one seed; return what its epochs were like."""
    run = training.start("tandem", tandem.Settings(**{**BASE, **CHANGES[name]}), seed)
    (x, y), (x_val, y_val) = datasets.held_out(data, 5000)
    records = []
    for r in training.epochs(run, (x[:N_TRAIN], y[:N_TRAIN]), (x_val[:N_VAL], y_val[:N_VAL])):
        records.append({key: r[key] for key in KEPT})
        print(name, seed, *(f"{key} {r[key]:.4f}" for key in KEPT[1:6]), "rates", [round(x, 2) for x in r["rates"]], flush=True)
    return {"name": name, "seed": seed, "settings": run.nets.settings.plain(), "records": records}


def main():
    """Make all runs and write the record."""
    import record
    data = datasets.load("fashion-mnist")
    runs = [one(name, seed, data) for seed in SEEDS for name in CHANGES]
    record.write("tandem", {"command": "python docs/results/tandem.py", "n_train": N_TRAIN, "n_val": N_VAL, "runs": runs})


if __name__ == "__main__":
    main()
