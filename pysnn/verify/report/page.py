"""The report of `pysnn verify` as one page: HTML with its figures inside, or Markdown. Nothing is loaded from elsewhere."""

from html import escape

import numpy as np

from ._table import cell
from .ledger import CONVENTION, GOOD, says

CHECKS = {
    "worked example": "a small case worked by hand",
    "definition": "forward against the definition: the membrane itself, or plain loops",
    "gradcheck": "backward against central differences of forward; places where decisions change are told apart and counted",
    "complex step": "backward against a complex step at frozen causal sets",
    "shift identity": "delaying all inputs delays each output by as much",
    "no delays": "delays of 0 change nothing",
    "no jumps": "as a weight or a time moves, the spike moves the less, the smaller the step",
    "homogeneity": "sum z dL/dz is the same at every layer",
    "reference": "outputs and gradients against the reference implementation",
    "dynamics": "spikes and potentials against the definition, step by step",
    "frozen offsets": "backward against differences of a net in which what the method holds constant is frozen",
    "transpose": "backward against a forward pass by dual numbers",
    "two parts": "a run cut in two has the gradients of the whole",
    "statistics": "batch normalisation uses the statistics that its arguments declare",
    "ties": "of equal numbers the first in row-major order wins",
    "silence": "a silent output gets gradient 0",
    "arguments left alone": "computing gradients changes no weight, no statistic and no sample",
    "weight decay": "the cost of weights is in the loss as in the gradient",
    "sizes": "other numbers of steps, samples, neurons, channels: by definition, and by the transpose identity",
    "edges": "ties, crossings exactly at an input, weights hardly above the threshold",
    "contract": "arguments and results stay as they are; one call knows nothing of another; samples are independent; backward is linear",
    "golden vectors": "outputs and gradients against the shipped golden vectors",
}
"""What the checks do, one line each."""

COLUMNS = ("check", "argument", "checked", "max rel. error", "ulps", "condition", "kinks", "skipped", "verdict")

STYLE = """
:root{--paper:#fff;--ink:#1a1a1a;--soft:#5c5c5c;--line:#dcdcdc;--bar:#9cc3de;--right:#0072b2;--wrong:#c93a00;--unsure:#8a6d00;--band:#f5f7f9;
color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--paper:#16191c;--ink:#e8e8e8;--soft:#a5abb0;--line:#3a4046;--bar:#2c5a7a;--right:#6db6e8;
--wrong:#ff8552;--unsure:#e0bb4a;--band:#1e2226}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.2rem 1rem 3rem}h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:1.4rem 0 .3rem}p{margin:.4rem 0}.soft,figcaption{color:var(--soft);font-size:.87rem}
.verdict{display:inline-block;padding:.15rem .7rem;border-radius:1rem;color:var(--paper);font-weight:600;background:var(--right)}
.verdict.bad{background:var(--wrong)}figure{margin:1rem 0}
.strips{display:grid;grid-template-columns:max-content 1fr;gap:0 .8rem;align-items:center}
.name{font-size:.87rem;text-align:right}.name.bad{color:var(--wrong);font-weight:600}svg{display:block;overflow:visible}.bar{fill:var(--bar)}
.axis{stroke:var(--line)}.ticks text{fill:var(--soft);font-size:12px}.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}th,td{padding:.2rem .6rem .2rem 0;text-align:right;
border-bottom:1px solid var(--line);white-space:nowrap}th{color:var(--soft);font-weight:500}td.l,th.l{text-align:left}
td.w{white-space:normal;min-width:14rem}tr.bad td{background:var(--band)}
.WRONG{color:var(--wrong);font-weight:600}.unjudged,.unchecked{color:var(--unsure);font-weight:600}
details{margin:.3rem 0}summary{cursor:pointer;color:var(--soft)}code{font-size:.9em}ul{padding-left:1.2rem}td.c{text-align:center}
.zoo th{vertical-align:bottom}.zoo th span{writing-mode:vertical-rl;transform:rotate(180deg)}.zoo td{padding-right:.5rem}
.box{border-left:4px solid var(--wrong);background:var(--band);padding:.5rem .9rem;margin:.6rem 0}
@media(max-width:34rem){.strips{grid-template-columns:1fr}.name{text-align:left;margin-top:.3rem}}
"""
LOW, HIGH = -17.0, 1.0           # decades shown; what is smaller (0, too) or larger stands at the edge
BINS = 54
ROW, TOP = 34, 6                 # pixels
COLOURS = {"right": "var(--right)", "WRONG": "var(--wrong)", "unchecked": "var(--unsure)", "unjudged": "var(--unsure)",
           "convention": "var(--right)"}


