"""The verb info: what is installed, the settings of a method, the content of a checkpoint."""

import math

from .. import _blas, _threads, checkpoint, datasets, learning, training
from ..learning.settings import explained
from ..operations import backend_of
from ._common import add_files, emit, one_of


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("info", info, "Say what is installed, what computes, and what a checkpoint holds.",
               "info", "info mnist", "info --settings", "info --settings proxy")
    sub.add_argument("checkpoint", nargs="?", help="file or shipped network")
    sub.add_argument("--settings", nargs="?", const="temporal", type=one_of(training.METHODS), metavar="METHOD",
                     help="list all settings of a method with their values in its presets (default temporal)")
    add_files(sub)


def info(args):
    """Print versions and places, or the settings of a method, or the content of a checkpoint."""
    if args.settings:
        rule = learning.get(args.settings)
        presets = {name: rule.settings_for("mnist", name).plain() for name in rule.presets}
        for name in rule.Settings.__dataclass_fields__:
            values = "".join(f"{preset} {chosen[name]!s:<17} " for preset, chosen in presets.items())
            print(f"{name:<14}{values}{explained(rule.Settings, name)}".rstrip())
        return emit(args, presets)
    if args.checkpoint:
        return _checkpoint(args)
    from ..cuda import _target
    try:
        cache = str(datasets.cache_folder())
    except datasets.DataError as error:
        cache = str(error)
    backend = backend_of("temporal").__name__.split(".")[1]
    facts = {**training.versions(), "backend": backend, "threads": _threads.get_threads(), "blas": _blas.library(),
             "cache": cache, "networks": checkpoint.names(), **_target.describe()}
    for name, value in facts.items():
        print(f"{name:<10}{', '.join(value) if isinstance(value, list) else value}")
    return emit(args, facts)


def _checkpoint(args):
    """Print what a checkpoint holds."""
    run = training.load(args.checkpoint, args.files)      # raises where the parts do not fit together
    with checkpoint.Stored(args.checkpoint) as stored:
        header, arrays = stored.header, stored.layout
    print(f"{args.checkpoint}: {header['method']}, trained on {header['data'].get('name')}, seed {header['seed']}, "
          f"epoch {header['epoch']}, {'resumable' if header['resumable'] else 'weights only'}")
    params = {name[7:]: declared for name, declared in arrays.items() if name.startswith("params/")}
    width = max(6, *(len(name) + 2 for name in params))
    for name, (shape, dtype) in params.items():
        print(f"  {name:<{width}}{' x '.join(map(str, shape)):<14}{' ' * (width > 6)}{dtype}")
    print(f"  {sum(math.prod(shape) for shape, _ in params.values()):,} parameters")
    if state := [name[6:] for name in arrays if name.startswith("state/")]:
        print(f"  state: {', '.join(state)}")
    for file, digest in (header["data"].get("sha256") or {}).items():
        print(f"  data {file}, SHA-256 {digest}")
    if header["data"].get("classes"):
        column = header["data"].get("target")
        print(f"  classes {', '.join(header['data']['classes'])}" + f", in column {column}" * (column is not None))
    for file, digest in header.get("files", {}).items():
        print(f"  needs {file}, SHA-256 {digest}")
    default = type(run.nets.settings)().plain()
    changed = {k: v for k, v in header["settings"].items() if v != default.get(k)}
    print("  settings other than the default: " + (", ".join(f"{k}={v}" for k, v in changed.items()) or "none"))
    return emit(args, header)
