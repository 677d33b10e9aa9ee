"""The matrix products are made by the library that is quickest on the processor."""

from __future__ import annotations

import pytest

from quad_learner.learning.blas import has_512_bits_beside_intel


@pytest.mark.parametrize(
    ('vendor', 'flags', 'expected'),
    [
        ('AuthenticAMD', 'sse2 avx2 avx512f avx512bw', True),
        ('AuthenticAMD', 'sse2 avx2', False),
        ('GenuineIntel', 'sse2 avx2 avx512f', False),
        (None, None, False),
    ],
)
def test_only_512_bits_of_another_maker_speak_against_mkl(
    vendor: str | None, flags: str | None, expected: bool
) -> None:
    cpu = {'vendor_id': vendor, 'flags': flags} if vendor and flags else {}
    assert has_512_bits_beside_intel(cpu) is expected
