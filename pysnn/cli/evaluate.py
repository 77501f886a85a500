"""The verb evaluate: accuracy, spikes and operations of a trained network."""

import numpy as np

from .. import checkpoint, training
from ._common import add_data, count, emit, trained


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


def evaluate(args):
    """Evaluate a checkpoint."""
    run, data = trained(args)
    spikes = run.spikes and run.kind == "rate"
    if args.robust and not run.kind:
        raise ValueError(f"--robust: expected a network trained by a rule of the family temporal or rate, got one trained by {run.method}")
    if args.steps is not None and not spikes:
        raise ValueError(f"--steps: expected a network that counts spikes over time steps, got one trained by {run.method}")
    results = {"temporal": _temporal, "rate": _rate}.get(run.kind, _any)(args, run, data, spikes)
    emit(args, {"checkpoint": args.checkpoint, "data": data.name, "seed": args.seed, "versions": training.versions(), **results})


def _any(args, run, data, spikes):
    """Evaluate a network of another kind: its accuracy alone."""
    test = run.rule.score(run.nets, *data.test)
    print(f"{args.checkpoint} on {data.name}, {len(data.y_test)} test samples; trained by {run.method}")
    print(f"accuracy     {test.expected:.2%}   (strict {test.strict:.2%}, inclusive {test.inclusive:.2%})")
    return {"n": len(data.y_test), "accuracy": test.expected, "strict": test.strict, "inclusive": test.inclusive}


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
        for name, label in (("jitter", "jitter, tau"), ("lost", "lost spikes"), ("bits", "weight bits")):
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
