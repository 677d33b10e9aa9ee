"""Where files are: the package's own (source tree, or share folder of an installation); URDFs."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = 'quad_learner'


def config_directory() -> Path:
    """Returns the folder that holds `robots/` and one YAML a node.

    Raises:
        FileNotFoundError: neither a source tree nor an installation has it.
    """
    package = Path(__file__).resolve().parent
    candidates = [package.parent / 'config']
    candidates += [base / 'share' / PACKAGE / 'config' for base in package.parents]
    candidates.append(Path(sys.prefix) / 'share' / PACKAGE / 'config')
    for candidate in candidates:
        if (candidate / 'robots').is_dir():
            return candidate
    tried = ', '.join(str(candidate) for candidate in (candidates[0], candidates[-1]))
    raise FileNotFoundError(
        f'the folder config/robots of {PACKAGE} was not found (tried {tried}); '
        'install the package again, or run from its source tree'
    )


def urdf_places(name: str, folder: Path) -> tuple[Path, Path]:
    """Returns where the URDF called `name` may lie: in `folder`, else in pybullet_data."""
    try:
        import pybullet_data

        shipped = Path(pybullet_data.getDataPath())
    except ImportError:
        shipped = Path('pybullet_data')
    return folder / name, shipped / name