def headline(ledger, zoo=None):
    """Say in one line what came out.

    Parameters
    ----------
    ledger : pysnn.verify.report.ledger.Ledger
        Any.
    zoo : pysnn.verify.zoo.catch.Catch, optional
        What became of the known mistakes.

    Returns
    -------
    str
        Words.
    """
    words = []
    if ledger.entries:
        n, skipped = (sum(getattr(e, field) for e in ledger.entries) for field in ("n_checked", "skipped"))
        bad, other = len(ledger.failed), any(e.verdict == CONVENTION for e in ledger.entries)
        words.append(f"{len(ledger.entries)} entries, {n:,} numbers compared, {skipped} not compared (each counted, with its reason): "
                     + (f"{bad} NOT RIGHT" if bad else "all right, by a convention of its own" if other else "all right"))
    if zoo is not None:
        n = sum(c.ok for c in zoo.faults)
        words.append(f"{n} of {len(zoo.faults)} known mistakes caught by the check that they name")
    return "; ".join(words) or "nothing was checked"


def html(ledger, about, zoo=None, likely=()):
    """Write the report as HTML.

    Parameters
    ----------
    ledger : pysnn.verify.report.ledger.Ledger
        The results of the checks.
    about : dict
        What was run, by name: shown as it is.
    zoo : pysnn.verify.zoo.catch.Catch, optional
        Which check catches which known mistake.
    likely : sequence of str
        What the mistake looks like.

    Returns
    -------
    str
        A whole page; it refers to nothing outside itself.
    """
    ok = (ledger.ok or not ledger.entries) and (zoo is None or zoo.ok)
    parts = ["<h1>pysnn verify</h1>", f'<p><span class="verdict{"" if ok else " bad"}">{"all right" if ok else "not right"}</span> '
             f"{escape(headline(ledger, zoo))}</p>",
             f'<p class="soft">{escape("; ".join(f"{k}: {v}" for k, v in about.items()))}</p>']
    parts += [f'<div class="box"><strong>{escape(words)}</strong></div>' for words in likely]
    parts += _failures(ledger)
    if ledger.entries:
        parts += ["<h2>How large the errors are</h2>", _errors_figure(ledger), "<h2>Check by check</h2>", *_operations(ledger)]
    parts += _zoo(zoo) if zoo is not None else []
    kinds = dict.fromkeys([e.check.split(":")[0] for e in ledger.entries] + (zoo.kinds if zoo is not None else []))
    lines = "".join(f"<li><strong>{escape(k)}</strong>: {escape(CHECKS[k])}</li>" for k in kinds if k in CHECKS)
    parts.append(f"<h2>What the checks do</h2><ul>{lines}</ul>{_legend()}")
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>pysnn verify: {'all right' if ok else 'not right'}</title><style>{STYLE}</style></head>\n<body><main>\n"
            + "\n".join(parts) + "\n</main></body></html>\n")


def _legend():
    return ('<p class="soft">Errors are relative to the number itself, or to a thousandth of the largest in its array where it is smaller. '
            "ulps: the same over 2.2e-16. condition: how many roundings one rounding of the arguments can become. kinks: compared with "
            "one-sided derivatives. skipped: not compared, with the reason.</p>")


def _failures(ledger):
    """List what went wrong: of each check the first."""
    parts = []
    for name, checks in ledger.groups().items():
        lines = "".join(f'<li><span class="{e.verdict}">{e.verdict}</span> <strong>{escape(e.check)}</strong> {escape(e.argument)}: '
                        f"{escape(says(e))}{f'; and {len(others)} more' if others else ''}</li>" for e, *others in checks.values())
        parts.append(f'<div class="box"><strong>{escape(name)}</strong><ul>{lines}</ul></div>')
    return ["<h2>What is wrong</h2>", *parts] if parts else []


