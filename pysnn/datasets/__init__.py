"""Data: points, signals and spike trains that are generated, a shipped sample of Fashion-MNIST, and full sets with their checksums."""

from .cache import cache_folder
from .catalogue import ABOUT, FETCHABLE, About, DataError, Dataset
from .events import Events, read_nmnist, read_shd, to_events, to_spikes
from .fetching import fetch
from .formats import read_idx
from .loading import NAMES, held_out, load, split_validation
from .points import xor, yin_yang, yin_yang_validation
from .series import Series, read_ts
from .signals import mnist1d
from .spike_trains import randman, sound

__all__ = [
    "ABOUT", "FETCHABLE", "NAMES", "About", "DataError", "Dataset", "Events", "Series", "cache_folder", "fetch", "held_out", "load",
    "mnist1d", "randman", "read_idx", "read_nmnist", "read_shd", "read_ts", "sound", "split_validation", "to_events", "to_spikes", "xor",
    "yin_yang", "yin_yang_validation",
]
