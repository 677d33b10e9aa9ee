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

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        """Writes the tile's instructions to where `builder` stands."""
        a, panel, out = (
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
        )
        writer = _Writer(builder, shape)
        writer.store(writer.sums(a, panel, arguments[3]), out, arguments[3])
        return context.get_dummy_value()

    def typed(typing: Any, a: Any, panel: Any, out: Any, at: Any) -> Any:
        return types.void(a, panel, out, types.intp), generate

    made: Callable[..., None] = intrinsic(typed)
    return made


class _Writer:
    """Writes the parts of a tile."""

    def __init__(self, builder: Any, shape: TileShape) -> None:
        self._builder = builder
        self._shape = shape
        self._vector = ir.VectorType(_FLOAT, shape.lanes)
        self._fused = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(self._vector, 3 * [self._vector]),
            f'llvm.fma.v{shape.lanes}f32',
        )

    def sums(self, a: Any, panel: Any, at: Any) -> list[list[Any]]:
        """Writes the loop over the inner index; returns the vectors of each row after it."""
        builder, shape = self._builder, self._shape
        inner, _ = cgutils.unpack_tuple(builder, panel.shape)
        down, step = cgutils.unpack_tuple(builder, a.strides)
        of_rows = range(0, shape.rows, _APART)
        begins = [_there(builder, a, builder.add(at, _INT(row))) for row in of_rows]
        begins = [_INT(0), builder.ptrtoint(panel.data, _INT), *begins]
        steps = [_INT(1), _INT(_BYTES * shape.columns), *(step for _ in of_rows)]
        before, loop, after = builder.block, *(builder.append_basic_block() for _ in range(2))
        builder.branch(loop)

        builder.position_at_end(loop)
        moving = [builder.phi(_INT) for _ in begins]
        _, right, *lefts = moving
        sums = [
            [builder.phi(self._vector) for _ in range(shape.vectors)] for _ in range(shape.rows)
        ]
        added = self._added(sums, lefts, down, right)
        moved = [builder.add(now, by) for now, by in zip(moving, steps, strict=True)]
        zeros = [ir.Constant(self._vector, [0.0] * shape.lanes) for row in sums for _ in row]
        changing = zip(
            [*moving, *_flat(sums)], [*begins, *zeros], [*moved, *_flat(added)], strict=True
        )
        for now, begun, later in changing:
            now.add_incoming(begun, before)
            now.add_incoming(later, loop)
        builder.cbranch(builder.icmp_signed('<', moved[0], inner), loop, after)
        builder.position_at_end(after)
        return added

    def _added(
        self, sums: list[list[Any]], lefts: list[Any], down: Any, right: Any
    ) -> list[list[Any]]:
        """Writes one turn: each row's number of a times a row of the panel, added to its sums."""
        builder = self._builder
        of_panel = [_load(builder, self._vector, self._register(right, k)) for k in self._vectors]
        added = []
        for row, of_row in enumerate(sums):
            beyond = builder.mul(down, _INT(row % _APART))
            spread = self._spread(builder.add(lefts[row // _APART], beyond))
            added.append(
                [
                    builder.call(self._fused, (spread, of_panel[k], of_row[k]))
                    for k in self._vectors
                ]
            )
        return added

    def _spread(self, address: Any) -> Any:
        """Writes a vector that holds the number at `address` in each lane."""
        builder, lanes = self._builder, self._shape.lanes
        undefined = ir.Constant(self._vector, ir.Undefined)
        first = ir.Constant(ir.VectorType(_INDEX, lanes), [0] * lanes)
        alone = builder.insert_element(undefined, _load(builder, _FLOAT, address), _INDEX(0))
        return builder.shuffle_vector(alone, undefined, first)

    def store(self, sums: list[list[Any]], out: Any, at: Any) -> None:
        """Writes the sums to the tile's place in `out`."""
        builder = self._builder
        for row, of_row in enumerate(sums):
            to = _there(builder, out, builder.add(at, _INT(row)))
            for k in self._vectors:
                pointer = builder.inttoptr(self._register(to, k), self._vector.as_pointer())
                builder.store(of_row[k], pointer, align=_BYTES)

    @property
    def _vectors(self) -> range:
        return range(self._shape.vectors)

    def _register(self, address: Any, k: int) -> Any:
        """Returns the address of the k-th vector of the row at `address`."""
        return self._builder.add(address, _INT(_BYTES * self._shape.lanes * k))


def _flat(rows: list[list[Any]]) -> list[Any]:
    return [vector for row in rows for vector in row]


def _there(builder: Any, array: Any, row: Any) -> Any:
    """Returns the address where a row of an array begins."""
    down, _ = cgutils.unpack_tuple(builder, array.strides)
    return builder.add(builder.ptrtoint(array.data, _INT), builder.mul(row, down))


def _load(builder: Any, kind: Any, address: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=_BYTES)


TILE = shape_on(llvmlite.binding.get_host_cpu_features())
HALF_TILE, TILE_ROW = TILE._replace(rows=TILE.rows // 2), TILE._replace(rows=1)
tile, half_tile, tile_row = tile_of(TILE), tile_of(HALF_TILE), tile_of(TILE_ROW)
