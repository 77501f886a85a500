"""Two machine-level loops, all that event-driven layers need: list the neurons that fired, and add the rows of a table that a list names.

Numba cannot be told that a sum and a table do not overlap, so a loop of its own tests for that at every event and loads and stores the sum
again and again; nor can it squeeze a vector. These loops, written in LLVM's language, are several times as fast.
"""

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16            # numbers a vector; narrower machines take several for one
COMPRESSES = bool(get_host_cpu_features().get("avx512f"))      # whether the machine squeezes a vector; else several dozen instructions do
UNUSED = 2**32 - 1    # in Python: what stands behind the numbers of a list, where the machine writes anything


def data_of(context, builder, signature, args, k):
    """Return the address of an array's first number."""
    return context.make_array(signature.args[k])(context, builder, value=args[k]).data


def _set_flags(context, builder, signature, args):
    """Load LANES flags as the bits of an integer."""
    bytes_ = ir.VectorType(ir.IntType(8), LANES)
    seen = builder.load(builder.bitcast(builder.gep(data_of(context, builder, signature, args, 0), [args[1]]), bytes_.as_pointer()))
    seen.align = 1
    return builder.bitcast(builder.icmp_unsigned("!=", seen, ir.Constant(bytes_, [0] * LANES)), ir.IntType(LANES))


@intrinsic
def count(typing, flags, at):
    """Count those of flags[at:at + LANES] that are not 0."""
    def generate(context, builder, signature, args):
        return builder.zext(builder.ctpop(_set_flags(context, builder, signature, args)), ir.IntType(64))

    return types.int64(flags, types.int64), generate


@intrinsic
def squeeze(typing, flags, at, number, events, cursor):
    """Write number + k to events[cursor:] for each k < LANES where flags[at + k] is not 0, one after the other; return how many.

    Beyond those, up to LANES numbers may be written: they are to be overwritten.
    """
    integer = types.int64

    def generate(context, builder, signature, args):
        word = ir.IntType(32)
        words, first = ir.VectorType(word, LANES), builder.trunc(args[2], word)

        def all_numbers():
            nothing = ir.Constant(words, ir.Undefined)
            everywhere = builder.shuffle_vector(builder.insert_element(nothing, first, word(0)), nothing, ir.Constant(words, [0] * LANES))
            return builder.add(everywhere, ir.Constant(words, list(range(LANES))))

        place = builder.gep(data_of(context, builder, signature, args, 3), [args[4]])
        return _squeeze(builder, _set_flags(context, builder, signature, args), place, all_numbers, lambda k: builder.add(first, k))

    return types.int64(flags, integer, integer, events, integer), generate


@intrinsic
def squeeze_from(typing, flags, at, source, values, cursor):
    """Write source[at + k] to values[cursor:], else as `squeeze`."""
    integer = types.int64

    def generate(context, builder, signature, args):
        row = builder.gep(data_of(context, builder, signature, args, 2), [args[1]])
        place = builder.gep(data_of(context, builder, signature, args, 3), [args[4]])

        def all_values():
            loaded = builder.load(builder.bitcast(row, ir.VectorType(row.type.pointee, LANES).as_pointer()))
            loaded.align = context.get_abi_sizeof(row.type.pointee)
            return loaded

        found = _set_flags(context, builder, signature, args)
        return _squeeze(builder, found, place, all_values, lambda k: builder.load(builder.gep(row, [k])))

    return types.int64(flags, integer, source, source, integer), generate


def _squeeze(builder, found, place, whole, one):
    """Write of a vector what the bits that are set stand for, all of it by one instruction, or one by one; return how many.

    LANES doubles are more than one register: LLVM's code for them crashed.
    """
    if COMPRESSES and place.type.pointee != ir.DoubleType():
        with builder.if_then(builder.icmp_unsigned("!=", found, found.type(0))):
            vector, bits = whole(), ir.VectorType(ir.IntType(1), LANES)
            number, kind = vector.type.element, ir.FunctionType(vector.type, [vector.type, bits, vector.type])
            name = {"i32": "i32", "float": "f32"}[str(number)]
            compress = cgutils.get_or_insert_function(builder.module, kind, f"llvm.experimental.vector.compress.v{LANES}{name}")
            made = builder.call(compress, [vector, builder.bitcast(found, bits), ir.Constant(vector.type, ir.Undefined)])
            builder.store(made, builder.bitcast(place, vector.type.as_pointer())).align = 4
    else:
        _one_by_one(builder, found, place, one)
    return builder.zext(builder.ctpop(found), ir.IntType(64))


