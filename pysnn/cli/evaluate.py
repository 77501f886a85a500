"""The verb evaluate: accuracy, spikes and operations of a trained network."""

import numpy as np

from .. import checkpoint, training
from ..conventions import Sequences
from ..evaluation.operations import ENERGY, WORTH, energy
from ._common import add_data, count, emit, in_words, trained


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("evaluate", evaluate, "Evaluate a checkpoint, or a shipped network by name, on test data.",
               "evaluate fashion-mnist                            # a network that ships with pysnn",
               "evaluate runs/temporal-mnist.npz --robust --json results.json",
               "evaluate runs/proxy-fashion-sample.npz --steps 1 2 4 8 15 30 60      # accuracy against the number of time steps")
    sub.add_argument("checkpoint", help=f"file, or one of: {', '.join(checkpoint.names()) or 'none shipped'}")
    add_data(sub)
    sub.add_argument("--robust", action="store_true",
                     help="also with weights of few bits, jittered times and lost spikes, or noise on the input")
    sub.add_argument("--steps", type=count, nargs="+", metavar="T",
                     help="numbers of time steps at which to give the accuracy (default 1 2 4 8 15 30 60)")


    sub.add_argument("--energy", nargs="?", const="45nm", choices=ENERGY, metavar="TABLE",
                     help=f"also joules a sample, by a published table: {', '.join(ENERGY)} (45nm)")


def evaluate(args):
    """Evaluate a checkpoint."""
    run, data = trained(args)
    spikes = run.spikes and run.kind == "rate"
    if run.spikes and not run.kind and (args.robust or args.steps is not None):
        option = "--robust" if args.robust else "--steps"
        raise ValueError(f"{option}: expected neurons without a leak, and samples without a time axis, got {run.nets.settings.model}")
    if args.robust and data.regression:
        raise ValueError("--robust: expected a network that tells classes apart, got one of regression")
    if args.robust and not run.kind:
        raise ValueError(f"--robust: expected a network trained by a rule of the family temporal or rate, got one trained by {run.method}")
    if args.steps is not None and not spikes:
        raise ValueError(f"--steps: expected a network that counts spikes over time steps, got one trained by {run.method}")
    results = {"temporal": _temporal, "rate": _rate}.get(run.kind, _any)(args, run, data, spikes)
    if args.energy:
        results["energy"] = _energy(args.energy, results, run)
    emit(args, {"checkpoint": args.checkpoint, "data": data.name, "seed": args.seed, "versions": training.versions(), **results})


def _any(args, run, data, spikes):
    """Evaluate a network of another kind: its accuracy, and the activity of one with time."""
    test = run.rule.score(run.nets, *data.test)
    print(f"{args.checkpoint} on {data.name}, {len(data.y_test)} test samples; trained by {run.method}")
    print(f"{'score   ' if data.regression else 'accuracy'}     {in_words(test, data)}")
    results = {"n": len(data.y_test), **{"accuracy" if name == "expected" else name: value for name, value in test._asdict().items()}}
    if run.rule.family == "temporal":
        from ..evaluation import temporal
        results |= temporal.activity(run.nets, data.test[0])
        print("spikes       " + "; ".join(f"{name} {n:.1f}" for name, n in zip(temporal.layer_names(run.nets), results["spikes"],
                                                                               strict=True)))
    if not run.spikes:
        return results
    from ..evaluation import sequences
    results |= sequences.activity(run.nets, data.test[0])
    print(f"a sample     {results['n_steps']:.4g} time steps" + " on average" * isinstance(data.test[0], Sequences))
    print("spikes       " + "; ".join(f"layer {k}: {n:,.1f}, {r:.4f} a neuron and step" for k, (n, r) in enumerate(zip(
        results["spikes"], results["rates"], strict=True), 1)))
    print(f"operations   {results['multiply_adds']:,.0f} multiply-adds before the first neurons, "
          f"{sum(results['additions']):,.0f} additions of weights by spikes")
    return results


def _temporal(args, run, data, spikes):
    """Evaluate a network of spike times, and print the results."""
    from .. import evaluation
    results = evaluation.evaluate(run.nets, data.x_test, data.y_test)
    print(f"{args.checkpoint} on {data.name}, {results['n']} test samples")
    print(f"accuracy   {results['accuracy']:.2%}   ties broken at random, in expectation (strict {results['strict']:.2%}, "
          f"inclusive {results['inclusive']:.2%})")
    print(f"undecided  {results['undecided']:.2%}   no output spike")
    if results["t_decision"] is not None:
        print(f"decision   {results['t_decision']:.2f} tau after the earliest possible input spike (median)")
        t, a = np.array(results["t"]), np.array(results["accuracy_in_time"])
        print("in time    " + "  ".join(f"{q:.0%} of it by {t[np.argmax(a >= q * a[-1])]:.2f} tau" for q in (0.9, 0.99)))
    print("spikes     " + "; ".join(f"{name} {n:.1f}, before the decision {m:.1f}" for name, n, m in zip(
        evaluation.layer_names(run.nets), results["spikes"], results["spikes_before"], strict=True)))
    if args.robust:
        results["robustness"] = evaluation.robustness(run.nets, data.x_test, data.y_test, np.random.default_rng(args.seed))
        for name, label in (("jitter", "jitter, tau"), ("lost", "lost spikes"), ("bits", "weight bits"), ("grid", "delays, tau")):
            if name not in results["robustness"]:
                continue
            print(f"{label:<12}" + "  ".join(f"{level:g}: {a:.2%}" for level, a in results["robustness"][name]))
    return results


