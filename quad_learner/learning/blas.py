"""Which BLAS makes the matrix products: the quickest that is installed, by the processor's kind.

Never by measuring: two runs of a seed would then not agree to the bit.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from numba.extending import get_cython_function_address

_CPUINFO = Path('/proc/cpuinfo')


def sgemm_address() -> int:
    """Returns where a Fortran sgemm lies; its counts are of 32 bits in each library.

    torch's MKL is half as fast again as SciPy's OpenBLAS on Intel's processors. On those of others
    it leaves 512-bit registers alone, and OpenBLAS with them is nearly twice as fast as MKL. Where
    torch's library has no sgemm it is SciPy's too. SciPy's is loaded with one thread, as all here.
    """
    if not has_512_bits_beside_intel(_cpu()):
        found = _of_torch()
        if found is not None:
            return found
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
    return int(get_cython_function_address('scipy.linalg.cython_blas', 'sgemm'))


def has_512_bits_beside_intel(cpu: Mapping[str, str]) -> bool:
    """Tells whether this is a processor of another maker with AVX-512.

    Args:
        cpu: what /proc/cpuinfo says of the first processor, by name.
    """
    vendor = cpu.get('vendor_id', '')
    return vendor not in ('', 'GenuineIntel') and 'avx512f' in cpu.get('flags', '').split()


def _cpu() -> dict[str, str]:
    if not _CPUINFO.exists():
        return {}
    first = _CPUINFO.read_text().split('\n\n', 1)[0]
    pairs = (line.partition(':') for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _of_torch() -> int | None:
    for path in sorted((Path(torch.__file__).parent / 'lib').glob('*torch_cpu.*')):
        found = getattr(ctypes.CDLL(str(path)), 'sgemm_', None)
        if found is not None:
            return ctypes.cast(found, ctypes.c_void_p).value
    return None
