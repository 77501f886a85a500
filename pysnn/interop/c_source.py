"""A network of whole numbers as one C99 file: static arrays, no libraries, a program that reads images and prints counts."""

from pathlib import Path

import numpy as np

from .. import _files
from .integers import IntegerNetwork, Neurons, Pool, Weights

HEAD = """\
/* A spiking network of integrate-and-fire neurons, in whole numbers only.

   {text}
   {n_steps} time steps; weights of {bits} bits; the reset is "{reset}", and a neuron fires where its potential is {fire} its threshold.

   Compile:  cc -std=c99 -O2 -o network {name}
   Run:      ./network < images      or      ./network images
   Images are {n_input} bytes each, one after the other ({shape}); a line of output holds the {n_output} {outputs} of an image.
*/

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {{ N_STEPS = {n_steps}, N_INPUT = {n_input}, N_OUTPUT = {n_output} }};

typedef struct {{ int h, w, c; }} Shape;             /* index of a pixel: (row * w + column) * c + channel */
"""

FUNCTIONS = {
    "conv": """
/* y += w applied to x; weights are [row][column][channel in][channel out]. Pixels that are 0 cost nothing. */
static void conv(const int32_t *x, Shape in, const int8_t *w, Shape k, int stride, int padding, int32_t *y, Shape out)
{
    memset(y, 0, sizeof *y * (size_t)(out.h * out.w * out.c));
    for (int i = 0; i < in.h; i++)
        for (int j = 0; j < in.w; j++)
            for (int c = 0; c < in.c; c++) {
                const int32_t value = x[(i * in.w + j) * in.c + c];
                if (value == 0)
                    continue;
                for (int a = 0; a < k.h; a++) {
                    const int row = i + padding - a;
                    if (row < 0 || row % stride || row / stride >= out.h)
                        continue;
                    for (int b = 0; b < k.w; b++) {
                        const int column = j + padding - b;
                        if (column < 0 || column % stride || column / stride >= out.w)
                            continue;
                        const int8_t *from = w + ((a * k.w + b) * in.c + c) * out.c;
                        int32_t *to = y + (row / stride * out.w + column / stride) * out.c;
                        for (int n = 0; n < out.c; n++)
                            to[n] += value * from[n];
                    }
                }
            }
}
""",
    "dense": """
/* y = w applied to x; weights are [in][out]. Inputs that are 0 cost nothing. */
static void dense(const int32_t *x, int n_in, const int8_t *w, int32_t *y, int n_out)
{
    memset(y, 0, sizeof *y * (size_t)n_out);
    for (int i = 0; i < n_in; i++)
        if (x[i] != 0)
            for (int n = 0; n < n_out; n++)
                y[n] += x[i] * w[i * n_out + n];
}
""",
    "pool": """
/* y = the largest number of each window, or the sum. */
static void pool(const int32_t *x, Shape in, int size, int stride, int largest, int32_t *y, Shape out)
{
    for (int i = 0; i < out.h; i++)
        for (int j = 0; j < out.w; j++)
            for (int c = 0; c < out.c; c++) {
                int32_t all = 0, top = INT32_MIN;
                for (int a = 0; a < size; a++)
                    for (int b = 0; b < size; b++) {
                        const int32_t value = x[((i * stride + a) * in.w + j * stride + b) * in.c + c];
                        all += value;
                        top = value > top ? value : top;
                    }
                y[(i * out.w + j) * out.c + c] = largest ? top : all;
            }
}
""",
    "start": """
/* v = the potential before the first step. */
static void start(int64_t *v, int n, const int64_t *v_init, int channels)
{
    for (int i = 0; i < n; i++)
        v[i] = v_init[i % channels];
}
""",
    "integrate": """
/* One step of outputs that do not fire: v += gain x + bias. */
static void integrate(const int32_t *x, int64_t *v, int n, int gain, const int64_t *bias, int channels)
{
    for (int i = 0; i < n; i++)
        v[i] += (int64_t)gain * x[i] + bias[i % channels];
}
""",
    "fire": """
/* One step of neurons: v += gain x + bias; s = 1 where they fire. */
static void fire(const int32_t *x, int64_t *v, int32_t *s, int n, int gain, const int64_t *bias, const int64_t *threshold, int channels)
{
    for (int i = 0; i < n; i++) {
        v[i] += (int64_t)gain * x[i] + bias[i % channels];
        s[i] = v[i] FIRE threshold[i % channels];
        if (s[i])
            RESET;
    }
}
""",
}

MAIN = """
int main(int argc, char **argv)
{
    static uint8_t image[N_INPUT];
    int64_t counts[N_OUTPUT];
    size_t n;
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : stdin;
    if (file == NULL) {
        fprintf(stderr, "cannot read %s\\n", argv[1]);
        return 2;
    }
    while ((n = fread(image, 1, N_INPUT, file)) == N_INPUT) {
        run(image, counts);
        for (int i = 0; i < N_OUTPUT; i++)
            printf("%" PRId64 "%c", counts[i], i + 1 < N_OUTPUT ? ' ' : '\\n');
    }
    if (n != 0) {
        fprintf(stderr, "expected images of %d bytes, got a rest of %d\\n", N_INPUT, (int)n);
        return 1;
    }
    return 0;
}
"""


def to_c(network, path):
    """Write a network of whole numbers as a C99 program that reads images and prints counts, the same as those of `simulate`.

    Parameters
    ----------
    network : pysnn.interop.integers.IntegerNetwork
        From `pysnn.interop.quantize`.
    path : str or Path
        File to write, all of it or nothing.

    Raises
    ------
    TypeError
        If it is no such network.
    """
    if not isinstance(network, IntegerNetwork):
        raise TypeError(f"network: expected an IntegerNetwork from quantize, got {type(network).__name__}")
    _files.write_text(path, _source(network, Path(path).name))


