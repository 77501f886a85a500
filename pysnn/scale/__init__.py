"""Many runs at once, in processes of joblib or on a cluster of dask.distributed; one training in many processes by MPI (`mpi`)."""

from .runs import Paired, Runs
from .sweeps import Optuna, Random, sweep

__all__ = ["Optuna", "Paired", "Random", "Runs", "sweep"]
