"""The running form (T9) at the machine's level: a block of neurons takes spikes in, its state in registers.

Numba would load and store the state at every few spikes, and would test each time whether the arrays overlap. This loop, written in LLVM's
language, is several times as fast where there are few neurons. Bits are those of the loop in Python below.
"""

import functools

from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from ._events import LANES, data_of

FLAGS = ("contract", "nsz")          # those of `njit`


def runner(width):
    """Make the loop for `width` neurons, a multiple of LANES.

    The loop is called as run(order, times, begin, n, table, first, threshold, n_neurons, state). Spikes k = begin ... begin + n - 1 come at
    times[k], as exp(t/tau), and bring table[first + order[k] * width:][:width]; times[begin + n] must be there. It writes the state,
    (3, width): of each neuron (T9) a = sum w - threshold, r = z (V - threshold), and the time of the first spike that does not count, which
    means nothing while r < 0. Whoever reaches r >= 0 keeps the three; so do, from the beginning, those from n_neurons on.
    """
    @intrinsic
    def run(typing, order, times, begin, n, table, first, threshold, n_neurons, state):
        integer = types.int64

        def generate(context, builder, signature, args):
            order, times, table, state = (data_of(context, builder, signature, args, k) for k in (0, 1, 4, 8))
            _generate(builder, (order, times, *args[2:4], table, *args[5:8], state), width, context.get_abi_sizeof(times.type.pointee))
            return context.get_dummy_value()

        return types.void(order, times, integer, integer, table, integer, times.dtype, integer, state), generate

    return run


def _generate(builder, args, width, size):
    """Write the loop; it ends early once all have fired."""
    order, times, begin, n, table, base, threshold, n_neurons, state = args
    number, index = times.type.pointee, ir.IntType(64)
    vector, places, blocks = ir.VectorType(number, LANES), ir.VectorType(ir.IntType(32), LANES), range(width // LANES)
    zeros = ir.Constant(vector, [0.0] * LANES)

    def place(array, start, k):
        return builder.bitcast(builder.gep(array, [builder.add(start, index(k * LANES))]), vector.as_pointer())

    def load(array, start, k):
        value = builder.load(place(array, start, k))
        value.align = size
        return value

    def everywhere(value):
        nothing = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
        return builder.shuffle_vector(builder.insert_element(nothing, value, places.element(0)), nothing, ir.Constant(places, [0] * LANES))

    z_first, last = builder.load(builder.gep(times, [begin])), builder.add(begin, n)
    rest = everywhere(builder.fneg(threshold))
    r_first = builder.fmul(everywhere(z_first), rest, flags=FLAGS)
    inside = [builder.icmp_signed("<", ir.Constant(places, list(range(i * LANES, (i + 1) * LANES))), everywhere(builder.trunc(
        n_neurons, places.element))) for i in blocks]
    before = [[rest for _ in blocks], [builder.select(which, r_first, zeros) for which in inside], [zeros for _ in blocks]]
    entry, head, body, end = builder.block, *(builder.append_basic_block(name) for name in ("head", "body", "end"))
    builder.branch(head)
    builder.position_at_end(head)
    k, z = builder.phi(index), builder.phi(number)
    now = [[builder.phi(vector) for _ in blocks] for _ in range(3)]
    live = [builder.fcmp_ordered("<", r, zeros) for r in now[1]]
    some = functools.reduce(builder.or_, live)
    go_on = builder.icmp_unsigned("!=", builder.bitcast(some, ir.IntType(LANES)), ir.IntType(LANES)(0))
    builder.cbranch(builder.and_(builder.icmp_signed("<", k, last), go_on), body, end)
    builder.position_at_end(body)
    k_next = builder.add(k, index(1))
    z_next = builder.load(builder.gep(times, [k_next]))
    row = builder.add(builder.mul(builder.zext(builder.load(builder.gep(order, [k])), index), index(width)), base)
    dz, bound = everywhere(builder.fsub(z_next, z, flags=FLAGS)), everywhere(z_next)
    after = [[], [], []]
    for i, which in enumerate(live):
        old_a, old_r, old_bound = (part[i] for part in now)
        a = builder.fadd(old_a, load(table, row, i), flags=FLAGS)
        r = builder.fadd(old_r, builder.fmul(dz, a, flags=FLAGS), flags=FLAGS)         # does not wait for who is live
        for part, new, old in zip(after, (a, r, bound), (old_a, old_r, old_bound), strict=True):
            part.append(builder.select(which, new, old))
    builder.branch(head)
    for phi, old, new in ((k, begin, k_next), (z, z_first, z_next),
                          *(three for parts in zip(now, before, after, strict=True) for three in zip(*parts, strict=True))):
        phi.add_incoming(old, entry)
        phi.add_incoming(new, body)
    builder.position_at_end(end)
    for row, part in enumerate(now):
        for i, value in enumerate(part):
            builder.store(value, place(state, index(row * width), i)).align = size


def runner_in_python(width):
    """Make the loop that `runner` makes, (T9), in Python."""
    def run(order, times, begin, n, table, first, threshold, n_neurons, state):
        a, r, bound = state
        a[:], r[:], bound[:] = -threshold, 0, 0
        r[:n_neurons] = -threshold * times[begin]
        for k in range(begin, begin + n):
            live, row = r < 0, first + int(order[k]) * width
            a[live] += table[row:row + width][live]
            r[live] += (times[k + 1] - times[k]) * a[live]
            bound[live] = times[k + 1]

    return run


if config.DISABLE_JIT:
    runner = runner_in_python