def _source(network, name):
    """Write the program."""
    arrays, once, step, used, shape = [], [], [], {"start"}, (*([1, 1] if len(network.shape) == 1 else []), *network.shape)
    at, first = 0, True
    for i, layer in enumerate(network.layers, 1):
        after = _after(layer, shape)
        lines = step if not first or isinstance(layer, Neurons) else once
        if isinstance(layer, Neurons):
            first = False
            arrays += [_array("int64_t", f"bias{i}", layer.bias), _array("int64_t", f"v_init{i}", layer.v_init)]
            n, word = int(np.prod(shape)), "fire" if layer.threshold is not None else "integrate"
            once.append(f"start(v{i}, {n}, v_init{i}, {shape[2]});")
            arrays.append(f"static int64_t v{i}[{n}];\n")
            if layer.threshold is not None:
                arrays += [_array("int64_t", f"threshold{i}", layer.threshold), f"static int32_t x{i}[{n}];\n"]
                lines.append(f"fire(x{at}, v{i}, x{i}, {n}, {layer.gain}, bias{i}, threshold{i}, {shape[2]});")
            else:
                lines.append(f"integrate(x{at}, v{i}, {n}, {layer.gain}, bias{i}, {shape[2]});")
            used.add(word)
        else:
            arrays.append(f"static int32_t x{i}[{int(np.prod(after))}];\n")
            used.add(_call(layer, (at, i), (shape, after), arrays, lines))
        at, shape = i, after
    fires = network.layers[-1].threshold is not None
    step.append(f"for (int i = 0; i < N_OUTPUT; i++)\n            counts[i] {'+= x' if fires else '= v'}{at}[i];")
    return "".join([_head(network, name, fires), *(text for word, text in _functions(network).items() if word in used), "\n",
                    f"static int32_t x0[{int(np.prod(network.shape))}];\n", *arrays, _run(once, step), MAIN])


def _after(layer, shape):
    """Return the shape (h, w, c) behind a layer."""
    if isinstance(layer, Neurons):
        return shape
    if isinstance(layer, Weights) and layer.w.ndim == 2:
        return 1, 1, layer.w.shape[1]
    size, padding = (layer.w.shape[:2], layer.padding) if isinstance(layer, Weights) else ((layer.size,) * 2, 0)
    sides = ((n + 2 * padding - k) // layer.stride + 1 for n, k in zip(shape[:2], size, strict=True))
    return *sides, layer.w.shape[3] if isinstance(layer, Weights) else shape[2]


def _call(layer, places, shapes, arrays, lines):
    """Add the call of a layer without neurons to `lines`, and its weights to `arrays`; return which function it needs."""
    (at, i), (before, after) = places, shapes
    said = [f"(Shape){{{', '.join(map(str, shape))}}}" for shape in shapes]
    if isinstance(layer, Pool):
        lines.append(f"pool(x{at}, {said[0]}, {layer.size}, {layer.stride}, {int(layer.kind == 'max')}, x{i}, {said[1]});")
        return "pool"
    arrays.append(_array("int8_t", f"w{i}", layer.w))
    if layer.w.ndim == 2:
        lines.append(f"dense(x{at}, {int(np.prod(before))}, w{i}, x{i}, {after[2]});")
        return "dense"
    kernel = f"(Shape){{{', '.join(map(str, layer.w.shape[:3]))}}}"
    lines.append(f"conv(x{at}, {said[0]}, w{i}, {kernel}, {layer.stride}, {layer.padding}, x{i}, {said[1]});")
    return "conv"


def _head(network, name, fires):
    """Write the comment at the top, and what all programs begin with."""
    words = {Weights: lambda x: "x".join(map(str, x.w.shape)), Pool: lambda x: f"{x.kind} {x.size}",
             Neurons: lambda x: "neurons" if x.threshold is not None else "sum"}
    text = " - ".join(words[type(layer)](layer) for layer in network.layers)
    shape = f"{network.shape[0]} rows of {network.shape[1]} pixels of {network.shape[2]}" if len(network.shape) == 3 else "a row"
    return HEAD.format(text=text, n_steps=network.n_steps, bits=network.bits, reset=network.rule.reset, fire=network.rule.fire, shape=shape,
                       n_input=int(np.prod(network.shape)), n_output=len(network.layers[-1].bias), name=name.replace("*/", ""),
                       outputs="spike counts" if fires else "potentials")


def _functions(network):
    """Return the functions by name, with the rule of the neurons in them."""
    reset = "v[i] -= threshold[i % channels]" if network.rule.reset == "subtract" else "v[i] = 0"
    return FUNCTIONS | {"fire": FUNCTIONS["fire"].replace("FIRE", network.rule.fire).replace("RESET", reset)}


def _run(once, step):
    """Write the function that runs an image."""
    begin = ["for (int i = 0; i < N_INPUT; i++)\n        x0[i] = image[i];", "memset(counts, 0, sizeof *counts * N_OUTPUT);", *once]
    return "\nstatic void run(const uint8_t *image, int64_t *counts)\n{\n" + "".join(f"    {line}\n" for line in begin) \
        + "    for (int t = 0; t < N_STEPS; t++) {\n" + "".join(f"        {line}\n" for line in step) + "    }\n}\n"


def _array(kind, name, x):
    """Write a constant array, 24 numbers a line."""
    numbers = [str(n) for n in x.ravel().tolist()]
    rows = ",\n".join("    " + ", ".join(numbers[i:i + 24]) for i in range(0, len(numbers), 24))
    return f"static const {kind} {name}[{len(numbers)}] = {{\n{rows}\n}};\n"