def _row(e, notes=False):
    words = "" if not notes else f'<td class="l w">{escape(says(e))}</td>'
    numbers = "".join(f"<td>{escape(cell(x))}</td>" for x in (e.n_checked, e.max_error, e.ulps, e.condition, e.kinks, e.skipped))
    return (f'<tr{"" if e.verdict in GOOD else " class=bad"}><td class="l">{escape(e.check)}</td><td class="l">{escape(e.argument)}</td>'
            f'{numbers}<td class="{e.verdict}">{e.verdict}</td>{words}</tr>')


def _table(entries, notes=False):
    head = "".join(f"<th{' class=l' if name in ('check', 'argument') else ''}>{name}</th>" for name in COLUMNS)
    head += '<th class="l">note</th>' if notes else ""
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(_row(e, notes) for e in entries)}</table></div>'


def _operations(ledger):
    """Give each operation its summary, and all entries folded below it."""
    parts, summary = [], ledger.summary().entries
    for name in dict.fromkeys(e.operation for e in ledger.entries):
        entries = [e for e in ledger.entries if e.operation == name]
        parts.append(f"<h3>{escape(name)}</h3>{_table([e for e in summary if e.operation == name])}"
                     f"<details><summary>all {len(entries)} entries</summary>{_table(entries, True)}</details>")
    return parts


def _zoo(zoo):
    """Show which check catches which fault."""
    head = "".join(f"<th><span>{escape(kind)}</span></th>" for kind in zoo.kinds)
    rows = []
    for c in zoo.faults:
        marks = "".join(f'<td class="c">{"" if kind not in c.by else "●" if c.by[kind] else "○"}</td>' for kind in zoo.kinds)
        rows.append(f'<tr{"" if c.ok else " class=bad"}><td class="l"><details><summary>{escape(c.fault.name)}</summary>'
                    f"<div class=soft>{escape(c.fault.description)} ({escape(c.fault.source)})</div></details></td>{marks}</tr>")
    return ["<h2>Known mistakes, and which check catches them</h2>",
            '<p class="soft">● caught, ○ passes this check, empty: the check does not apply. Open a name to see what it is.</p>',
            f'<div class="scroll zoo"><table><tr><th class="l">mistake</th>{head}</tr>{"".join(rows)}</table></div>']


def _at(error):
    """Place an error on the axis, in percent."""
    error = np.nan_to_num(np.asarray(error, float), nan=np.inf, posinf=np.inf)
    with np.errstate(divide="ignore"):
        return 1 + 98 * (np.clip(np.log10(error), LOW, HIGH) - LOW) / (HIGH - LOW)


def _strip(errors, entries):
    """Draw one operation: bars for how many numbers had which error, a mark for the largest error of each check."""
    parts, base = [], ROW - TOP
    x = np.ravel(np.asarray(errors, float))
    if x.size:
        n, edges = np.histogram(_at(x), np.linspace(0, 100, BINS + 1))
        tall = np.sqrt(np.minimum(n / max(n[1:].max(), 1), 1)) * (base - 4)      # the first bin, exact zeros, may be cut
        parts += [f'<rect x="{a:.2f}%" y="{base - h:.1f}" width="{100 / BINS:.2f}%" height="{h:.1f}" class="bar"/>'
                  for a, h in zip(edges, tall, strict=False) if h > 0]
    parts.append(f'<line x1="0" x2="100%" y1="{base}" y2="{base}" class="axis"/>')
    for e in sorted(entries, key=lambda e: e.verdict == "WRONG"):
        if e.max_error is None:
            continue
        words = escape(f"{e.check}, {e.argument}: {e.max_error:.2g} ({e.verdict})")
        radius, fill = (5, COLOURS["WRONG"]) if e.verdict == "WRONG" else (3.2, "var(--paper)")
        parts.append(f'<circle cx="{_at(e.max_error):.2f}%" cy="{base}" r="{radius}" fill="{fill}" stroke="{COLOURS[e.verdict]}" '
                     f'stroke-width="1.4"><title>{words}</title></circle>')
    return f'<svg width="100%" height="{ROW}" role="img" aria-label="errors">{"".join(parts)}</svg>'


