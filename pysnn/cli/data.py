"""The verb data: list data sets, fetch one, say where they are."""

from .. import datasets
from ..datasets.catalogue import FILES
from ._common import emit, megabytes


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("data", data, "List data sets, fetch one, or say where they are kept.",
               "data list", "data fetch mnist", "data fetch cifar10 --folder ~/downloads/cifar-10-batches-bin")
    sub.add_argument("action", choices=("list", "fetch", "where"))
    sub.add_argument("name", nargs="?", choices=datasets.FETCHABLE, help="data set to fetch")
    sub.add_argument("--folder", help="look for the files here first")


def data(args):
    """List, fetch or locate data sets."""
    if args.action == "fetch":
        if args.name is None:
            raise ValueError(f"data fetch: expected a name, one of {', '.join(datasets.FETCHABLE)}")
        path = datasets.fetch(args.name, folder=args.folder)
        print(path)
        return emit(args, {"name": args.name, "path": str(path)})
    cache = datasets.cache_folder()
    here = {name: all((cache / name / file).is_file() for file in FILES.get(name, ())) for name in datasets.NAMES}
    if args.action == "where":
        print(cache)
    else:
        for name, there in here.items():
            about = datasets.ABOUT[name]
            print(f"{name:<16}{'here' if there else f'fetch it: pysnn data fetch {name}'}")
            print(f"{'':<16}{about.n_train:,} + {about.n_test:,} samples of {about.dtype} {'x'.join(map(str, about.shape))}, "
                  f"{megabytes(about.n_bytes)}\n{'':<16}{about.source}\n{'':<16}licence: {about.licence}")
    return emit(args, {"cache": str(cache), "here": here, "about": {name: about._asdict() for name, about in datasets.ABOUT.items()}})
