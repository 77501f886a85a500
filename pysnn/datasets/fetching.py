"""Bring a data set into the cache: try one source after the other, check everything, keep only what is right."""

import pathlib

from .cache import NO_ROOM, StorageError, cache_folder, move_all, storage_error, temporary_folder, write
from .catalogue import FETCHABLE, FILES, DataError, check_name
from .formats import format_of, verified
from .sources import sources


def fetch(name, folder=None, cache=None, progress=True, report=print):
    """Bring a data set into the cache, checked against its published md5 sums.

    Parameters
    ----------
    name : str
        One of `FETCHABLE`: fashion-mnist, mnist, cifar10, japanese-vowels, basic-motions, arrow-head, gun-point.
    folder : str or pathlib.Path, optional
        A folder in which you have the files; tried first.
    cache : str or pathlib.Path, optional
        Where to store; default `cache_folder()`.
    progress : bool, optional
        Show progress bars on a terminal, if tqdm is installed.
    report : callable, optional
        Called with each line of news.

    Returns
    -------
    pathlib.Path
        The folder <cache>/<name>, which now holds the uncompressed files. `load(name)` finds it by itself if `cache`
        was left alone; else pass it as `load(name, folder=...)`.

    Raises
    ------
    ValueError
        If the name is unknown or needs no fetching.
    DataError
        If no source worked (the message lists why, and what can be done by hand), or the cache cannot be written.
    """
    check_name(name, FETCHABLE)
    cache = cache_folder() if cache is None else pathlib.Path(cache).expanduser().absolute()
    target = cache / name
    if _is_intact(name, target):
        report(f"{name}: already in {target}, intact")
        return target
    failures = []
    for source in sources(name, folder):
        report(f"{name}: trying {source.title}")
        try:
            _fetch_from(source, name, cache, progress)
        except StorageError:
            raise
        except Exception as error:      # whatever a source brings: the next one may be better
            failures.append((source.title, _reason(error)))
            report(f"{name}: that failed: {failures[-1][1]}")
        else:
            report(f"{name}: checked and stored in {target}")
            return target
    raise DataError(_all_failed(name, target, failures))


def _fetch_from(source, name, cache, progress):
    """Bring, check and store from one source."""
    with temporary_folder(cache) as work:
        (work / "source").mkdir()
        try:
            folder = source.bring(work / "source", progress)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise storage_error(error, cache) from error
            raise
        for file in _bar(FILES[name], f"checking {name}", progress):
            write(work / file, verified(name, file, folder))
        move_all([work / file for file in FILES[name]], cache / name)


def _is_intact(name, folder):
    """Tell whether every file is there with the right content."""
    try:
        for file in FILES[name]:
            verified(name, file, folder)
    except (DataError, OSError):
        return False
    return True


def _bar(things, title, progress):
    """Wrap an iterable in a tqdm bar, where tqdm is installed and there is a terminal to draw on."""
    if not progress:
        return things
    try:
        from tqdm import tqdm
    except ImportError:
        return things
    return tqdm(things, desc=title, unit="file", leave=False, disable=None)


def _reason(error):
    """Put an exception on one line of bearable length."""
    text = " ".join(str(error).split()) or type(error).__name__
    if not isinstance(error, DataError):
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= 400 else text[:397] + "..."


def _all_failed(name, target, failures):
    """Write the message for the case that nothing worked."""
    lines = [f"{name}: no source worked."]
    lines += [f"  {i}. {title}: {reason}" for i, (title, reason) in enumerate(failures, 1)]
    lines.append(f"By hand: get these files ({format_of(name).by_hand}) on any machine and place them in {target}:")
    lines += [f"  {file}" for file in FILES[name]]
    lines.append(f"Then `pysnn data fetch {name}` says whether they are intact.")
    return "\n".join(lines)
