"""The verbs that look at what is there: evaluate, plot, data, info."""

import importlib
from pathlib import Path

import numpy as np

from .. import _blas, checkpoint, datasets, training
from ..operations import backend_of
from ._common import emit, trained

KINDS = ("raster", "times", "curves", "confusion", "in-time", "robustness", "weights", "regions",      # as in figures.py
         "correlation", "steps", "potentials", "kernels")


def evaluate(args):
    """Evaluate a checkpoint."""
    run, data = trained(args)
    spikes = getattr(run.nets, "snn", None) is not None
    if args.steps is not None and not spikes:
        raise ValueError(f"--steps: expected a network that counts spikes over time steps, got one trained by {run.method}")
    found = (_temporal if run.method == "temporal" else _rate)(args, run, data, spikes)
    emit(args, {"checkpoint": args.checkpoint, "data": data.name, "seed": args.seed, "versions": training.versions(), **found})


def _temporal(args, run, data, spikes):
    """Say what a network of spike times does."""
    from .. import evaluation
    found = evaluation.evaluate(run.nets, data.x_test, data.y_test)
    print(f"{args.checkpoint} on {data.name}, {found['n']} test samples")
    print(f"accuracy   {found['accuracy']:.2%}   ties broken at random, in expectation (strict {found['strict']:.2%}, "
          f"inclusive {found['inclusive']:.2%})")
    print(f"undecided  {found['undecided']:.2%}   no output spike")
    if found["t_decision"] is not None:
        print(f"decision   {found['t_decision']:.2f} tau after the earliest possible input spike (median)")
        t, a = np.array(found["t"]), np.array(found["accuracy_in_time"])
        print("in time    " + "  ".join(f"{q:.0%} of it by {t[np.argmax(a >= q * a[-1])]:.2f} tau" for q in (0.9, 0.99)))
    print("spikes     " + "; ".join(f"{name} {n:.1f}, before the decision {m:.1f}" for name, n, m in zip(
        evaluation.layer_names(run.nets), found["spikes"], found["spikes_before"], strict=True)))
    if args.robust:
        found["robustness"] = evaluation.robustness(run.nets, data.x_test, data.y_test, np.random.default_rng(args.seed))
        for name, label in (("jitter", "jitter, tau"), ("lost", "lost spikes"), ("bits", "weight bits")):
            print(f"{label:<12}" + "  ".join(f"{level:g}: {a:.2%}" for level, a in found["robustness"][name]))
    return found


def _rate(args, run, data, spikes):
    """Say what a network of integrate-and-fire or ReLU neurons does."""
    from ..evaluation import rate as evaluation_rate
    found = evaluation_rate.evaluate(run.nets, data.x_test, data.y_test, args.steps or evaluation_rate.STEPS)
    steps = f", T = {found['n_steps']} as in training" if spikes else ""
    print(f"{args.checkpoint} on {data.name}, {found['n']} test samples; trained by {run.method}{steps}")
    print(f"accuracy     {found['accuracy']:.2%}   ties broken at random, in expectation (strict {found['strict']:.2%}, "
          f"inclusive {found['inclusive']:.2%})")
    if spikes:
        print(f"by potential {found['by_potential']:.2%}   another readout: ties broken by the outputs' potential after the last step")
        print(f"ReLU network {found['relu']:.2%}   with the same weights, no spikes; decides alike in {found['agreement']:.2%}")
        print(f"undecided    {found['undecided']:.2%}   no output spike")
        print("accuracy at  " + "  ".join(f"T={t}: {a:.2%}" for t, a in zip(found["steps"], found["accuracy_at"], strict=True)))
    _operations(found, spikes)
    if args.robust:
        rng = np.random.default_rng(args.seed)
        r = found["robustness"] = evaluation_rate.robustness(run.method, run.nets, data.x_test, data.y_test, rng)
        print(f"disturbed, on {r['n']} samples")
        for name, label in (("noise", "input noise"), ("bits", "weight bits")):
            print(f"{label:<13}" + "  ".join(f"{level:g}: {a:.2%}" for level, a in r[name]))
    return found


