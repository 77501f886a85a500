"""The verb plot: figures of a trained network, or of one neuron."""

from pathlib import Path

import numpy as np

from .. import _files, checkpoint, figures, training
from ._common import add_data, count, emit, trained


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("plot", plot, "Draw a figure of a checkpoint, or of one neuron.",
               "plot neuron --times 0 1 2 --weights 0.8 0.6 -0.3", "plot raster mnist --sample 7 --out raster.svg",
               "plot all runs/temporal-mnist.npz --out figures", "plot correlation runs/proxy-fashion-sample.npz")
    sub.add_argument("kind", choices=("all", "neuron", *figures.FIGURES), metavar="KIND",
                     help="all (a folder with each that fits), neuron, or one of " + ", ".join(figures.FIGURES))
    sub.add_argument("checkpoint", nargs="?", help="file or shipped network (not for neuron)")
    add_data(sub)
    sub.add_argument("--sample", type=count, default=0, help="which test sample (raster, potentials)")
    sub.add_argument("--times", type=float, nargs="+", default=[0.0, 1.0, 2.0], help="input spike times in tau (neuron)")
    sub.add_argument("--weights", type=float, nargs="+", default=[0.8, 0.6, -0.3], help="weights (neuron)")
    sub.add_argument("--out", help="file (.png, .svg, .pdf) or folder to write (default figures/)")


def plot(args):
    """Draw one figure, or all."""
    from .. import plots
    out = Path(args.out or "figures")
    alone = _files.special(out) or (args.kind != "all" and out.suffix)
    _files.no_file_above(out if alone else out / "figure.png")               # say so before it draws
    if args.kind == "neuron":
        drawn = {"neuron": plots.neuron(np.array(args.times), np.array(args.weights))}
    elif args.checkpoint is None:
        raise ValueError(f"plot {args.kind}: expected a checkpoint, or a shipped network ({', '.join(checkpoint.names()) or 'none'})")
    else:
        no_data = args.kind != "all" and not figures.FIGURES[args.kind].data
        run, data = (training.load(args.checkpoint, args.files), None) if no_data else trained(args)
        kinds = figures.available(run, data) if args.kind == "all" else [args.kind]
        drawn = {kind: figures.draw(kind, run, data, args.sample, args.seed) for kind in kinds}
    written = [str(plots.save(figure, out if alone else out / f"{kind}.png")) for kind, figure in drawn.items()]
    print(*written, sep="\n")
    emit(args, {"figures": written})
