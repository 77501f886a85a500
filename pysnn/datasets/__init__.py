"""Data: generated point sets, a shipped sample of Fashion-MNIST, and the full image sets with their checksums."""

from .cache import cache_folder
from .catalogue import FETCHABLE, DataError, Dataset
from .fetching import fetch
from .formats import read_idx
from .loading import NAMES, held_out, load, split_validation
from .points import xor, yin_yang, yin_yang_validation

__all__ = [
    "FETCHABLE", "NAMES", "DataError", "Dataset", "cache_folder", "fetch", "held_out", "load", "read_idx", "split_validation",
    "xor", "yin_yang", "yin_yang_validation",
]
