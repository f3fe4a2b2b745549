"""Several bytes at once: unchecked loads, which need an array that goes on `PADDING` bytes past its text."""

# mypy: allow-untyped-defs, allow-untyped-calls

from functools import reduce
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from tokenizer_tools.compiled import inline_kernel

PADDING = 64
"""Zeros that follow a text in memory."""



_WIDTH = 32
_VECTOR = ir.VectorType(ir.IntType(8), _WIDTH)
_BITS = ir.IntType(_WIDTH)


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(array.data, [arguments[1]])


def _load(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    pointer = _pointer(context, builder, signature, arguments)
    return builder.load(builder.bitcast(pointer, _VECTOR.as_pointer()), align=1)


def _constant(byte: int) -> Any:
    return ir.Constant(_VECTOR, [byte] * _WIDTH)


def _within(builder: Any, block: Any, low: int, high: int) -> Any:
    """One bit a byte, the lowest for the first: whether it lies in an inclusive range."""
    answers = builder.icmp_unsigned("<=", builder.sub(block, _constant(low)), _constant(high - low))
    return builder.bitcast(answers, _BITS)


@intrinsic  # type: ignore[untyped-decorator]
def load64(typing_context: Any, data: Any, at: Any) -> Any:
    """The eight bytes of a uint8 array from byte `at` on, as a little-endian number."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments)
        return builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(data, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def letters(typing_context: Any, data: Any, at: Any) -> Any:
    """How many of the 32 bytes from `at` on, without a gap, are ASCII letters or U+0400 to U+047F.

    The second are all letters too, two bytes each: D0 or D1 and one from 80 to BF. Only whole ones count.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = _load(context, builder, signature, arguments)
        ascii_letter = _within(builder, builder.or_(block, _constant(0x20)), ord("a"), ord("z"))
        lead = _within(builder, block, 0xD0, 0xD1)
        following = builder.shl(lead, ir.Constant(_BITS, 1))
        second = builder.and_(_within(builder, block, 0x80, 0xBF), following)
        whole_lead = builder.and_(lead, builder.lshr(second, ir.Constant(_BITS, 1)))
        run = reduce(builder.or_, [ascii_letter, second, whole_lead])
        zeros = builder.cttz(builder.not_(run), ir.Constant(ir.IntType(1), 0))
        return builder.zext(zeros, ir.IntType(64))

    return types.int64(data, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def plain_bytes(typing_context: Any, data: Any, at: Any) -> Any:
    """How many of the 32 bytes from `at` on, without a gap, are ASCII or belong to U+0400 to U+047F."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = _load(context, builder, signature, arguments)
        lead = _within(builder, block, 0xD0, 0xD1)
        following = builder.shl(lead, ir.Constant(_BITS, 1))
        second = builder.and_(_within(builder, block, 0x80, 0xBF), following)
        whole_lead = builder.and_(lead, builder.lshr(second, ir.Constant(_BITS, 1)))
        run = reduce(builder.or_, [_within(builder, block, 0, 0x7F), second, whole_lead])
        zeros = builder.cttz(builder.not_(run), ir.Constant(ir.IntType(1), 0))
        return builder.zext(zeros, ir.IntType(64))

    return types.int64(data, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def bytes_before(typing_context: Any, data: Any, at: Any, byte: Any) -> Any:
    """How many of the 32 bytes from `at` on come before the first that is `byte`; 32 if none is."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = _load(context, builder, signature, arguments[:2])
        undefined = ir.Constant(_VECTOR, ir.Undefined)
        single = builder.insert_element(undefined, arguments[2], ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), _WIDTH), [0] * _WIDTH)
        wanted = builder.shuffle_vector(single, undefined, everywhere)
        found = builder.bitcast(builder.icmp_unsigned("==", block, wanted), _BITS)
        return builder.zext(builder.cttz(found, ir.Constant(ir.IntType(1), 0)), ir.IntType(64))

    return types.int64(data, types.int64, types.uint8), codegen


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing_context: Any, data: Any, at: Any) -> Any:
    """Asks the memory for what an array has at an index that is read soon."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.IntType(32)
        pointer = builder.bitcast(_pointer(context, builder, signature, arguments), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer.type], kind)
        builder.call(function, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.none(data, types.int64), codegen


def _first_bytes(builder: Any, block: Any, count: Any) -> Any:
    """A block whose bytes after the first `count` are zero."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    narrow = builder.trunc(count, ir.IntType(8))
    single = builder.insert_element(undefined, narrow, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), _WIDTH), [0] * _WIDTH)
    limit = builder.shuffle_vector(single, undefined, everywhere)
    kept = builder.icmp_unsigned("<", ir.Constant(_VECTOR, [*range(_WIDTH)]), limit)
    return builder.select(kept, block, ir.Constant(_VECTOR, [0] * _WIDTH))


