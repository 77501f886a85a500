"""The command line: verbs and words, no numerics."""

import argparse
import contextlib
import os
import sys

import numpy as np

from .. import __version__, _blas, checkpoint, datasets, training
from ..evaluation import comparison
from ..operations import BACKENDS
from ._common import check_json, count
from .check import add as add_check
from .compare import compare
from .evaluate import KINDS, data, evaluate, info, plot
from .train import train
from .verify import add as add_verify

HELP = argparse.RawDescriptionHelpFormatter


def main(argv=None):
    """Run one verb; return 0, or 1 for an error told in one line, 2 for wrong usage, 130 when interrupted; verify: 1 wrong, 2 an error."""
    args = parser().parse_args(argv)
    try:
        if args.threads is not None:
            _blas.set_threads(args.threads)
        args.stdout = sys.stdout
        check_json(args)
        with np.errstate(all="ignore"), contextlib.redirect_stdout(sys.stderr if args.json == "-" else sys.stdout):
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
        print("pysnn: error:", f"cannot use {error.filename}: {checkpoint.reason(error)}" if known else error, file=sys.stderr)
        return args.on_error


def parser():
    """Build the parser of all verbs."""
    top = argparse.ArgumentParser("pysnn", description="Train, evaluate and look at spiking neural networks.", formatter_class=HELP,
                                  epilog="examples:\n  pysnn train temporal --data fashion-sample\n  pysnn evaluate mnist\n"
                                         "  pysnn train proxy --data fashion-sample\n  pysnn compare\n"
                                         "  pysnn plot raster mnist\n  pysnn verify\n  pysnn check\n"
                                         "PYSNN_DEBUG=1 shows where an error came from.")
    top.add_argument("--version", action="version", version=f"pysnn {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, run, help, *examples):
        sub = verbs.add_parser(name, help=help, description=help, formatter_class=HELP,
                               epilog="examples:\n" + "\n".join(f"  pysnn {e}" for e in examples))
        sub.add_argument("--seed", type=count, default=0, help="everything random follows from it (default 0)")
        sub.add_argument("--json", metavar="FILE", help="write the results to FILE, too (-: standard output, all else to standard error)")
        sub.add_argument("--threads", type=int, metavar="N", help="threads; the results do not depend on it (default: all processors)")
        sub.set_defaults(run=run, on_error=1)
        return sub

    sub = verb("train", train, "Train a network; shows progress, writes a checkpoint after every epoch.",
               "train temporal                                   # the shipped sample of Fashion-MNIST, under a minute",
               "train temporal --data mnist --epochs 40 --out runs/mnist.npz",
               "train temporal --data mnist --out runs/mnist.npz --resume      # after a kill: the same bits as without one",
               "train temporal --data mnist --preset authors --set lr=0.02 --set weight_sum=50",
               "train temporal --data yin-yang --no-test         # while choosing options",
               "train proxy                                      # spike counts, trained through a ReLU network with the same weights",
               "train proxy --data fashion-mnist --model fashion-proxy:32 --steps 15 --out runs/proxy.npz",
               "train surrogate --model 784-200-10 --steps 8 --set slope=4 --set reset=zero")
    sub.add_argument("method", choices=sorted(training.METHODS), help="learning rule: " + ", ".join(training.METHODS), metavar="METHOD")
    sub.add_argument("--data", default="fashion-sample", choices=datasets.NAMES, help="data set (default fashion-sample)")
    sub.add_argument("--folder", help="read the data set's files from here instead of the cache")
    sub.add_argument("--preset", default="ours", choices=sorted({name for rule in training.METHODS.values() for name in rule.presets}),
                     help="settings to start from (default ours; authors, the papers', for " + ", ".join(
                         m for m, rule in training.METHODS.items() if "authors" in rule.presets) + ")")
    sub.add_argument("--model", help="layer sizes, such as 784-400-400-10; but for temporal also 28x28x1-16C3-P2-100-10 or "
                     "fashion-proxy:32")
    sub.add_argument("--epochs", type=count, help="passes over the training data")
    sub.add_argument("--batch", type=count, help="samples an update")
    sub.add_argument("--lr", type=float, help="learning rate at the start")
    sub.add_argument("--steps", type=count, metavar="T", help="time steps a sample, of the methods that count spikes")
    sub.add_argument("--backend", choices=("auto", *BACKENDS), help="what computes (default: Numba where installed)")
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                     help="any other setting; see `pysnn info --settings METHOD`")
    sub.add_argument("--val", type=count, metavar="N", help="training samples held out for validation (default: a twelfth)")
    sub.add_argument("--no-test", action="store_true", help="leave the test set alone")
    sub.add_argument("--out", metavar="FILE", help="checkpoint to write (default runs/METHOD-DATA.npz); an older one stays, .previous.npz")
    sub.add_argument("--resume", action="store_true", help="go on from the checkpoint --out, if it is there")
    sub.add_argument("--quiet", action="store_true", help="no progress, no table")

    sub = verb("evaluate", evaluate, "Evaluate a checkpoint, or a shipped network by name, on test data.",
               "evaluate fashion-mnist                            # a network that ships with pysnn",
               "evaluate runs/temporal-mnist.npz --robust --json results.json",
               "evaluate runs/proxy-fashion-sample.npz --steps 1 2 4 8 15 30 60      # accuracy against the number of time steps")
    sub.add_argument("checkpoint", help=f"file, or one of: {', '.join(checkpoint.names()) or 'none shipped'}")
    sub.add_argument("--data", choices=datasets.NAMES, help="data set (default: the one it was trained on)")
    sub.add_argument("--folder", help="read the data set's files from here instead of the cache")
    sub.add_argument("--robust", action="store_true",
                     help="also with weights of few bits, jittered times and lost spikes, or noise on the input")
    sub.add_argument("--steps", type=count, nargs="+", metavar="T",
                     help="after which time steps to give the accuracy, too (default 1 2 4 8 15 30 60)")

    sub = verb("compare", compare, "Train several methods on one model, with equal data, time steps, readout and epochs, and set them side "
               "by side.", "compare                                          # all methods, a small dense network, the shipped sample",
               "compare --methods proxy surrogate ann --steps 4 8 --seeds 5 --out runs/compare      # again: goes on where it was",
               "compare --data fashion-mnist --model fashion-proxy:32 --epochs 10 --no-test         # while choosing options",
               "compare --set lr=0.002 --set surrogate.threshold=0.5")
    sub.add_argument("--data", default="fashion-sample", choices=datasets.NAMES, help="data set (default fashion-sample)")
    sub.add_argument("--folder", help="read the data set's files from here instead of the cache")
    sub.add_argument("--model", help="a line such as 784-200-10 (default: one hidden layer of 200)")
    sub.add_argument("--methods", nargs="+", default=list(comparison.METHODS), metavar="METHOD",
                     help=f"some of {', '.join(comparison.METHODS)} (default: all); ann is the ReLU network, the upper line")
    sub.add_argument("--steps", type=count, nargs="+", default=[2, 4, 8], metavar="T",
                     help="time steps (default 2 4 8); proxy, tandem and surrogate train anew for each")
    sub.add_argument("--epochs", type=count, help="passes over the training data (default 5)")
    sub.add_argument("--seeds", type=count, default=3, metavar="N", help="runs that differ in the seed alone: --seed and up (default 3)")
    sub.add_argument("--batch", type=count, help="samples an update")
    sub.add_argument("--lr", type=float, help="learning rate at the start")
    sub.add_argument("--backend", choices=("auto", *BACKENDS), help="what computes (default: Numba where installed)")
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                     help="a setting of every method that has it, or METHOD.NAME=VALUE of one")
    sub.add_argument("--val", type=count, metavar="N", help="training samples held out for validation (default: a twelfth)")
    sub.add_argument("--no-test", action="store_true", help="judge by the validation samples")
    sub.add_argument("--out", metavar="FOLDER", help="for checkpoints, results and the figure (default runs/compare-DATA)")
    sub.add_argument("--quiet", action="store_true", help="the table alone")

    sub = verb("plot", plot, "Draw a figure of a checkpoint, or of one neuron.",
               "plot neuron --times 0 1 2 --weights 0.8 0.6 -0.3", "plot raster mnist --sample 7 --out raster.svg",
               "plot all runs/temporal-mnist.npz --out figures", "plot correlation runs/proxy-fashion-sample.npz")
    sub.add_argument("kind", choices=("all", "neuron", *KINDS), metavar="KIND",
                     help="all (a folder with each that fits), neuron, or one of " + ", ".join(KINDS))
    sub.add_argument("checkpoint", nargs="?", help="file or shipped network (not for neuron)")
    sub.add_argument("--data", choices=datasets.NAMES, help="data set (default: the one it was trained on)")
    sub.add_argument("--folder", help="read the data set's files from here instead of the cache")
    sub.add_argument("--sample", type=count, default=0, help="which test sample (raster, potentials)")
    sub.add_argument("--times", type=float, nargs="+", default=[0.0, 1.0, 2.0], help="input spike times in tau (neuron)")
    sub.add_argument("--weights", type=float, nargs="+", default=[0.8, 0.6, -0.3], help="weights (neuron)")
    sub.add_argument("--out", help="file (.png, .svg, .pdf) or folder to write (default figures/)")

    add_verify(verb)
    add_check(verb)

    sub = verb("data", data, "List data sets, fetch one, or say where they are kept.",
               "data list", "data fetch mnist", "data fetch cifar10 --folder ~/downloads/cifar-10-batches-bin")
    sub.add_argument("action", choices=("list", "fetch", "where"))
    sub.add_argument("name", nargs="?", choices=datasets.FETCHABLE, help="data set to fetch")
    sub.add_argument("--folder", help="look for the files here first")

    sub = verb("info", info, "Say what is installed, what computes, and what a checkpoint holds.",
               "info", "info mnist", "info --settings", "info --settings proxy")
    sub.add_argument("checkpoint", nargs="?", help="file or shipped network")
    sub.add_argument("--settings", nargs="?", const="temporal", choices=sorted(training.METHODS), metavar="METHOD",
                     help="list all settings of a method with their values in its presets (default temporal)")
    return top
