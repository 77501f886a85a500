"""Draw all lecture figures, and write the page that shows them.

Run: python docs/figures/all.py          writes docs/figures/*.svg, *.pdf, *.png and docs/figures.md, in some 40 s
     python docs/figures/all.py jump     only this figure, and the page
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import look  # noqa: E402

PAGES = {
    "The temporal neuron": ("one_neuron", "jump", "silence", "piecewise_linear", "delay", "raster_digit", "error_against_kappa"),
    "The integrate-and-fire neuron": ("if_traces", "if_staircase", "rate_and_relu", "surrogates", "or_pooling"),
    "Leaky neurons": ("leaky_neuron", "adjoint", "surrogate_bias", "surrogate_slopes"),
    "Plasticity, and time between spikes": ("plasticity", "two_ears"),
    "Encoding": ("five_codes",),
    "The ReLU network": ("convolution",),
    "Learning rules": ("proxy_scheme", "learning_rules", "gradient_angles", "accuracy_steps", "fair_comparison", "cifar10_curve",
                       "authors_curve"),
    "Costs": ("three_readings", "energy"),
}
INTRODUCTION = """# Lecture figures

These are figures for a lecture: as SVG and PDF, which stay sharp at any size, and as PNG for every slide program. In the SVG and the
PDF text is text: you can search it, and change it in a drawing program. One short file in `docs/figures` draws each figure, from the
equations, a recorded run or a network that ships with pysnn. `python docs/figures/all.py` draws all of them again. The
colours are those of Okabe and Ito, chosen for the common kinds of colour blindness. The derivations explain what the figures show. Two
films are in the [gallery](gallery/index.rst).
"""


def page():
    """Return the text of docs/figures.md: every figure with its caption."""
    parts = [INTRODUCTION]
    for heading, names in PAGES.items():
        parts.append(f"## {heading}\n")
        for name in names:
            script = importlib.import_module(name)
            picture = look.name(f"{name}.py")
            kinds = ", ".join(f"{{download}}`{kind.upper()} <figures/{Path(picture).stem}.{kind}>`" for kind in ("svg", "pdf", "png"))
            parts += [f"### {script.TITLE}\n", f"![{script.TITLE}](figures/{picture})\n", f"{script.CAPTION}\n",
                      f"Drawn by `docs/figures/{name}.py`. {kinds}\n"]
    return "\n".join(parts)


def main(*chosen):
    """Draw the chosen figures, all by default, and write the page."""
    names = [name for group in PAGES.values() for name in group]
    if unknown := sorted(set(chosen) - set(names)):
        raise SystemExit(f"expected some of {', '.join(names)}, got {unknown[0]!r}")
    for name in chosen or names:
        script = importlib.import_module(name)
        print(look.write(script.__file__, script.draw()))
    target = HERE.parent / "figures.md"
    target.write_text(page())
    print(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