@intrinsic  # type: ignore[untyped-decorator]
def equals_word(typing_context: Any, data: Any, at: Any, length: Any, table: Any, place: Any) -> Any:
    """Whether the `length` bytes (up to 32) from `at` on, zeros after them, are the 32 of `table` at `place`."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = _first_bytes(builder, _load(context, builder, signature, arguments[:2]), arguments[2])
        array = context.make_array(signature.args[3])(context, builder, arguments[3])
        pointer = builder.bitcast(builder.gep(array.data, [arguments[4]]), _VECTOR.as_pointer())
        other = builder.load(pointer, align=1)
        same = builder.bitcast(builder.icmp_unsigned("==", block, other), _BITS)
        return builder.icmp_unsigned("==", same, ir.Constant(_BITS, (1 << _WIDTH) - 1))

    return types.boolean(data, types.int64, types.int64, table, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def store_word(typing_context: Any, data: Any, at: Any, length: Any, table: Any, place: Any) -> Any:
    """Write the `length` bytes (up to 32) from `at` on, zeros after them, to the 32 of `table` at `place`."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = _first_bytes(builder, _load(context, builder, signature, arguments[:2]), arguments[2])
        array = context.make_array(signature.args[3])(context, builder, arguments[3])
        pointer = builder.bitcast(builder.gep(array.data, [arguments[4]]), _VECTOR.as_pointer())
        builder.store(block, pointer, align=1)
        return context.get_dummy_value()

    return types.none(data, types.int64, types.int64, table, types.int64), codegen


_SHIFTED_MASKS = np.array([0] * 25 + [(1 << 8 * size) - 1 for size in range(1, 8)] + [2**64 - 1] * 40, np.uint64)


@inline_kernel
def first_bytes64(data, at, length, step):
    """The `step`-th eight of `length` bytes (up to 32) from `at` on, zeros after them."""
    return load64(data, at + 8 * step) & _SHIFTED_MASKS[np.uint64(length - 8 * step + 24)]


@intrinsic  # type: ignore[untyped-decorator]
def copy_eight(typing_context: Any, source: Any, start: Any, target: Any, place: Any) -> Any:
    """Copy eight numbers of a uint32 array from `start` on to another, from `place` on."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = ir.VectorType(ir.IntType(32), 8).as_pointer()
        array = context.make_array(signature.args[2])(context, builder, arguments[2])
        pointer = builder.bitcast(_pointer(context, builder, signature, arguments[:2]), block)
        other = builder.bitcast(builder.gep(array.data, [arguments[3]]), block)
        builder.store(builder.load(pointer, align=1), other, align=1)
        return context.get_dummy_value()

    return types.none(source, types.int64, target, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def peek(typing_context: Any, array: Any, at: Any) -> Any:
    """The element of an array at an index, which is not negative."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(context, builder, signature, arguments))

    return array.dtype(array, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def poke(typing_context: Any, array: Any, at: Any, value: Any) -> Any:
    """Write an element of an array at an index, which is not negative."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _pointer(context, builder, signature, arguments[:2]))
        return context.get_dummy_value()

    return types.none(array, types.int64, array.dtype), codegen


@intrinsic  # type: ignore[untyped-decorator]
def least_of_16(typing_context: Any, array: Any, at: Any) -> Any:
    """The least of the 16 elements of a uint32 array from `at` on."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(ir.IntType(32), 16)
        pointer = builder.bitcast(_pointer(context, builder, signature, arguments), kind.as_pointer())
        block = builder.load(pointer, align=4)
        for half in (8, 4, 2, 1):
            low, high = (
                builder.shuffle_vector(
                    block, block, ir.Constant(ir.VectorType(ir.IntType(32), half), [*range(start, start + half)])
                )
                for start in (0, half)
            )
            block = builder.select(builder.icmp_unsigned("<", low, high), low, high)
        return builder.extract_element(block, ir.Constant(ir.IntType(32), 0))

    return types.uint32(array, types.int64), codegen