def _one_by_one(builder, found, place, one):
    """Write what the bits that are set stand for, the lowest first."""
    word, begin = ir.IntType(32), builder.block
    left = builder.zext(found, word)
    head, body, end = (builder.append_basic_block(name) for name in ("head", "body", "end"))
    builder.branch(head)
    builder.position_at_end(head)
    bits, k = builder.phi(word), builder.phi(word)
    builder.cbranch(builder.icmp_unsigned("!=", bits, word(0)), body, end)
    builder.position_at_end(body)
    value = one(builder.cttz(bits, ir.IntType(1)(1)))
    builder.store(value, builder.gep(place, [k])).align = 4
    rest, after = builder.and_(bits, builder.sub(bits, word(1))), builder.add(k, word(1))
    builder.branch(head)
    for phi, old, new in ((bits, left, rest), (k, word(0), after)):
        phi.add_incoming(old, begin)
        phi.add_incoming(new, body)
    builder.position_at_end(end)


def count_in_python(flags, at):
    """Do what `count` does."""
    return np.count_nonzero(flags[at:at + LANES])


def squeeze_in_python(flags, at, number, events, cursor):
    """Do what `squeeze` does: what stands here in Python, it does sixteen at a time. Used under NUMBA_DISABLE_JIT=1."""
    found = number + np.flatnonzero(flags[at:at + LANES])
    events[cursor:cursor + LANES] = np.concatenate([found, np.full(LANES - len(found), UNUSED)])
    return len(found)


def squeeze_from_in_python(flags, at, source, values, cursor):
    """Do what `squeeze_from` does."""
    found = source[at:at + LANES][flags[at:at + LANES] != 0]
    values[cursor:cursor + len(found)] = found
    return len(found)


def adder_in_python(width):
    """Make the loop that `adder` makes, in Python."""
    def add(total, at, table, events, first, last, shift, blank):
        for e in range(first, last):
            row = int(events[e]) * width + shift
            total[at:at + width] += table[row:row + width]
        if (last - first) % 2:
            total[at:at + width] += table[blank:blank + width]

    return add


def adder(width):
    """Make the loop for rows of `width` numbers, a multiple of LANES.

    The loop is called as add(total, at, table, events, first, last, shift, blank): total[at:at + width] grows by what the table holds from
    events[e] * width + shift on, for e = first ... last - 1. Two rows go in at a time; `blank`, where zeros stand, fills the last pair.
    """
    @intrinsic
    def add(typing, total, at, table, events, first, last, shift, blank):
        integer = types.int64

        def generate(context, builder, signature, args):
            data = {k: data_of(context, builder, signature, args, k) for k in (0, 2, 3)}
            at, first, last, shift, blank = (args[k] for k in (1, 4, 5, 6, 7))
            number, index = data[0].type.pointee, ir.IntType(64)
            vector, size = ir.VectorType(number, LANES), context.get_abi_sizeof(number)

            def place(array, start, k):
                where = builder.gep(array, [builder.add(start, index(k * LANES))])
                return builder.bitcast(where, vector.as_pointer())

            def load(array, start, k):
                value = builder.load(place(array, start, k))
                value.align = size
                return value

            def row(e):
                event = builder.zext(builder.load(builder.gep(data[3], [e])), index)
                return builder.add(builder.mul(event, index(width)), shift)

            before = [load(data[0], at, k) for k in range(width // LANES)]
            entry, head, body, end = builder.block, *(builder.append_basic_block(name) for name in ("head", "body", "end"))
            builder.branch(head)
            builder.position_at_end(head)
            e = builder.phi(index)
            sums = [builder.phi(vector) for _ in before]
            builder.cbranch(builder.icmp_signed("<", e, last), body, end)
            builder.position_at_end(body)
            second = builder.add(e, index(1))
            rows = row(e), builder.select(builder.icmp_signed("<", second, last), row(second), blank)
            after = [builder.fadd(s, builder.fadd(load(data[2], rows[0], k), load(data[2], rows[1], k))) for k, s in enumerate(sums)]
            e.add_incoming(first, entry)
            e.add_incoming(builder.add(e, index(2)), body)
            builder.branch(head)
            for s, old, new in zip(sums, before, after, strict=True):
                s.add_incoming(old, entry)
                s.add_incoming(new, body)
            builder.position_at_end(end)
            for k, s in enumerate(sums):
                builder.store(s, place(data[0], at, k)).align = size
            return context.get_dummy_value()

        return types.void(total, integer, table, events, integer, integer, integer, integer), generate

    return add


if config.DISABLE_JIT:
    count, squeeze, squeeze_from, adder = count_in_python, squeeze_in_python, squeeze_from_in_python, adder_in_python
