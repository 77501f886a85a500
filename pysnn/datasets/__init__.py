"""Data: your own by one call, points, signals and spike trains that are generated, a sample of Fashion-MNIST, full sets with checksums."""

from .cache import cache_folder
from .catalogue import ABOUT, FETCHABLE, About, DataError, Dataset
from .events import Events, read_nmnist, read_shd, to_events, to_spikes
from .fetching import fetch
from .formats import read_idx
from .loading import NAMES, is_own, load
from .own import from_arrays, from_csv, from_events, from_folder, from_frame, from_npz, from_series, from_times
from .points import xor, yin_yang, yin_yang_validation
from .series import Series, read_ts
from .signals import mnist1d
from .spike_trains import randman, sound
from .split import held_out, split_validation

__all__ = [
    "ABOUT", "FETCHABLE", "NAMES", "About", "DataError", "Dataset", "Events", "Series", "cache_folder", "fetch", "from_arrays",
    "from_csv", "from_events", "from_folder", "from_frame", "from_npz", "from_series", "from_times", "held_out", "is_own", "load",
    "mnist1d", "randman", "read_idx", "read_nmnist", "read_shd", "read_ts", "sound", "split_validation", "to_events", "to_spikes",
    "xor", "yin_yang", "yin_yang_validation",
]
