"""Cutting 64 bytes at once into words: which of them begin one, as bits that are computed together.

It serves text of ASCII and U+0400 to U+047F (Cyrillic), and says how far it is sure; the scanner of
`splitting` does the rest and defines what is right.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from functools import reduce
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from tokenizer_tools.compiled import inline_kernel
from tokenizer_tools.fast.memory import element_pointer
from tokenizer_tools.fast.splitting import contraction

WIDTH = 64
_VECTOR = ir.VectorType(ir.IntType(8), WIDTH)
_ONE, _ALL = np.uint64(1), np.uint64(2**64 - 1)
_THREE = np.uint64(3)


def _bytes_within(*ranges: tuple[int, int]) -> Any:
    """A compiled function `(data, at) -> bits`: which of 64 bytes from `at` on lie in one of the ranges."""

    @intrinsic  # type: ignore[untyped-decorator]
    def test(typing_context: Any, data: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = element_pointer(context, builder, signature, arguments)
            block = builder.load(builder.bitcast(pointer, _VECTOR.as_pointer()), align=1)
            answers = [
                builder.icmp_unsigned(
                    "<=",
                    builder.sub(block, ir.Constant(_VECTOR, [low] * WIDTH)),
                    ir.Constant(_VECTOR, [high - low] * WIDTH),
                )
                for low, high in ranges
            ]
            return builder.bitcast(reduce(builder.or_, answers), ir.IntType(WIDTH))

        return types.uint64(data, types.int64), codegen

    return test


_ascii = _bytes_within((0, 0x7F))
_ascii_letters = _bytes_within((0x41, 0x5A), (0x61, 0x7A))
_digits = _bytes_within((0x30, 0x39))
_spaces = _bytes_within((0x20, 0x20))
_line_ends = _bytes_within((0x0A, 0x0A), (0x0D, 0x0D))
_other_spaces = _bytes_within((0x09, 0x09), (0x0B, 0x0C))
_apostrophes = _bytes_within((0x27, 0x27))
_leads = _bytes_within((0xD0, 0xD1))
_seconds = _bytes_within((0x80, 0xBF))


@intrinsic  # type: ignore[untyped-decorator]
def trailing_zeros(typing_context: Any, number: Any) -> Any:
    """The zero bits below the lowest one of a uint64; 64 if there is no one."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _length(typing_context: Any, number: Any) -> Any:
    """The bits of a uint64 up to its highest one."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.Constant(ir.IntType(64), 64), zeros)

    return types.int64(types.uint64), codegen


@inline_kernel
def _low_bits(count):
    """A number whose lowest `count` bits, fewer than 64, are one."""
    return (_ONE << np.uint64(count)) - _ONE


@inline_kernel
def word_starts(text, at, rules):
    """The bits of the bytes after `at` that begin words, as far as 64 bytes tell; a word begins at `at`."""
    leads = _leads(text, at)
    seconds = _seconds(text, at) & leads << _ONE
    pairs = seconds | (leads & seconds >> _ONE)
    plain = trailing_zeros(~(_ascii(text, at) | pairs))
    letters = _ascii_letters(text, at) | pairs
    digits, spaces = _digits(text, at), _spaces(text, at)
    line_ends, white = _line_ends(text, at), _other_spaces(text, at) | spaces
    others = ~(letters | digits | white | line_ends)
    if rules.line_tail:
        tails = line_ends & ~((others << _ONE & line_ends) + line_ends)
        line_ends &= ~tails
    white |= line_ends

    after_space = spaces << _ONE
    others_starts = others & ~(others << _ONE) & ~after_space
    letter_starts = letters & ~(letters << _ONE)
    digit_starts = digits & ~(digits << _ONE)
    starts = others_starts | (white & ~(white << _ONE))
    last_white = white & ~(white >> _ONE)
    sure = plain - 3
    if rules.line_tail:
        in_line = white & ~line_ends
        after_line = line_ends << _ONE & in_line
        if (after_line + in_line) & ~in_line & line_ends:  # white space between line ends
            sure = min(sure, trailing_zeros(after_line))
        starts |= after_line | (last_white & ~line_ends)
        letter_leads = in_line | (others_starts & letters >> _ONE & ~(others >> _ONE))
    else:
        starts |= last_white
        letter_leads = spaces
    starts |= letter_starts & ~(letter_leads << _ONE)
    if rules.spaced_numbers:
        digit_starts &= ~after_space
    starts |= digit_starts
    if rules.digits == 1:
        starts |= digits
    elif rules.digits == 3:
        together = digits & digits << _ONE & digits << np.uint64(2)
        thirds = digit_starts << _THREE & together
        while thirds:
            starts |= thirds
            thirds = thirds << _THREE & together

    marks = _apostrophes(text, at) & others_starts & letters >> _ONE
    while marks:
        mark = trailing_zeros(marks)
        marks &= marks - _ONE
        size = contraction(text, at + mark, rules.any_case)
        if size and mark + size < WIDTH:
            starts &= ~(_ONE << np.uint64(mark + 1))
            starts |= letters & _ONE << np.uint64(mark + size)

    if plain and white >> np.uint64(plain - 1) & _ONE:  # white space that may go on
        sure = min(sure, _length(~white & _low_bits(plain - 1)) + 1)
    return starts & _low_bits(max(sure, 0)) & ~_ONE
