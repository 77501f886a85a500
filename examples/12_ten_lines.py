"""
Ten lines from a file to a report
=================================

From a CSV file, or a NPZ file with a training and a test part, to test accuracy, spikes, joules and a figure for a paper.

Run: python examples/12_ten_lines.py [METHOD FILE COLUMN SEED]
"""

# %%
# The file: by default the iris data of scikit-learn, written as CSV.
import json
import sys
import tempfile

import numpy as np

from pysnn import data, evaluation, figures, plots, training
from pysnn.evaluation import sequences
from pysnn.evaluation import temporal as of_times

if len(sys.argv) < 5:
    from sklearn.datasets import load_iris
    iris = load_iris(as_frame=True)
    mine = f"{tempfile.mkdtemp()}/iris.csv"
    iris.data.assign(label=iris.target_names[iris.target]).to_csv(mine, index=False)
method, file, column, seed = sys.argv[1:5] if len(sys.argv) > 4 else ("temporal", mine, "label", "0")

# %%
# The ten lines.
parts = np.load(file) if file.endswith(".npz") else {}
own = (data.from_series(parts["x_train"], parts["y_train"], test=(parts["x_test"], parts["y_test"]), seed=int(seed)) if parts
       else data.from_csv(file, column, seed=int(seed)))
run = training.start(method, training.METHODS[method].settings_for(own), seed=int(seed))
records = list(training.epochs(run, *data.held_out(own)))
cost = (of_times if method == "temporal" else sequences).activity(run.nets, own.x_test)
report = {"test": run.rule.score(run.nets, *own.test).expected, "validation": records[-1]["val_accuracy"], "spikes": sum(cost["spikes"]),
          "joules": evaluation.energy(cost["additions"], cost["multiply_adds"])}
plots.save(figures.draw("curves", run, None, look=plots.Look("paper", 3.35, 2.5)), "figures/ten-lines.svg")

# %%
# The report, about test samples that had no part in training.
print(json.dumps(report, indent=1))
assert report["test"] > 1.5 / len(own.classes) and report["spikes"] > 0
