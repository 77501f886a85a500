"""The verb plot: figures of a trained network, or of one neuron."""

from pathlib import Path

import numpy as np

from .. import _files, checkpoint, figures, training
from ..reference import leaky
from ._common import add_data, count, emit, trained


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("plot", plot, "Draw a figure of a checkpoint, or of one neuron.",
               "plot neuron --times 0 1 2 --weights 0.8 0.6 -0.3", "plot raster mnist --sample 7 --out raster.svg",
               "plot all runs/temporal-mnist.npz --out figures", "plot correlation runs/proxy-fashion-sample.npz",
               "plot leaky --times 3 5 6 13 --weights 0.6 0.6 0.6 0.6 --beta 0.8", "plot raster runs/surrogate-mnist1d.npz",
               "plot curves runs/temporal-mnist.npz --width 3.35 --height 2.5 --style paper --out fig.pdf      # a column of a paper")
    sub.add_argument("kind", choices=("all", *NEURONS, *figures.FIGURES), metavar="KIND",
                     help="all (a folder with each that fits), neuron, leaky (one neuron each), or one of " + ", ".join(figures.FIGURES))
    sub.add_argument("checkpoint", nargs="?", help="file or shipped network (not for neuron and leaky)")
    add_data(sub)
    sub.add_argument("--sample", type=count, default=0, help="which test sample (raster, potentials)")
    sub.add_argument("--times", type=float, nargs="+", help="input spike times: in tau (neuron; default 0 1 2), or time steps from 1 on "
                     "(leaky; default 1 2 3)")
    sub.add_argument("--weights", type=float, nargs="+", default=[0.8, 0.6, -0.3], help="their weights (neuron, leaky)")
    sub.add_argument("--beta", type=float, default=0.9, help="factor by which the potential decays in a step (leaky; default 0.9)")
    sub.add_argument("--width", type=float, metavar="INCHES", help="of the figure (default 7, of --style paper 3.35)")
    sub.add_argument("--height", type=float, metavar="INCHES", help="of the figure (default: what fits)")
    sub.add_argument("--style", choices=("screen", "paper"), default="screen", help="paper: small type, legends inside, short titles")
    sub.add_argument("--out", help="file (.png, .svg, .pdf) or folder to write (default figures/)")


def plot(args):
    """Draw one figure, or all."""
    from .. import plots
    out = Path(args.out or "figures")
    alone = _files.special(out) or (args.kind != "all" and out.suffix)
    _files.no_file_above(out if alone else out / "figure.png")               # say so before it draws
    if args.kind in NEURONS:
        with plots.look(args.style, args.width, args.height):
            drawn = {args.kind: NEURONS[args.kind](plots, args)}
    elif args.checkpoint is None:
        raise ValueError(f"plot {args.kind}: expected a checkpoint, or a shipped network ({', '.join(checkpoint.names()) or 'none'})")
    else:
        no_data = args.kind != "all" and not figures.FIGURES[args.kind].data
        run, data = (training.load(args.checkpoint, args.files), None) if no_data else trained(args)
        kinds = figures.available(run, data) if args.kind == "all" else [args.kind]
        look = plots.Look(args.style, args.width, args.height)
        drawn = {kind: figures.draw(kind, run, data, args.sample, args.seed, look) for kind in kinds}
    written = [str(plots.save(figure, out if alone else out / f"{kind}.png")) for kind, figure in drawn.items()]
    print(*written, sep="\n")
    emit(args, {"figures": written})


def _leaky(plots, args):
    """Draw a leaky neuron: its potential until ten steps behind the last input spike."""
    times, weights = [1.0, 2.0, 3.0] if args.times is None else args.times, np.array(args.weights)
    if len(times) != len(weights) or not all(t.is_integer() and 1 <= t <= MOST_STEPS for t in times):
        raise ValueError(f"--times: expected {len(weights)} whole numbers from 1 to {MOST_STEPS}, one a weight, got "
                         f"{' '.join(f'{t:g}' for t in times)}")
    if not 0 <= args.beta <= 1:
        raise ValueError(f"--beta: expected a number from 0 to 1, got {args.beta:g}")
    current = np.zeros(int(max(times)) + 10)
    np.add.at(current, np.array(times, int) - 1, weights)
    spikes, _, cache = leaky.forward(current[:, None, None], args.beta)
    return plots.leaky_neuron(current, leaky.potentials(cache)[:, 0, 0], spikes[:, 0, 0], 1.0, args.beta)


MOST_STEPS = 1000
NEURONS = {"neuron": lambda plots, args: plots.neuron(np.array(args.times or [0.0, 1.0, 2.0]), np.array(args.weights)), "leaky": _leaky}
"""Figures of one neuron, which need no checkpoint."""
