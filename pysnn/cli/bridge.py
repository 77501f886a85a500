"""The verb bridge: one set of weights as ReLUs, as first spikes and as rates."""

from pathlib import Path

from .. import _files, checkpoint, training
from ._common import add_data, count, emit, trained

SAMPLES = 1000           # training samples that set the windows and scales


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("bridge", bridge, "Read one set of weights as a ReLU network, as first spikes with the same function, and as rates.",
               "bridge fashion-proxy", "bridge runs/conversion-mnist.npz --steps 4 8 16 32 --out bridge.svg")
    sub.add_argument("checkpoint", help=f"a file, or one of {', '.join(checkpoint.names()) or 'none shipped'}, of convolutional or dense "
                                        "layers that can have ReLU neurons")
    add_data(sub)
    sub.add_argument("--steps", type=count, nargs="+", metavar="T", help="time steps of the rates (default 1 2 4 8 16 32)")
    sub.add_argument("--margin", type=float, metavar="N", default=1.5,
                     help="a window of first spikes is so many times as long as the largest activation on training samples (default 1.5)")
    sub.add_argument("--out", metavar="FILE", help="also draw accuracy against spikes and against time (.png, .svg, .pdf)")


def bridge(args):
    """Build the three networks, compare them, print a table."""
    from ..evaluation import bridge as evaluation_bridge
    if args.out:
        _files.no_file_above(Path(args.out))
    run, data = trained(args)
    if data.regression:
        raise ValueError("bridge: expected a network that tells classes apart, got one of regression")
    if run.rule.family != "rate":
        raise ValueError(f"bridge: expected a network of ReLU or integrate-and-fire neurons, got one trained by {run.method}")
    networks = evaluation_bridge.bridge(run.nets, data.x_train[:SAMPLES], args.margin)
    results = evaluation_bridge.evaluate(networks, data.x_test, data.y_test, args.steps or evaluation_bridge.STEPS)
    print(f"{args.checkpoint} on {data.name}, {results['n']:,} test samples; trained by {run.method}")
    print(f"{'network':<15}{'accuracy':>9}{'strict':>9}{'decision':>10}{'spikes':>11}{'a neuron':>10}"
          f"{'additions':>13}{'multiply-adds':>15}")
    for r in results["rows"]:
        when = "-" if r["time"] is None else f"{r['time']:.3g}"
        print(f"{r['network']:<15}{r['accuracy']:>9.2%}{r['strict']:>9.2%}{when:>10}{r['spikes']:>11,.0f}{r['spikes_a_neuron']:>10.3f}"
              f"{r['additions']:>13,.0f}{r['multiply_adds']:>15,}")
    print(f"first spikes decide as the ReLU network for {results['equal']:,} of {results['n']:,} samples; activations differ by "
          f"{results['difference']:.1g} at most" + f"; {results['clipped']:,} did not fit into their window" * bool(results["clipped"]))
    print("decision: first spikes in lengths of the input's window, rates in time steps")
    if networks.rates is None:
        print("rates: this model cannot be converted")
    if args.out:
        from .. import plots
        print(plots.save(plots.bridge(results["rows"]), args.out))
    return emit(args, {"checkpoint": args.checkpoint, "data": data.name, "versions": training.versions(), **results})