def _axis():
    """Draw the numbers below the strips."""
    ticks = [(k, f"1e{k}" if k else "1") for k in range(-16, 1, 4)]
    words = "".join(f'<text x="{_at(10.0 ** k):.2f}%" y="14" text-anchor="middle">{label}</text>' for k, label in ticks)
    return f'<svg width="100%" height="20" class="ticks" aria-hidden="true">{words}</svg>'


def _errors_figure(ledger):
    """Draw the errors of all operations of a ledger, one strip each."""
    rows, summary = [], ledger.summary().entries
    for name in dict.fromkeys(e.operation for e in summary):
        entries = [e for e in summary if e.operation == name]
        bad = any(e.verdict not in GOOD for e in entries)
        drawn = _strip(ledger.errors.get(name, ()), entries)
        rows.append(f'<div class="name{" bad" if bad else ""}">{escape(name)}</div><div>{drawn}</div>')
    return ('<figure><div class="strips">' + "".join(rows) + f'<div></div><div>{_axis()}</div></div>'
            "<figcaption>Relative error, logarithmic; exact zeros stand at the left edge, lost spikes and NaN at the right. Bars: numbers "
            "compared (height: square root of the count; that of the zeros is cut). "
            "Circles: the largest error of each check; red and filled: wrong. Around 1e-16: compared with an exact result; around 1e-9: "
            "with differences, which have no more digits."
            "</figcaption></figure>")


def markdown(ledger, about, zoo=None, likely=()):
    """Write the report as Markdown.

    Parameters
    ----------
    ledger : pysnn.verify.report.ledger.Ledger
        The results of the checks.
    about : dict
        What was run, by name: shown as it is.
    zoo : pysnn.verify.zoo.catch.Catch, optional
        Which check catches which known mistake.
    likely : sequence of str
        What the mistake looks like.

    Returns
    -------
    str
        Headings, tables, lists.
    """
    def clean(x):
        return str(x).replace("|", "\\|").replace("\n", " ")

    def table(header, rows):
        return "\n".join(["| " + " | ".join(header) + " |", "|" + "---|" * len(header),
                          *("| " + " | ".join(clean(x) for x in row) + " |" for row in rows)])
    parts = ["# pysnn verify", f"**{headline(ledger, zoo)}**", "; ".join(f"{k}: {clean(v)}" for k, v in about.items())]
    parts += [f"**{clean(words)}**" for words in likely]
    if ledger.failed:
        parts += ["## What is wrong", "\n".join(f"- {e.verdict}: **{clean(e.operation)}**, {clean(e.check)}, {clean(e.argument)}: "
                                               f"{clean(says(e))}{f'; and {len(others)} more' if others else ''}"
                                               for checks in ledger.groups().values() for e, *others in checks.values())]
    if ledger.entries:
        rows = [(e.operation, *(getattr(e, name) for name in ("check", "argument")),
                 *(cell(x) for x in (e.n_checked, e.max_error, e.ulps, e.condition, e.kinks, e.skipped)), e.verdict)
                for e in ledger.summary().entries]
        parts += ["## Check by check", table(("operation", *COLUMNS), rows)]
    if zoo is not None:
        rows = [(c.fault.name, c.fault.source, c.fault.description, ", ".join(k for k, e in c.by.items() if e),
                 ", ".join(k for k, e in c.by.items() if not e)) for c in zoo.faults]
        parts += ["## Known mistakes", table(("mistake", "source", "what it is", "caught by", "passes"), rows)]
    kinds = dict.fromkeys([e.check.split(":")[0] for e in ledger.entries] + (zoo.kinds if zoo is not None else []))
    parts += ["## What the checks do", "\n".join(f"- **{k}**: {CHECKS[k]}" for k in kinds if k in CHECKS)]
    return "\n\n".join(parts) + "\n"