def _rate(args, run, data, spikes):
    """Evaluate a network of integrate-and-fire or ReLU neurons, and print the results."""
    from ..evaluation import rate as evaluation_rate
    results = evaluation_rate.evaluate(run.nets, data.x_test, data.y_test, args.steps or evaluation_rate.STEPS)
    steps = f", T = {results['n_steps']} as in training" if spikes else ""
    print(f"{args.checkpoint} on {data.name}, {results['n']} test samples; trained by {run.method}{steps}")
    print(f"accuracy     {results['accuracy']:.2%}   ties broken at random, in expectation (strict {results['strict']:.2%}, "
          f"inclusive {results['inclusive']:.2%})")
    if spikes:
        print(f"by potential {results['by_potential']:.2%}   another readout: ties broken by the outputs' potential after the last step")
        if "relu" in results:
            print(f"ReLU network {results['relu']:.2%}   with the same weights, no spikes; same decision in {results['agreement']:.2%}")
        print(f"undecided    {results['undecided']:.2%}   no output spike")
        print("accuracy at  " + "  ".join(f"T={t}: {a:.2%}" for t, a in zip(results["steps"], results["accuracy_at"], strict=True)))
    _print_operations(results, spikes)
    if args.robust:
        rng = np.random.default_rng(args.seed)
        r = results["robustness"] = evaluation_rate.robustness(run.rule, run.nets, data.x_test, data.y_test, rng)
        print(f"disturbed, on {r['n']} samples")
        for name, label in (("noise", "input noise"), ("bits", "weight bits")):
            print(f"{label:<13}" + "  ".join(f"{level:g}: {a:.2%}" for level, a in r[name]))
    return results


def _energy(table, results, run):
    """Say what operations cost by a published table; return joules a sample, of a ReLU network with the same weights, too, if known."""
    if "additions" not in results and "multiply_adds" not in results:
        raise ValueError(f"--energy: expected a network whose operations are counted, got one trained by {run.method}")
    added, macs = results.get("additions", []), results.get("multiply_adds", [])
    of_layers = isinstance(macs, list)                       # of the ReLU network, of which a spiking one takes the first alone, once
    own = macs if not of_layers or not run.spikes else macs[:1]
    found = {"table": table, "source": ENERGY[table].source, "joules": energy(added, own, table)}
    said = (f"energy       {1e9 * found['joules']:,.4g} nJ a sample by {table}: {np.sum(added):,.0f} additions, "
            f"{np.sum(own):,.0f} multiply-adds")
    if of_layers and run.spikes:
        found["relu_joules"] = energy(0, macs)
        said += f"; the ReLU network {1e9 * found['relu_joules']:,.4g} nJ by 45nm"
    print(said, f"  {ENERGY[table].source}", f"  {WORTH}", sep="\n")
    return found


def _print_operations(results, spikes):
    """Print what a sample costs, layer by layer."""
    macs = results["multiply_adds"]
    if not spikes:
        print(f"a sample takes {sum(macs):,} multiply-adds: " + "; ".join(f"layer {k} {n:,}" for k, n in enumerate(macs, 1)))
        return
    print(f"{'a sample':<13}{'spikes':>10}{'a neuron and step':>19}{'additions':>13}{'multiply-adds of the ReLU network':>35}")
    for k, (n, rate, macs_k) in enumerate(zip(results["spikes"], results["rates"], macs, strict=True)):
        added = f"{results['additions'][k - 1]:,.0f}" if k else "-"
        print(f"  layer {k + 1:<5}{n:>10,.1f}{rate:>19.4f}{added:>13}{macs_k:>35,}")
    print(f"  {'all':<11}{sum(results['spikes']):>10,.1f}{'':>19}{sum(results['additions']):>13,.0f}{sum(macs):>35,}")
    print(f"  the spiking network takes the first layer's {macs[0]:,} multiply-adds once (its input is constant); after that each\n"
          "  spike adds the weights that it meets: the additions of the layer behind it, after max pooling an upper bound")
