"""The verb train: a run of any method, shown epoch by epoch."""

import contextlib
import sys
import time
from pathlib import Path

from .. import checkpoint, datasets, training
from ._common import bar, emit, megabytes, options, typed

SPIKING = [name for name, rule in training.METHODS.items() if "n_steps" in rule.Settings.__dataclass_fields__]


def settings(args):
    """Collect the settings that the user chose."""
    rule = training.METHODS[args.method]
    chosen = options(args, "model", "epochs", "batch", "lr", "backend")
    if args.steps is not None:
        if args.method not in SPIKING:
            raise ValueError(f"--steps: expected a method that counts spikes over time steps ({', '.join(SPIKING)}), got {args.method}")
        chosen["n_steps"] = args.steps
    chosen |= typed(args.set, lambda name: isinstance(getattr(rule.Settings, name, None), bool), chosen)
    return rule.settings_for(args.data, args.preset, **chosen)


def train(args):
    """Train a network."""
    data = datasets.load(args.data, args.folder)
    out = Path(args.out or f"runs/{args.method}-{args.data}.npz")
    chosen = settings(args)
    training.check_fit(chosen.model, data)
    parts = datasets.held_out(data, args.val)
    if args.resume and out.is_file():
        run = _resumed(args, out, chosen)
        parts = datasets.held_out(data, run.data.get("n_val"), run.data.get("split_seed", 0))
        print(f"going on after epoch {run.epoch} of {chosen.epochs}: {out}")
    else:
        if args.resume:
            print(f"no checkpoint {out}: beginning anew")
        run = training.start(args.method, chosen, args.seed, {"name": args.data, "n_val": args.val, "split_seed": 0})
        training.save(run, out, keep=True)
    rule = training.METHODS[run.method]
    if hasattr(rule, "bytes_needed"):
        print(f"a batch of {chosen.batch} over {chosen.n_steps} steps keeps {megabytes(rule.bytes_needed(chosen))} for its way back")
    began = time.perf_counter()
    try:
        loop(run, *parts, out, args.quiet)
    except KeyboardInterrupt:
        print(f"\n{out} holds the last finished epoch; go on with the same command and --resume", file=sys.stderr)
        raise
    seconds = time.perf_counter() - began
    result = {"command": "pysnn " + " ".join(sys.argv[1:]), "checkpoint": str(out), "seed": run.seed, "data": run.data,
              "settings": run.nets.settings.plain(), "records": run.records, "seconds": seconds, "versions": training.versions()}
    _say_last(run.records[-1] if run.records else {})
    if not args.no_test:
        found = rule.score(run.nets, data.x_test, data.y_test)
        result["test"] = found._asdict()
        print(f"test accuracy       {found.expected:.2%}  (strict {found.strict:.2%}, inclusive {found.inclusive:.2%})")
    print(f"{seconds:.1f} s; checkpoint: {out}")
    emit(args, result)


def _say_last(last):
    """Say what the last epoch's record holds beyond the table."""
    if "val_accuracy" in last:
        print(f"validation accuracy {last['val_accuracy']:.2%}  (strict {last['val_strict']:.2%}, inclusive {last['val_inclusive']:.2%})")
    if "silent" in last:
        print("dead neurons: " + "; ".join(
            f"layer {k + 1}: {last['silent'][k]:.1%} silent, {last['never'][k]:.1%} never fire, smallest margin {last['margin'][k]:+.2f}, "
            f"{last['dead_gradient'][k]:.1%} of gradients zero" for k in range(len(last["silent"]))))
    if "rates" in last:
        print("spikes a neuron and step: " + "; ".join(f"layer {k + 1}: {rate:.3f}" for k, rate in enumerate(last["rates"])))
    if "agreement" in last:
        print(f"the ReLU network with the same weights decides alike in {last['agreement']:.2%}")


def _resumed(args, out, chosen):
    """Load the run to go on with, and refuse one that this command would not have begun."""
    run = training.load(out)
    if run.rng is None:
        raise ValueError(f"{out}: holds weights only and cannot be resumed")
    then, now = checkpoint.read(out)[0].get("versions", {}), training.versions()
    if changed := [f"{name} {then.get(name)} then, {now[name]} now" for name in ("pysnn", "numpy") if then.get(name) != now[name]]:
        print(f"note: other versions may give other bits ({'; '.join(changed)})")
    n_val = run.data.get("n_val")
    there = {"method": run.method, "data": run.data.get("name"), "seed": run.seed, "val": n_val, **run.nets.settings.plain()}
    here = {"method": args.method, "data": args.data, "seed": args.seed, "val": n_val if args.val is None else args.val, **chosen.plain()}
    if run.method != args.method:
        raise ValueError(f"{out}: was trained otherwise than this command says (method {run.method} there, {args.method} here); "
                         "give the same, or another --out")
    if differ := [f"{name} {there[name]} there, {here[name]} here" for name in here if there[name] != here[name]]:
        raise ValueError(f"{out}: was trained otherwise than this command says ({'; '.join(differ)}); give the same, or another --out")
    return run


def _columns(method):
    """Return the head of the table of epochs, and what makes a line of it from a record."""
    first = f"{'epoch':>5} {'loss':>8} {'train':>7} {'valid.':>7} "

    def begin(r):
        valid = f"{r['val_accuracy']:7.2%}" if "val_accuracy" in r else "      -"
        return f"{r['epoch']:5d} {r['loss']:8.4f} {r['train_accuracy']:7.2%} {valid} "

    def temporal(r):
        silent = " ".join(f"{share:.1%}" for share in r["silent"])
        return begin(r) + f" {silent:<24} {min(r['margin']):+7.2f} {max(r['dead_gradient']):9.1%}"

    def rate(r):
        strict = f"{r['val_strict']:7.2%}" if "val_strict" in r else "      -"
        alike = f"{r['agreement']:8.1%}" if "agreement" in r else "       -"
        return begin(r) + f"{strict} {alike}  {' '.join(f'{x:.3f}' for x in r['rates'])}"

    if method == "temporal":
        return first + f" {'silent share by layer':<24} {'margin':>7} {'zero grad':>9}", temporal
    if method == "ann":
        return first.rstrip(), lambda r: begin(r).rstrip()
    return first + f"{'strict':>7} {'as ReLU':>8}  spikes a neuron and step by layer", rate


def loop(run, training_data, validation, out, quiet):
    """Go through the epochs, show them, and write the checkpoint after each."""
    s = run.nets.settings
    n_batches = -(-len(training_data[0]) // s.batch)
    shown = bar(n_batches * (s.epochs - run.epoch), quiet)
    say = (lambda line: None) if quiet else (shown.write if shown else print)
    often = max(1, s.epochs // 40)
    head, line = _columns(run.method)
    if run.epoch < s.epochs:
        say(head)

    def ticks(batches):
        for k in batches:
            yield k
            if shown:
                shown.update()

    with contextlib.closing(shown) if shown else contextlib.nullcontext():
        for r in training.epochs(run, training_data, validation, ticks):
            training.save(run, out)
            if r["epoch"] % often == 0 or r["epoch"] in (1, s.epochs):
                say(line(r))
