"""Get MathJax for the formulas of the site: once, from the npm registry, checked, and kept in the user's cache folder.

The file holds the renderer and its fonts, so that the built site reads nothing from a network. Any npm will do; no Node
package is installed and no script of one is run.
"""

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

from sphinx.errors import ExtensionError

from pysnn.datasets import cache

VERSION = "3.2.2"
MEMBERS = {"package/es5/tex-svg.js": "d4295dc33744836935c1399feece5159577b34c5c8ffb9f1c6324cd82e03a882", "package/LICENSE": None}
ARCHIVE_SHA256 = "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09"


def folder():
    """Return the folder to copy into the site's _static: mathjax/tex-svg.js and its licence.

    Returns
    -------
    pathlib.Path
        A folder in the user's cache; filled on first use.

    Raises
    ------
    sphinx.errors.ExtensionError
        If npm is missing or fails, or if what came is not the file whose hash stands here.
    """
    kept = cache.cache_folder() / f"mathjax-{VERSION}"
    script = kept / "mathjax/tex-svg.js"
    if not (script.is_file() and _sha256(script.read_bytes()) == MEMBERS["package/es5/tex-svg.js"]):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".partial-") as work:
            _unpack(_fetch(Path(work)), kept / "mathjax")
    return kept


def _fetch(work):
    """Download the archive into a folder and check it."""
    command = ["npm", "pack", "--ignore-scripts", "--silent", f"mathjax@{VERSION}"]
    try:
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=300)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise ExtensionError(f"the formulas need MathJax: expected `{' '.join(command)}` to work, got {error}; install npm") from error
    archive = work / f"mathjax-{VERSION}.tgz"
    if done.returncode or not archive.is_file():
        raise ExtensionError(f"the formulas need MathJax: `{' '.join(command)}` failed: {done.stderr.strip()[-300:]}")
    digest = _sha256(archive.read_bytes())
    if digest != ARCHIVE_SHA256:
        raise ExtensionError(f"expected MathJax {VERSION} with SHA-256 {ARCHIVE_SHA256}, got {digest}")
    return archive


def _unpack(archive, target):
    """Move the two files that the site needs to their place."""
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        for member, wanted in MEMBERS.items():
            data = tar.extractfile(member).read()
            if wanted and _sha256(data) != wanted:
                raise ExtensionError(f"expected {member} with SHA-256 {wanted}, got {_sha256(data)}")
            partial = archive.parent / Path(member).name
            partial.write_bytes(data)
            partial.replace(target / partial.name)


def _sha256(data):
    return hashlib.sha256(data).hexdigest()
