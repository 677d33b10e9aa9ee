"""The judge finds each kind of unsafe command, and nothing wrong with the others."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quad_learner.configuration import read_values
from quad_learner.resources import config_directory
from quad_learner.robot import command_judge
from quad_learner.robot.command_judge import CommandJudge, Witness
from quad_learner.robot.model import load
from quad_learner.robot.signals import JointCommand, SensorSample
from quad_learner.safety.modes import Authority, Mode, Reason

ROBOT = load('a1')
SETTINGS = read_values(config_directory() / 'safety.yaml')
PERIOD_NS = 12_500_000
JOINTS = len(ROBOT.joints)


def at(joint: int, number: float, others: Any = 0.0) -> Any:
    """Returns an array with `number` at one joint."""
    values = np.broadcast_to(np.asarray(others, float), JOINTS).copy()
    values[joint] = number
    return values


class Drive:
    """A robot that stands still while the policy holds the stance; tests change one command."""

    def __init__(self, command_of: Any, sample_of: Any, exact: bool = True) -> None:
        self.judge = CommandJudge(ROBOT, SETTINGS, exact)
        self.command_of, self.sample_of = command_of, sample_of
        self.now_ns, self.sequence = 0, 0
        self.send(mode=Mode.STANDBY, reasons=Reason.NOT_ARMED)
        for _ in range(3):
            assert self.send() == []

    def send(self, dt_ns: int = PERIOD_NS, witness: Any = None, **changed: Any) -> list[str]:
        """Sends the next command, changed; returns what the judge says."""
        self.now_ns += dt_ns
        self.sequence += 1
        if changed.get('mode', Mode.ACTIVE) is not Mode.ACTIVE:
            changed = {'authority': Authority.NOBODY, 'request': 0, **changed}
        made: dict[str, Any] = {'sequence': self.sequence, 'time_ns': self.now_ns, **changed}
        command = self.command_of(**made)
        self.sequence = command.sequence
        seen = witness or Witness(self.sample_of(time_ns=self.now_ns))
        return self.judge.check(command, self.now_ns, seen)

    def stop(self, why: Reason, ticks: int = 1) -> None:
        """Stops for `why`: limp for so many periods."""
        for _ in range(ticks):
            limp = {'kp': np.zeros(JOINTS), 'kd': ROBOT.kd_damping}
            assert self.send(mode=Mode.SOFT_STOP, reasons=why, **limp) == []


@pytest.fixture
def drive(command_of: Any, sample_of: Any) -> Drive:
    return Drive(command_of, sample_of)


ONE: list[tuple[str, dict[str, Any]]] = [
    ('I1', {'position': at(0, np.nan, ROBOT.stance)}),
    ('I1', {'kd': at(11, np.inf, ROBOT.kd)}),
    ('I2', {'position': np.zeros(11)}),
    ('I2', {'joints_hash': 7}),
    ('I11', {'lifetime_ns': 0}),
    ('I11', {'lifetime_ns': 200_000_001}),
    ('I12', {'kp': None}),
    ('I3', {'position': at(0, 0.785, ROBOT.stance), 'kp': np.zeros(JOINTS)}),
    ('I3', {'position': at(0, -0.785, ROBOT.stance), 'kp': np.zeros(JOINTS)}),
    ('I8', {'kp': at(3, -0.1, ROBOT.kp)}),
    ('I8', {'kp': at(3, 105.1, ROBOT.kp)}),
    ('I8', {'kd': at(3, 0.49, ROBOT.kd)}),
    ('I8', {'kd': at(3, 4.01, ROBOT.kd)}),
    ('I8', {'effort': at(3, 1.0)}),
    ('I8', {'mode': Mode.LATCHED_STOP, 'reasons': Reason.OPERATOR}),
    ('I10', {'sequence': 4}),
    ('I10', {'sequence': 6}),
    ('I10', {'epoch': 2}),
    ('I13', {'authority': Authority.NOBODY}),
    ('I13', {'request': 0}),
    ('I14', {'mode': Mode.INIT, 'reasons': Reason.NOT_ARMED}),
    ('I4 target speed', {'position': at(1, 0.9 + 0.226, ROBOT.stance)}),
    ('I17', {'mode': Mode.STANDBY, 'reasons': Reason.NONE}),
]


@pytest.mark.parametrize(('rule', 'changed'), ONE)
def test_each_wrong_command_is_found_by_its_rule(
    drive: Drive, rule: str, changed: dict[str, Any]
) -> None:
    if rule == 'I14':  # from a standing robot back to one that was never heard
        assert drive.send(mode=Mode.SOFT_STOP, reasons=Reason.TARGET_STALE) == []
    found = drive.send(**changed)
    assert [line for line in found if line.startswith(rule)], found
    assert drive.judge.unsafe == 1


FINE: list[dict[str, Any]] = [
    {'position': at(0, 0.78, ROBOT.stance), 'kp': np.zeros(JOINTS)},
    {'kp': at(3, 105.0, ROBOT.kp)},
    {'kd': at(3, 0.5, ROBOT.kd)},
    {'kd': at(3, 4.0, ROBOT.kd)},
    {'lifetime_ns': 200_000_000},
    {'position': at(1, 0.9 + 0.2249, ROBOT.stance)},
    {'request': 2},
    {'mode': Mode.STANDBY, 'reasons': Reason.RELEASED},
    {'mode': Mode.SOFT_STOP, 'reasons': Reason.TARGET_STALE},
    {'authority': Authority.RESET, 'request': 1},
]


@pytest.mark.parametrize('changed', FINE)
def test_what_is_just_allowed_is_not_found(drive: Drive, changed: dict[str, Any]) -> None:
    assert drive.send(**changed) == []


def test_a_target_may_stop_at_once_but_not_turn_back(drive: Drive) -> None:
    there = at(1, 1.1, ROBOT.stance)
    for after, said in ((1.1, []), (0.9, ['I4 target acceleration'])):
        assert drive.send(position=there) == []
        assert drive.send(position=at(1, after, ROBOT.stance)) == said
        for _ in range(2):
            drive.send()


def test_a_driver_begins_where_the_legs_are(drive: Drive, sample_of: Any) -> None:
    assert drive.send(kp=np.zeros(JOINTS)) == []
    bent = sample_of(joint_position=at(1, 1.3, ROBOT.stance))
    assert drive.send(witness=Witness(bent)) == ['I5 begins with a jump']
    drive.send(kp=np.zeros(JOINTS))
    assert drive.send(witness=Witness(bent), position=at(1, 1.1, ROBOT.stance)) == []


# Hips have 20 N·m, of which policy may use nine tenths: 0.3 rad at kp 60.
@pytest.mark.parametrize(('angle', 'said'), [(0.299, []), (0.302, ['I6 torque of RR_hip_joint'])])
@pytest.mark.parametrize('warmth', [22.0, np.nan])
def test_torque_is_predicted_from_the_sample(
    drive: Drive, sample_of: Any, angle: float, said: list[str], warmth: float
) -> None:
    here = sample_of(joint_position=at(6, -angle, ROBOT.stance))
    assert drive.send(witness=Witness(here, temperature=at(6, warmth, 22.0))) == said


def test_warmth_takes_torque(drive: Drive, sample_of: Any) -> None:
    here = sample_of(joint_position=at(6, -0.29, ROBOT.stance))
    # From 59.5 to 70 °C it falls to 0.4: at 60.5 °C to 0.943.
    for warmth, said in ((59.5, []), (60.5, ['I6 torque of RR_hip_joint'])):
        assert drive.send(witness=Witness(here, temperature=at(6, warmth, 22.0))) == said


def test_the_least_damping_is_no_fault_however_fast_the_joint(
    drive: Drive, sample_of: Any
) -> None:
    fast = sample_of(joint_velocity=at(6, 50.0))
    assert drive.send(witness=Witness(fast), kp=np.zeros(JOINTS), kd=0.25 * ROBOT.kd) == []
    assert drive.send(witness=Witness(fast), kp=np.zeros(JOINTS), kd=0.5 * ROBOT.kd) != []


def test_power_is_judged_at_once_and_in_the_mean(drive: Drive, sample_of: Any) -> None:
    kp, kd = np.zeros(JOINTS), 0.5 * ROBOT.kd
    # 12 joints at kd 1 and 11.1 rad/s take 1,479 W, at 11.3 rad/s 1,532 W.
    brisk, wild = (sample_of(joint_velocity=np.full(JOINTS, v)) for v in (11.1, 11.3))
    assert drive.send(witness=Witness(wild), kp=kp, kd=kd) == ['I7 power']
    said = [drive.send(witness=Witness(brisk), kp=kp, kd=kd) for _ in range(40)]
    # 450 of 1,479 W: a mean of one second gets there after ln(1/(1 - 0.304)) = 0.363 s, which is
    # 29 periods, one of which the wilder sample has spent.
    assert [bool(line) for line in said] == [False] * 27 + [True] * 13
    assert said[-1] == ['I7 mean power']


def test_a_stop_lasts_until_a_fresh_request_and_long_enough(drive: Drive) -> None:
    drive.stop(Reason.SENSORS_STALE, ticks=10)
    assert drive.send(request=1) != []
    drive.stop(Reason.SENSORS_STALE, ticks=41)
    # Two seconds must lie between the ends of two stops.
    assert drive.send(request=2) == ['I13 drives again too soon']
    drive.stop(Reason.SENSORS_STALE, ticks=170)
    assert drive.send(request=3) == []


def test_a_stop_for_a_cause_in_the_body_lasts_a_while(drive: Drive) -> None:
    drive.stop(Reason.SENSORS_STALE, ticks=30)
    assert drive.send(request=2) == ['I13 drives again too soon']


def test_a_stop_for_a_silent_driver_may_end_at_once(drive: Drive) -> None:
    drive.stop(Reason.TARGET_STALE)
    assert drive.send(request=2) == []


@pytest.mark.parametrize(('resumed', 'wrong'), [(True, False), (None, False), (False, True)])
def test_a_latched_stop_is_left_by_an_operator(
    drive: Drive, sample_of: Any, resumed: bool | None, wrong: bool
) -> None:
    limp = {'kp': np.zeros(JOINTS)}
    assert drive.send(mode=Mode.LATCHED_STOP, reasons=Reason.OPERATOR, **limp) == []
    witness = Witness(sample_of(), resumed=resumed)
    found = drive.send(witness=witness, mode=Mode.STANDBY, reasons=Reason.NOT_ARMED, **limp)
    assert bool(found) is wrong
    drive.send(mode=Mode.LATCHED_STOP, reasons=Reason.OPERATOR, **limp)
    assert drive.send(request=9, **limp) == ['I14 from LATCHED_STOP to ACTIVE']


@pytest.mark.parametrize('exact', [True, False])
def test_who_drives_after_a_latched_stop_has_stood_by_before_in_a_command_that_may_be_lost(
    command_of: Any, sample_of: Any, exact: bool
) -> None:
    drive, limp = Drive(command_of, sample_of, exact), {'kp': np.zeros(JOINTS)}
    drive.judge.whole = False
    for lost, wrong in ((1, []), (0, ['I14 from LATCHED_STOP to ACTIVE'])):
        drive.send(mode=Mode.LATCHED_STOP, reasons=Reason.OPERATOR, **limp)
        drive.sequence += lost
        assert drive.send(request=9 - lost, **limp) == wrong
    drive.send(mode=Mode.LATCHED_STOP, reasons=Reason.OPERATOR, **limp)
    drive.sequence += 1
    assert drive.send(mode=Mode.STANDBY, reasons=Reason.NOT_ARMED, **limp) == []


def test_a_stop_lets_go_in_its_time_and_stays_in_place(drive: Drive) -> None:
    halted = {'mode': Mode.SOFT_STOP, 'reasons': Reason.TARGET_STALE}
    assert drive.send(**halted) == []
    # 12.5 of 300 ms are over: 0.9583 of the stiffness is left.
    assert drive.send(kp=0.958 * ROBOT.kp, **halted) == []
    assert drive.send(kp=0.95 * ROBOT.kp, **halted) == ['I15 a stop does not let go']
    moved = drive.send(kp=0.1 * ROBOT.kp, position=at(1, 0.95, ROBOT.stance), **halted)
    assert moved == ['I15 a stop moves the legs']


@pytest.mark.parametrize(
    ('target', 'speed', 'reasons', 'wrong'),
    [
        # The joint is at 1.0 rad, the last target at 0.9; stiffness 6, damping 2. Spring and
        # damping against each other: -0.60 + 2 N·m, and -0.48 + 2 with the target moved.
        (0.92, -1.0, Reason.TARGET_STALE, True),
        (0.92, -1.0, Reason.TARGET_STALE | Reason.CLIPPED_POWER, False),
        # Away from the joint and harder, -0.72 - 2 for -0.60 - 2 N·m: no limit explains that.
        (0.88, 1.0, Reason.TARGET_STALE | Reason.CLIPPED_POWER, True),
    ],
)
def test_only_a_power_limit_explains_a_target_that_nears_its_joint_in_a_stop(
    drive: Drive, sample_of: Any, target: float, speed: float, reasons: Reason, wrong: bool
) -> None:
    seen = sample_of(
        joint_position=at(1, 1.0, ROBOT.stance), joint_velocity=at(1, speed), time_ns=drive.now_ns
    )
    halted = {'mode': Mode.SOFT_STOP, 'reasons': reasons, 'kp': 0.1 * ROBOT.kp}
    found = drive.send(witness=Witness(seen), position=at(1, target, ROBOT.stance), **halted)
    assert found == (['I15 a stop moves the legs'] if wrong else [])


def test_who_is_changed_is_told(drive: Drive, sample_of: Any, target_of: Any) -> None:
    asked = Witness(sample_of(), target_of(position=at(1, 1.0, ROBOT.stance)))
    assert drive.send(witness=asked) == ['I17 changed without a word']
    assert drive.send(witness=asked, reasons=Reason.CLIPPED_RATE) == []
    assert drive.send(witness=asked, position=at(1, 0.9985, ROBOT.stance)) == []


def test_a_writer_that_was_replaced_does_not_come_back(drive: Drive) -> None:
    rests = {'mode': Mode.STANDBY, 'reasons': Reason.NOT_ARMED}
    assert drive.send(epoch=2, **rests) == []
    assert drive.send(epoch=1, **rests) != []


def test_without_the_writers_clock_only_what_no_clock_allows_is_found(
    command_of: Any, sample_of: Any
) -> None:
    drive = Drive(command_of, sample_of, exact=False)
    # Two periods of 18 rad/s are 0.45 rad; each command that was missed adds as much.
    assert drive.send(dt_ns=1, position=at(1, 0.9 + 0.449, ROBOT.stance)) == []
    assert drive.send(dt_ns=1, position=at(1, 0.9 - 0.01, ROBOT.stance)) != []
    sequence = drive.sequence + 2
    far = at(1, 0.9 + 0.85, ROBOT.stance)
    assert drive.send(sequence=sequence, position=far, kp=0.1 * ROBOT.kp) == []


def test_a_sample_that_was_heard_is_found_by_its_stamp(drive: Drive, sample_of: Any) -> None:
    def send(hip: float, **changed: Any) -> list[str]:
        changed = {'joint_position': at(6, hip, ROBOT.stance), **changed}
        drive.judge.hear(sample_of(time_ns=drive.now_ns + PERIOD_NS, **changed))
        return drive.send(witness=Witness())

    # From 0.2 to 0.5 rad is no further than a joint may move in a period; from 0.5 to 1.1 would
    # take more than its top speed, so that nothing is proven by it. It ends at 0.80 and may be
    # sensed up to 0.35 beyond that: no robot was ever at 1.2.
    assert [send(0.0), send(0.2)] == [[], []]
    assert send(0.5) == ['I6 torque of RR_hip_joint']
    assert [send(1.1), send(1.1)] == [[], []]
    assert send(1.1) == send(1.15) == ['I6 torque of RR_hip_joint']
    assert [send(1.16), send(1.2), send(1.2), send(1.2)] == [[]] * 4
    assert [send(1.1), send(1.1)] == [[], ['I6 torque of RR_hip_joint']]
    assert [send(hip) for hip in (0.6, 0.1, -0.4, -0.9)][3] == ['I6 torque of RR_hip_joint']
    assert [send(-1.16), send(-1.2), send(-1.2)] == [[]] * 3
    assert [send(hip) for hip in (-0.9, -0.4, 0.1, 0.6, 1.1)][4] == ['I6 torque of RR_hip_joint']
    level = np.array([0.0, 0.0, 0.0, 1.1])
    for broken in (
        {'orientation': level},
        {'angular_velocity': np.full(3, 25.0)},
        {'specific_force': np.full(3, 500.0)},
        {'joint_velocity': np.full(JOINTS, np.nan)},
        {'joint_position': np.zeros(3)},
    ):
        assert send(1.1, **broken) == [], broken


def test_the_judge_shares_no_code_with_what_it_judges() -> None:
    tree = ast.parse(Path(command_judge.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {module for module in modules if module and module.startswith('quad_learner')}
    assert ours == {'quad_learner.robot.model', 'quad_learner.robot.signals'}


Make = Callable[..., JointCommand]
Sense = Callable[..., SensorSample]


def test_judging_never_raises(command_of: Make) -> None:
    judge = CommandJudge(ROBOT, SETTINGS)
    judge.hear(None)  # type: ignore[arg-type]
    for field in dataclasses.fields(JointCommand):
        broken = command_of(**{field.name: object()})
        assert isinstance(judge.check(broken, 0, Witness()), list)
    assert judge.check(None, 0, Witness())[0].startswith('I12')  # type: ignore[arg-type]
    assert judge.judged == len(dataclasses.fields(JointCommand)) + 1


def test_an_operator_may_cost_a_waiting_world_a_command_but_none_comes_twice(
    command_of: Make, sample_of: Sense
) -> None:
    for whole, said in ((True, ['I10 sequence']), (False, [])):
        drive = Drive(command_of, sample_of)
        drive.judge.whole = whole
        assert drive.send(sequence=drive.sequence + 2) == said
        assert drive.send(sequence=drive.sequence) == ['I10 sequence']


@pytest.mark.parametrize(('lost', 'said'), [(0, ['I15 a stop moves the legs']), (1, [])])
def test_where_a_command_was_lost_a_stop_is_not_compared_with_an_older_one(
    command_of: Make, sample_of: Sense, lost: int, said: list[str]
) -> None:
    drive = Drive(command_of, sample_of, exact=False)
    halted = {'mode': Mode.SOFT_STOP, 'reasons': Reason.TARGET_STALE}
    assert drive.send(**halted) == []
    drive.sequence += lost
    there = at(1, 0.95, ROBOT.stance)
    assert drive.send(kp=0.1 * ROBOT.kp, position=there, **halted) == said


# 0.9 s are 72 periods of the A1, of which the driver's own command is the last.
@pytest.mark.parametrize('number', [50, 3])
@pytest.mark.parametrize(('periods', 'wrong'), [(1, True), (70, True), (71, False), (200, False)])
def test_a_spent_number_or_a_lower_one_drives_only_when_it_is_long_gone(
    drive: Drive, periods: int, wrong: bool, number: int
) -> None:
    assert drive.send(request=50) == []
    for _ in range(periods):
        drive.send(mode=Mode.STANDBY, reasons=Reason.RELEASED)
    found = drive.send(request=number)
    assert found == (['I13 a request that was spent'] if wrong else [])


def test_a_clock_that_falls_back_makes_a_spent_number_no_more_recent(drive: Drive) -> None:
    assert drive.send(request=50) == []
    for period in range(200):
        drive.now_ns -= 2_000_000_000 if period == 150 else 0
        drive.send(mode=Mode.STANDBY, reasons=Reason.RELEASED)
    assert drive.send(request=3) == []


@pytest.mark.parametrize('number', [0, -1])
def test_no_number_at_all_never_drives(drive: Drive, number: int) -> None:
    assert drive.send(request=50) == []
    for _ in range(200):
        drive.send(mode=Mode.STANDBY, reasons=Reason.RELEASED)
    assert drive.send(request=number) == ['I13 a request that was spent']


def test_a_session_that_goes_on_is_not_long_gone(drive: Drive) -> None:
    for _ in range(200):
        assert drive.send(request=50) == []
    assert drive.send(request=3) == ['I13 a request that was spent']
