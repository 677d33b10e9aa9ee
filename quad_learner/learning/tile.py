"""The heart of a matrix product: a small tile of the result, kept in registers while it is summed.

It is written in the compiler's own language, for numba has no words for a vector. Each number of
the result is summed in the order of the inner index by fused multiply-adds, on every processor:
how a matrix is cut into tiles changes no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_FLOAT, _INT, _INDEX = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_BYTES = 4
"""of a number"""
_APART = 4
"""rows from one pointer to the next: a processor adds a step once or twice for nothing"""


class TileShape(NamedTuple):
    """How large a tile is: its sums, a row of the right side and a number of the left one fill the
    processor's vector registers and no more."""

    rows: int
    vectors: int
    """registers that a row takes"""
    lanes: int
    """numbers in a register"""

    @property
    def columns(self) -> int:
        """Numbers in a row."""
        return self.vectors * self.lanes


def shape_on(features: Mapping[str, bool]) -> TileShape:
    """Returns the best shape on a processor that has these features, by LLVM's names."""
    if features.get('avx512f'):
        return TileShape(8, 2, 16)  # 16 of 32 registers of 512 bits
    if features.get('avx2'):
        return TileShape(6, 2, 8)  # 12 of 16 registers of 256 bits
    return TileShape(8, 2, 4)  # 16 registers of 128 bits, of 32 on ARM


def tile_of(shape: TileShape) -> Callable[..., None]:
    """Returns a function that makes a tile in compiled ones, called as tile(a, panel, out, at).

    `at` is the first of the rows of a that are multiplied; panel has `shape.columns` columns and
    one row or more, without gaps; the same rows of `out`, in their first columns, are given the
    result. Rows of a and out and columns of a may lie apart. It looks at no bound.
    """
    rows, vectors, lanes = shape
    vector = ir.VectorType(_FLOAT, lanes)
    first = ir.Constant(ir.VectorType(_INDEX, lanes), [0] * lanes)
    undefined = ir.Constant(vector, ir.Undefined)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        """Writes the tile's instructions to where `builder` stands."""
        a, panel, out = (
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
        )
        at = arguments[3]
        inner, _ = cgutils.unpack_tuple(builder, panel.shape)
        down, step = cgutils.unpack_tuple(builder, a.strides)
        starts = [_there(builder, a, builder.add(at, _INT(row))) for row in range(0, rows, _APART)]
        fused = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, 3 * [vector]), f'llvm.fma.v{lanes}f32'
        )
        before, loop, after = builder.block, *(builder.append_basic_block() for _ in range(2))
        right_start = builder.ptrtoint(panel.data, _INT)
        builder.branch(loop)

        builder.position_at_end(loop)
        count, right = builder.phi(_INT), builder.phi(_INT)
        lefts = [builder.phi(_INT) for _ in starts]
        sums = [[builder.phi(vector) for _ in range(vectors)] for _ in range(rows)]
        of_panel = [
            _load(builder, vector, builder.add(right, _INT(_BYTES * lanes * k)))
            for k in range(vectors)
        ]
        following = []
        for row in range(rows):
            beyond = builder.mul(down, _INT(row % _APART))
            number = _load(builder, _FLOAT, builder.add(lefts[row // _APART], beyond))
            spread = builder.insert_element(undefined, number, _INDEX(0))
            spread = builder.shuffle_vector(spread, undefined, first)
            following.append(
                [builder.call(fused, (spread, of_panel[k], sums[row][k])) for k in range(vectors)]
            )
        done = builder.add(count, _INT(1))
        turns = (
            (count, _INT(0), done),
            *(
                (now, start, builder.add(now, step))
                for now, start in zip(lefts, starts, strict=True)
            ),
            (right, right_start, builder.add(right, _INT(_BYTES * shape.columns))),
            *(
                (now, ir.Constant(vector, [0.0] * lanes), later)
                for row in range(rows)
                for now, later in zip(sums[row], following[row], strict=True)
            ),
        )
        for now, begun, later in turns:
            now.add_incoming(begun, before)
            now.add_incoming(later, loop)
        builder.cbranch(builder.icmp_signed('<', done, inner), loop, after)

        builder.position_at_end(after)
        for row in range(rows):
            to = _there(builder, out, builder.add(at, _INT(row)))
            for k in range(vectors):
                pointer = builder.add(to, _INT(_BYTES * lanes * k))
                pointer = builder.inttoptr(pointer, vector.as_pointer())
                builder.store(following[row][k], pointer, align=_BYTES)
        return context.get_dummy_value()

    def typed(typing: Any, a: Any, panel: Any, out: Any, at: Any) -> Any:
        return types.void(a, panel, out, types.intp), generate

    made: Callable[..., None] = intrinsic(typed)
    return made


def _there(builder: Any, array: Any, row: Any) -> Any:
    """Returns the address where a row of an array begins."""
    down, _ = cgutils.unpack_tuple(builder, array.strides)
    return builder.add(builder.ptrtoint(array.data, _INT), builder.mul(row, down))


def _load(builder: Any, kind: Any, address: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=_BYTES)


TILE = shape_on(llvmlite.binding.get_host_cpu_features())
HALF_TILE, TILE_ROW = TILE._replace(rows=TILE.rows // 2), TILE._replace(rows=1)
tile, half_tile, tile_row = tile_of(TILE), tile_of(HALF_TILE), tile_of(TILE_ROW)
