from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from quad_learner import bringup
from quad_learner.configuration import ConfigurationError, read_values

SIM = bringup.nodes('sim')


def written(folder: Path, content: Any) -> Path:
    path = folder / 'mine.yaml'
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def of(**values: Any) -> dict[str, Any]:
    return {'ros__parameters': values}


def test_both_backends_differ_in_the_robot_alone() -> None:
    sim, real = bringup.nodes('sim'), bringup.nodes('ros2_control')
    assert [spec.name for spec in sim] == [spec.name for spec in real]
    different = [spec.name for spec, other in zip(sim, real, strict=True) if spec != other]
    assert different == ['robot']


def test_an_unknown_backend_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="'magic' is not one of sim, ros2_control"):
        bringup.nodes('magic')


@pytest.mark.parametrize('namespace', ['', '/', 'spot', '/lab/spot_2/', '_x'])
def test_a_namespace_of_ros_is_let_pass(namespace: str) -> None:
    bringup.check_namespace(namespace)


@pytest.mark.parametrize('namespace', ['a b', '2spot', 'lab//spot', 'hünd', 'a-b', '//a', 'a\n'])
def test_what_is_no_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(ConfigurationError, match='must be names of letters'):
        bringup.check_namespace(namespace)


def test_every_node_is_a_module_that_is_there() -> None:
    folder = Path(bringup.__file__).parent / 'nodes'
    for backend in bringup.BACKENDS:
        for spec in bringup.nodes(backend):
            assert (folder / f'{spec.executable}.py').is_file()


def test_a_robot_without_its_wall_is_not_started_again_behind_the_operators_back() -> None:
    for spec in SIM:
        assert spec.respawn == (spec.name not in ('robot', 'safety'))
        assert spec.ends_run == (spec.name in ('robot', 'safety', 'learner'))


def test_only_the_learner_gives_way_to_the_others() -> None:
    assert [spec.name for spec in SIM if spec.niceness > 0] == ['learner']


def test_the_users_file_wins_over_the_packages_and_the_run_over_both(tmp_path: Path) -> None:
    file = written(tmp_path, {'/**': of(seed=7, minutes=3.0, episode_s=5.0)})
    values = bringup.parameters(SIM, {'seed': 9}, file)
    assert {merged['seed'] for merged in values.values()} == {9}
    assert {merged['minutes'] for merged in values.values()} == {3.0}
    having = {name for name, merged in values.items() if merged.get('episode_s') == 5.0}
    assert having == {'policy', 'monitor', 'learner'}, 'who has it, and nobody else'


def test_one_node_alone_may_be_given_a_value(tmp_path: Path) -> None:
    file = written(tmp_path, {'/spot/monitor': of(print_period_s=1.5), 'learner': of(seed=3)})
    values = bringup.parameters(SIM, {}, file)
    assert values['monitor']['print_period_s'] == 1.5
    assert (values['learner']['seed'], values['policy']['seed']) == (3, 0)


def test_the_simulated_robot_judges_by_what_safety_was_given(tmp_path: Path) -> None:
    file = written(tmp_path, {'safety': of(policy_torque_share=0.5)})
    values = bringup.parameters(SIM, {}, file)
    assert values['safety']['policy_torque_share'] == 0.5
    assert values['robot']['policy_torque_share'] == 0.5


def test_a_run_that_goes_on_keeps_its_values_unless_told_otherwise(tmp_path: Path) -> None:
    first = bringup.parameters(SIM, {'seed': 5}, None)
    first['policy']['episode_s'] = 4.0
    first['policy']['noise_scale'] = 0.5
    bringup.write_parameters(first, tmp_path / 'parameters')
    file = written(tmp_path, {'policy': of(noise_scale=0.25)})
    values = bringup.parameters(SIM, {'minutes': 20.0}, file, tmp_path / 'parameters')
    policy = values['policy']
    assert (policy['seed'], policy['episode_s'], policy['minutes']) == (5, 4.0, 20.0)
    assert policy['noise_scale'] == 0.25


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    values = bringup.parameters(SIM, {'seed': 5}, None)
    files = bringup.write_parameters(values, tmp_path / 'deep' / 'parameters')
    assert set(files) == {spec.name for spec in SIM}
    for name, path in files.items():
        content = yaml.safe_load(path.read_text())
        assert content == {'/**': {'ros__parameters': values[name]}}