def _operations(found, spikes):
    """Print what a sample costs, layer by layer."""
    macs = found["multiply_adds"]
    if not spikes:
        print(f"a sample takes {sum(macs):,} multiply-adds: " + "; ".join(f"layer {k} {n:,}" for k, n in enumerate(macs, 1)))
        return
    print(f"{'a sample':<13}{'spikes':>10}{'a neuron and step':>19}{'additions':>13}{'multiply-adds of the ReLU network':>35}")
    for k, (n, rate, macs_k) in enumerate(zip(found["spikes"], found["rates"], macs, strict=True)):
        added = f"{found['additions'][k - 1]:,.0f}" if k else "-"
        print(f"  layer {k + 1:<5}{n:>10,.1f}{rate:>19.4f}{added:>13}{macs_k:>35,}")
    print(f"  {'all':<11}{sum(found['spikes']):>10,.1f}{'':>19}{sum(found['additions']):>13,.0f}{sum(macs):>35,}")
    print(f"  the spiking network takes the first layer's {macs[0]:,} multiply-adds once (its input is constant); after that each\n"
          "  spike adds the weights that it meets: the additions of the layer behind it, after max pooling an upper bound")


def plot(args):
    """Draw one figure, or all."""
    from .. import figures, plots
    if args.kind == "neuron":
        drawn = {"neuron": plots.neuron(np.array(args.times), np.array(args.weights))}
    elif args.checkpoint is None:
        raise ValueError(f"plot {args.kind}: expected a checkpoint, or a shipped network ({', '.join(checkpoint.names()) or 'none'})")
    else:
        run, data = trained(args)
        kinds = figures.fitting(run, data) if args.kind == "all" else [args.kind]
        drawn = {kind: figures.draw(kind, run, data, args.sample, args.seed) for kind in kinds}
    out = Path(args.out or "figures")
    written = [str(plots.save(figure, out if args.kind != "all" and out.suffix else out / f"{kind}.png")) for kind, figure in drawn.items()]
    print(*written, sep="\n")
    emit(args, {"figures": written})


def data(args):
    """List, fetch or locate data sets."""
    if args.action == "fetch":
        if args.name is None:
            raise ValueError(f"data fetch: expected a name, one of {', '.join(datasets.FETCHABLE)}")
        path = datasets.fetch(args.name, folder=args.folder)
        print(path)
        return emit(args, {"name": args.name, "path": str(path)})
    cache = datasets.cache_folder()
    here = {name: name not in datasets.FETCHABLE or (Path(cache) / name).is_dir() for name in datasets.NAMES}
    if args.action == "where":
        print(cache)
    else:
        for name, there in here.items():
            print(f"{name:<16}{'here' if there else f'fetch it: pysnn data fetch {name}'}")
    return emit(args, {"cache": str(cache), "here": here})


def info(args):
    """Say what is here."""
    if args.settings:
        rule = training.METHODS[args.settings]
        presets = {name: rule.settings_for("mnist", name).plain() for name in rule.presets}
        for name in rule.Settings.__dataclass_fields__:
            print(f"{name:<14}" + "".join(f"{preset} {values[name]!s:<17} " for preset, values in presets.items()).rstrip())
        return emit(args, presets)
    if args.checkpoint:
        return _checkpoint(args)
    backend = backend_of("temporal").__name__.split(".")[1]
    found = {**training.versions(), "backend": backend, "threads": _blas.get_threads(), "cache": str(datasets.cache_folder()),
             "networks": checkpoint.names(), **importlib.import_module(f"{__package__}.cuda._target").describe()}
    for name, value in found.items():
        print(f"{name:<10}{', '.join(value) if isinstance(value, list) else value}")
    return emit(args, found)


def _checkpoint(args):
    """Say what a checkpoint holds."""
    run = training.load(args.checkpoint)      # says what does not fit together
    header, arrays = checkpoint.read(args.checkpoint)
    print(f"{args.checkpoint}: {header['method']}, trained on {header['data'].get('name')}, seed {header['seed']}, "
          f"epoch {header['epoch']}, {'resumable' if header['resumable'] else 'weights only'}")
    params = {name[7:]: x for name, x in arrays.items() if name.startswith("params/")}
    width = max(6, *(len(name) + 2 for name in params))
    for name, x in params.items():
        print(f"  {name:<{width}}{' x '.join(map(str, x.shape)):<14} {x.dtype}" if width > 6 else
              f"  {name:<6}{' x '.join(map(str, x.shape)):<14}{x.dtype}")
    print(f"  {sum(x.size for x in params.values()):,} parameters")
    if state := [name[6:] for name in arrays if name.startswith("state/")]:
        print(f"  state: {', '.join(state)}")
    default = type(run.nets.settings)().plain()
    changed = {k: v for k, v in header["settings"].items() if v != default.get(k)}
    print("  settings other than the default: " + (", ".join(f"{k}={v}" for k, v in changed.items()) or "none"))
    return emit(args, header)
