"""The command line: one file a verb, no numerics."""

import _thread
import argparse
import contextlib
import functools
import os
import sys
import threading

import numpy as np

from .. import __version__, _threads, checkpoint
from ..foreign import clean
from . import bridge, check, compare, conformance, data, demo, evaluate, export, grade, info, plot, sweep, train, verify
from ._common import check_json, count

VERBS = (demo, train, evaluate, compare, bridge, sweep, plot, export, verify, conformance, check, grade, data, info)   # each has an `add`
HELP = argparse.RawDescriptionHelpFormatter


@contextlib.contextmanager
def _no_interrupt_lost():
    """Raise an interrupt again that fell into a finaliser, where Python ignores it: a training would go on."""
    def hook(told):
        if told.exc_type is KeyboardInterrupt:
            threading.Timer(0.01, _thread.interrupt_main).start()            # a little later: here it would be ignored again
        else:
            before(told)

    before, sys.unraisablehook = sys.unraisablehook, hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def main(argv=None):
    """Run one verb and return the exit code.

    0: all right; 1: an error, told in one line; 2: wrong usage; 130: interrupted. Of verify and check 1: something is wrong, 2: an error.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):                # a terminal that cannot write a sign loses nothing else
            stream.reconfigure(errors="backslashreplace")
    args = parser().parse_args(argv)
    try:
        if args.threads is not None:
            _threads.set_threads(args.threads)
        args.stdout = sys.stdout
        check_json(args)
        with np.errstate(all="ignore"), _no_interrupt_lost(), contextlib.redirect_stdout(sys.stderr if args.json == "-" else sys.stdout):
            return args.run(args) or 0
    except KeyboardInterrupt:
        print("\npysnn: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, RuntimeError, ImportError, OSError, MemoryError) as error:
        if os.environ.get("PYSNN_DEBUG"):
            raise
        known = isinstance(error, OSError) and error.filename
        print("pysnn: error:", clean(f"cannot use {error.filename}: {checkpoint.reason(error)}" if known else error), file=sys.stderr)
        return args.on_error


def parser():
    """Build the parser of all verbs."""
    top = argparse.ArgumentParser("pysnn", description="Train, evaluate and look at spiking neural networks.", formatter_class=HELP,
                                  epilog="examples:\n  pysnn train temporal --data fashion-sample\n  pysnn evaluate mnist\n"
                                         "  pysnn train proxy --data fashion-sample\n  pysnn compare\n"
                                         "  pysnn plot raster mnist\n  pysnn verify\n  pysnn check\n"
                                         "environment:\n  PYSNN_DATA     folder of fetched data sets (see pysnn data where)\n"
                                         "  PYSNN_THREADS  number of threads, as --threads\n"
                                         "  PYSNN_DEBUG=1  shows where an error came from")
    top.add_argument("--version", action="version", version=f"pysnn {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for module in VERBS:
        module.add(functools.partial(_verb, verbs))
    return top


def _verb(verbs, name, run, help, *examples):
    """Make the parser of one verb, with the options that all verbs have."""
    sub = verbs.add_parser(name, help=help, description=help, formatter_class=HELP,
                           epilog="examples:\n" + "\n".join(f"  pysnn {e}" for e in examples))
    sub.add_argument("--seed", type=count, default=0, help="seed of everything random (default 0)")
    sub.add_argument("--json", metavar="FILE", help="write the results to FILE, too (-: standard output, all else to standard error)")
    sub.add_argument("--threads", type=int, metavar="N", help="threads; the results do not depend on it (default: all processors)")
    sub.set_defaults(run=run, on_error=1)
    return sub