@pytest.mark.parametrize(
    'content, words',
    [
        ('a: [', 'is not YAML'),
        ('- 1', 'must hold node names'),
        ({'policy': {'seed': 1}}, 'policy needs the level ros__parameters'),
        ({'policy': None}, 'policy needs the level ros__parameters'),
        ({'pollicy': of(seed=1)}, "no node 'pollicy'; nodes are robot, safety"),
        ({'/**': of(epissode_s=1.0)}, "unknown parameter 'epissode_s'; did you mean 'episode_s'"),
        ({'/**': of(xyzzy=1.0)}, "unknown parameter 'xyzzy'; no node has it"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, content: Any, words: str) -> None:
    file = written(tmp_path, content)
    with pytest.raises(ConfigurationError, match=words) as caught:
        bringup.parameters(SIM, {}, file)
    assert str(file) in str(caught.value)


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_bytes('policy: # für den Hund'.encode('latin-1'))
    with pytest.raises(ConfigurationError, match=r'mine\.yaml is not YAML: .* codec'):
        bringup.parameters(SIM, {}, file)
    with pytest.raises(ConfigurationError, match=r'mine\.yaml: is not YAML .* codec'):
        read_values(file)


def test_a_full_disk_takes_no_parameters_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = bringup.parameters(SIM, {'seed': 5}, None)
    files = bringup.write_parameters(values, tmp_path)
    before = {path: path.read_text() for path in files.values()}

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'write', full)
    with pytest.raises(ConfigurationError, match=r'robot\.yaml cannot be written \(No space left'):
        bringup.write_parameters(values, tmp_path)
    monkeypatch.undo()
    assert {path: path.read_text() for path in files.values()} == before


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r'lost\.yaml cannot be read'):
        bringup.parameters(SIM, {}, tmp_path / 'lost.yaml')


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert bringup.parameters(SIM, {}, written(tmp_path, '')) == bringup.parameters(SIM, {}, None)


AHEAD = {'gear': 'real_time'}


def allowed(priority: int) -> bool:
    return priority == 30


def test_where_control_runs_first_safety_waits_for_less() -> None:
    tight = bringup.parameters(SIM, AHEAD, None, may_run_first=allowed)
    loose = bringup.parameters(SIM, AHEAD, None, may_run_first=lambda _: False)
    names = ('command_lifetime_s', 'sample_age_max_s', 'target_age_max_s', 'estimate_age_max_s')
    for name in names:
        assert tight['safety'][name] < 0.7 * loose['safety'][name]
    assert tight['robot']['command_lifetime_s'] == tight['safety']['command_lifetime_s']
    rest = [{k: v for k, v in each['safety'].items() if k not in names} for each in (tight, loose)]
    assert rest[0] == rest[1]
    assert bringup.parameters(SIM, {'gear': 'lockstep'}, None, may_run_first=allowed) == (
        bringup.parameters(SIM, {'gear': 'lockstep'}, None)
    )


def test_who_wants_other_ages_or_no_priority_has_them(tmp_path: Path) -> None:
    own = written(tmp_path, '/safety: {ros__parameters: {sample_age_max_s: 0.08}}')
    values = bringup.parameters(SIM, AHEAD, own, may_run_first=allowed)['safety']
    assert values['sample_age_max_s'] == 0.08
    ordinary = written(tmp_path, '/**: {ros__parameters: {real_time_priority: 0}}')
    values = bringup.parameters(SIM, AHEAD, ordinary, may_run_first=lambda _: True)
    assert values == bringup.parameters(SIM, AHEAD, ordinary)


def test_a_run_that_goes_on_elsewhere_has_that_machines_ages(tmp_path: Path) -> None:
    tight = bringup.parameters(SIM, AHEAD, None, may_run_first=allowed)
    bringup.write_parameters(tight, tmp_path / 'parameters')
    values = bringup.parameters(SIM, AHEAD, None, tmp_path / 'parameters')
    assert values == bringup.parameters(SIM, AHEAD, None)
