"""Which versions of what made a run: recorded with it, and shown by the check of the machine."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = (
    'quad_learner',
    'ros-jazzy-rclpy',
    'ros-jazzy-rmw-fastrtps-cpp',
    'numpy',
    'pin',
    'torch',
    'numba',
    'onnx',
    'onnxruntime',
    'safetensors',
    'pybullet',
    'gymnasium',
    'mcap',
)
"""Distributions whose version may change a result."""
ABSENT = 'absent'


def installed_versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Returns the version of Python, of the machine and of each package, `absent` where it is not.

    Args:
        packages: names of distributions, as pip knows them.
    """
    found = {'python': platform.python_version(), 'machine': platform.platform()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = ABSENT
    return found
