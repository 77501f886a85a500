"""The figures of the report, as inline SVG: widths in percent, so that text keeps its size on a phone; colours from the page's style."""

from html import escape

import numpy as np

LOW, HIGH = -17.0, 1.0           # decades shown; what is smaller (0, too) or larger stands at the edge
BINS = 54
ROW, TOP = 34, 6                 # pixels
COLOURS = {"right": "var(--right)", "WRONG": "var(--wrong)", "unchecked": "var(--unsure)"}


def _at(error):
    """Place an error on the axis, in percent."""
    error = np.nan_to_num(np.asarray(error, float), nan=np.inf, posinf=np.inf)
    with np.errstate(divide="ignore"):
        return 1 + 98 * (np.clip(np.log10(error), LOW, HIGH) - LOW) / (HIGH - LOW)


def strip(errors, entries):
    """Draw one operation: bars for how many numbers had which error, a mark for the largest error of each check.

    Parameters
    ----------
    errors : array
        Relative errors.
    entries : sequence of pysnn.verify.report.ledger.Entry
        Those of the operation.

    Returns
    -------
    str
        An svg element.
    """
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
        said = escape(f"{e.check}, {e.argument}: {e.max_error:.2g} ({e.verdict})")
        radius, fill = (5, COLOURS["WRONG"]) if e.verdict == "WRONG" else (3.2, "var(--paper)")
        parts.append(f'<circle cx="{_at(e.max_error):.2f}%" cy="{base}" r="{radius}" fill="{fill}" stroke="{COLOURS[e.verdict]}" '
                     f'stroke-width="1.4"><title>{said}</title></circle>')
    return f'<svg width="100%" height="{ROW}" role="img" aria-label="errors">{"".join(parts)}</svg>'


def axis():
    """Draw the numbers below the strips.

    Returns
    -------
    str
        An svg element.
    """
    ticks = [(k, f"1e{k}" if k else "1") for k in range(-16, 1, 4)]
    words = "".join(f'<text x="{_at(10.0 ** k):.2f}%" y="14" text-anchor="middle">{said}</text>' for k, said in ticks)
    return f'<svg width="100%" height="20" class="ticks" aria-hidden="true">{words}</svg>'


def errors_figure(ledger):
    """Draw the errors of all operations of a ledger, one strip each.

    Parameters
    ----------
    ledger : pysnn.verify.report.ledger.Ledger
        Any.

    Returns
    -------
    str
        A figure element, in HTML.
    """
    rows, summary = [], ledger.summary().entries
    for name in dict.fromkeys(e.operation for e in summary):
        entries = [e for e in summary if e.operation == name]
        bad = any(e.verdict != "right" for e in entries)
        drawn = strip(ledger.errors.get(name, ()), entries)
        rows.append(f'<div class="name{" bad" if bad else ""}">{escape(name)}</div><div>{drawn}</div>')
    return ('<figure><div class="strips">' + "".join(rows) + f'<div></div><div>{axis()}</div></div>'
            "<figcaption>Relative error, logarithmic; exact zeros stand at the left edge, lost spikes and NaN at the right. Bars: numbers "
            "compared (height: square root of the count; that of the zeros is cut). "
            "Circles: the largest error of each check; red and filled: wrong. Around 1e-16: compared with an exact result; around 1e-9: "
            "with differences, which have no more digits."
            "</figcaption></figure>")
