from __future__ import annotations

import sys

import numpy as np

from quad_learner.experience.versions import installed_versions


def test_versions_are_those_that_the_libraries_tell_of_themselves() -> None:
    versions = installed_versions(('numpy',))
    assert versions['numpy'] == np.__version__
    assert versions['python'] == sys.version.split()[0]


def test_what_is_not_there_is_absent_and_stops_nothing() -> None:
    assert installed_versions(('no-such-distribution',))['no-such-distribution'] == 'absent'
