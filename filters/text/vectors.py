"""Tests on 64 bytes at once: vector instructions through LLVM, which has them for every processor."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from filters.text.kernel import inline_kernel

WIDTH = 64
"""Bytes that a test looks at."""

_ALL = np.uint64(2**64 - 1)
_VECTOR = ir.VectorType(ir.IntType(8), WIDTH)


def _load(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    start = builder.gep(context.make_array(array_type)(context, builder, array).data, [at])
    return builder.load(builder.bitcast(start, _VECTOR.as_pointer()), align=1)


def _bits(builder: Any, answers: Any) -> Any:
    """One bit a byte, the lowest for the first."""
    return builder.bitcast(answers, ir.IntType(WIDTH))


def _constant(byte: int) -> Any:
    return ir.Constant(_VECTOR, [byte] * WIDTH)


def bytes_within(*ranges: tuple[int, int]) -> Any:
    """A compiled function `(data, at) -> bits`: which of the 64 bytes from `at` on lie in one of the ranges.

    Ranges are inclusive. `data` (uint8) must have that many bytes.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def test(typing_context: Any, data: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            block = _load(context, builder, signature.args[0], *arguments)
            answers = [
                builder.icmp_unsigned("<=", builder.sub(block, _constant(low)), _constant(high - low))
                for low, high in ranges
            ]
            return _bits(builder, reduce(builder.or_, answers))

        return types.uint64(data, types.int64), codegen

    return test


def _repeated(builder: Any, byte: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    single = builder.insert_element(undefined, byte, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(single, undefined, everywhere)


@intrinsic  # type: ignore[untyped-decorator]
def bytes_equal(typing_context: Any, data: Any, at: Any, byte: Any) -> Any:
    """Which of the 64 bytes from `at` on are equal to `byte`: uint64, the lowest bit for the first."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = _load(context, builder, signature.args[0], *arguments[:2])
        return _bits(builder, builder.icmp_unsigned("==", block, _repeated(builder, arguments[2])))

    return types.uint64(data, types.int64, types.uint8), codegen


@intrinsic  # type: ignore[untyped-decorator]
def bytes_equal_in_any_case(typing_context: Any, data: Any, at: Any, byte: Any) -> Any:
    """The same whatever bit 0x20 is, which is the case of ASCII letters."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = builder.or_(_load(context, builder, signature.args[0], *arguments[:2]), _constant(0x20))
        pattern = builder.or_(_repeated(builder, arguments[2]), _constant(0x20))
        return _bits(builder, builder.icmp_unsigned("==", block, pattern))

    return types.uint64(data, types.int64, types.uint8), codegen


@inline_kernel
def low_bits(count):
    """A uint64 whose lowest `count` bits are one; all for 64 and more."""
    return _ALL if count >= WIDTH else (np.uint64(1) << np.uint64(count)) - np.uint64(1)


@intrinsic  # type: ignore[untyped-decorator]
def trailing_zeros(typing_context: Any, number: Any) -> Any:
    """The zero bits below the lowest one of a uint64; 64 if there is no one."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def count_ones(typing_context: Any, number: Any) -> Any:
    """The one bits of a uint64."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), codegen
