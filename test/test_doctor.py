from __future__ import annotations

from pathlib import Path

import pytest

from quad_learner import doctor
from quad_learner.doctor import Finding, Module
from quad_learner.flow import Flow


def fail(name: str) -> object:
    raise ImportError(f'no {name} here')


def test_every_failure_has_a_way_out_and_no_success_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = (Module('yaml', 'PyYAML', 'all'), Module('no_such_module', 'none', 'nobody'))
    monkeypatch.setattr(doctor, 'MODULES', some)
    # The middleware is not there: whether data flows is not tried.
    findings = doctor.examine({'RMW_IMPLEMENTATION': 'rmw_none', 'ROS_DOMAIN_ID': 'x'}, tmp_path)
    assert [finding.ok for finding in findings if finding.name.startswith('module')] == [
        True,
        False,
    ]
    assert not doctor.fit(findings)
    assert all(bool(finding.way_out) != finding.ok for finding in findings)
    assert all(finding.what for finding in findings)


@pytest.mark.parametrize(('version', 'ok'), [((3, 9), False), ((3, 11), True), ((3, 14), False)])
def test_the_version_of_python_is_checked(version: tuple[int, int], ok: bool) -> None:
    assert doctor.check_python(version).ok is ok


def test_a_missing_module_is_named_with_who_needs_it_and_how_to_get_it() -> None:
    finding = doctor.check_module(Module('pinocchio', 'pin', 'the estimator'), load=fail)
    assert not finding.ok
    assert finding.what == 'cannot be imported: no pinocchio here'
    assert 'pip install pin ' in finding.way_out
    assert 'the estimator needs it' in finding.way_out


def test_a_module_that_is_there_tells_its_version() -> None:
    finding = doctor.check_module(Module('pytest', 'pytest', 'tests'))
    assert (finding.ok, finding.what) == (True, pytest.__version__)


def test_a_module_not_installed_by_pip_is_as_good() -> None:
    finding = doctor.check_module(Module('sys', 'no-such-distribution', 'all'))
    assert finding.ok


def test_the_middleware_that_is_asked_for_is_the_one_checked() -> None:
    asked: list[str] = []
    wanted = {'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'}
    assert doctor.check_middleware(wanted, load=asked.append).ok
    assert doctor.check_middleware({}, load=asked.append).ok
    assert asked == ['rmw_cyclonedds_cpp', 'rmw_fastrtps_cpp']


def test_a_middleware_that_is_missing_is_named_with_its_wheel() -> None:
    finding = doctor.check_middleware({'RMW_IMPLEMENTATION': 'rmw_zenoh_cpp'}, load=fail)
    assert not finding.ok
    assert 'rmw_zenoh_cpp cannot be loaded' in finding.what
    assert 'ros-jazzy-rmw-zenoh-cpp, or unset RMW_IMPLEMENTATION' in finding.way_out


@pytest.mark.parametrize(
    ('domain', 'ok'),
    [('', True), ('0', True), ('232', True), ('233', False), ('-1', False), ('a', False)],
)
def test_the_domain_must_be_one(domain: str, ok: bool) -> None:
    assert doctor.check_domain({'ROS_DOMAIN_ID': domain}).ok is ok


@pytest.mark.parametrize('well', [True, False])
def test_whether_data_flows_is_tried_as_in_a_run(
    well: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[dict[str, str]] = []

    def trial(environment: dict[str, str]) -> Flow:
        flow = Flow(environment)
        tried.append(environment)
        monkeypatch.setattr(flow, 'begin', lambda: None)
        monkeypatch.setattr(flow, 'flows', lambda: well)
        return flow

    finding = doctor.check_flow({}, trial)
    assert finding.ok is well
    assert tried[0]['FASTRTPS_DEFAULT_PROFILES_FILE'].endswith('this_machine.xml')
    assert well or '127.0.0.1' in finding.way_out
    secured = {'ROS_SECURITY_ENABLE': 'true', 'ROS_SECURITY_STRATEGY': 'Enforce'}
    assert doctor.check_flow(secured, trial).ok
    assert len(tried) == 1, 'nobody has a certificate for that'


@pytest.mark.parametrize(
    ('kilobytes', 'ok'), [('8000000 kB', True), ('100000 kB', False), ('many', False)]
)
def test_memory_is_read_as_the_kernel_tells_it(tmp_path: Path, kilobytes: str, ok: bool) -> None:
    meminfo = tmp_path / 'meminfo'
    meminfo.write_text(f'MemTotal: 9 kB\nMemAvailable:   {kilobytes}\n')
    assert doctor.check_memory(meminfo).ok is ok


def test_a_file_where_the_runs_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / 'runs').touch()
    assert not doctor.check_disk(tmp_path / 'runs').ok
    assert doctor.check_disk(tmp_path / 'not' / 'yet').ok


def test_a_machine_is_unfit_only_without_what_is_needed() -> None:
    lacking = Finding('a', False, 'missing', 'get it')
    slow = Finding('b', False, 'one core', 'get two', needed=False)
    assert doctor.fit([slow])
    assert not doctor.fit([slow, lacking])
