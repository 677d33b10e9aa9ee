"""The packed records of one robot: target, command, temperature, contact, experience, episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Float32MultiArray

from quad_learner.experience.log import SEQUENCE_MAX
from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.policy.driver import EpisodeEnd
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, Estimate, Health, JointCommand, JointTarget
from quad_learner.ros.messages import MessageError
from quad_learner.ros.records import Record, RecordError
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.task.kinds import NUMBERED

Array = NDArray[np.float64]
NS_PER_US = 1000
EXACT = 1 << 24
"""whole numbers up to it are exact in a float32, which a step's numbers travel as"""
REASONS_IN_A_STEP = EXACT - 1
"""bits that are"""

_WHOLE = {
    'sequence': EXACT - 1,
    'sequence_high': SEQUENCE_MAX // EXACT,
    'episode': EXACT,
    'task': EXACT,
    'step': EXACT,
    'time_s': 1 << 33,
    'time_us': 999_999,
    'time_ns': 999,
    'policy_version': EXACT,
    'reasons': REASONS_IN_A_STEP,
}
"""the whole numbers of a step, and the largest that each may be; none is below 0"""
_SCALARS = (*_WHOLE, 'reward', 'constraint', 'terminated', 'truncated')
EVERY_REASON = sum(Reason)
COMBINATIONS = 4096
"""of reasons that are told apart: far more than occur. Python keeps each that was ever made, and a
stranger could send 33 million"""
NOT_FINITE = 'a step that holds a number that is not finite'


class Records:
    """Packs and unpacks the records of one robot.

    What is told each tick is packed to bytes at once. All are read from a message or its bytes.
    """

    def __init__(self, robot: RobotModel, observations: int = 0) -> None:
        """Args:
        robot: gives the number of joints and feet.
        observations: numbers in an observation, for those who read or write experience.
        """
        n = len(robot.joints)
        self._robot = robot
        self._hash = robot.joints_hash
        self._reasons: dict[int, Reason] = {}
        own = robot.identity
        self._target = Record(
            {'time_ns': 1, 'joints_hash': 1, 'source': 1, 'request': 1}
            | {'position': n, 'kp': n, 'kd': n},
            robot_id=own,
        )
        self._command = Record(
            {'time_ns': 1, 'joints_hash': 1, 'epoch': 1, 'sequence': 1, 'lifetime_ns': 1}
            | {'mode': 1, 'authority': 1, 'request': 1, 'reasons': 1}
            | {'position': n, 'kp': n, 'kd': n, 'effort': n},
            robot_id=own,
            checked=True,
        )
        self._temperature = Record(
            {'time_ns': 1, 'joints_hash': 1, 'temperature': n}, robot_id=own
        )
        self._contact = Record(
            {'time_ns': 1, 'contact': len(robot.feet), 'healthy': 1}, robot_id=own
        )
        self._episode = Record(
            {
                name: 1
                for name in ('episode', 'task', 'start_ns', 'end_ns', 'steps', 'total_reward')
            }
            | {name: 1 for name in ('fell', 'complete', 'left', 'reasons')},
            robot_id=own,
        )
        self._experience = Record(
            {name: 1 for name in _SCALARS}
            | {'observation': observations, 'asked': n, 'action': n}
            | {'next_observation': observations},
            Float32MultiArray,
            own,
        )

    def target_to(self, target: JointTarget) -> bytes:
        """Returns `target` as the bytes of a message."""
        return self._target.pack_bytes(
            time_ns=target.time_ns,
            joints_hash=self._hash,
            source=int(target.source),
            request=target.request,
            position=target.position,
            kp=target.kp,
            kd=target.kd,
        )

    def target_from(self, message: Any) -> JointTarget:
        """Returns the target in `message`.

        Raises:
            MessageError: another layout, other joints, or an unknown source.
        """
        block = self._unpack(self._target, message)
        self._check_joints(block)
        try:
            return JointTarget(
                int(block['time_ns'][0]),
                Authority(int(block['source'][0])),
                int(block['request'][0]),
                block['position'],
                block['kp'],
                block['kd'],
            )
        except (ValueError, OverflowError) as error:
            raise MessageError(f'a target that makes no sense: {error}') from error

    def command_to(self, command: JointCommand) -> bytes:
        """Returns `command` as the bytes of a message."""
        return self._command.pack_bytes(
            time_ns=command.time_ns,
            joints_hash=command.joints_hash,
            epoch=command.epoch,
            sequence=command.sequence,
            lifetime_ns=command.lifetime_ns,
            mode=int(command.mode),
            authority=int(command.authority),
            request=command.request,
            reasons=int(command.reasons),
            position=command.position,
            kp=command.kp,
            kd=command.kd,
            effort=command.effort,
        )

    def command_from(self, message: Any) -> JointCommand:
        """Returns the command in `message`; its numbers are the sink's to judge.

        Raises:
            MessageError: another layout, or an unknown mode or authority.
        """
        block = self._unpack(self._command, message)
        try:
            return JointCommand(
                time_ns=int(block['time_ns'][0]),
                epoch=int(block['epoch'][0]),
                sequence=int(block['sequence'][0]),
                lifetime_ns=int(block['lifetime_ns'][0]),
                joints_hash=int(block['joints_hash'][0]),
                mode=Mode(int(block['mode'][0])),
                authority=Authority(int(block['authority'][0])),
                request=int(block['request'][0]),
                reasons=self._reasons_in(block['reasons'][0]),
                position=block['position'],
                kp=block['kp'],
                kd=block['kd'],
                effort=block['effort'],
            )
        except (ValueError, OverflowError) as error:
            raise MessageError(f'a command that makes no sense: {error}') from error

    def temperature_to(self, health: Health) -> Any:
        """Returns the motor temperatures of `health` as a message."""
        return self._temperature.pack(
            time_ns=health.time_ns,
            joints_hash=self._hash,
            temperature=health.motor_temperature,
        )

    def temperature_from(self, message: Any) -> Health:
        """Returns the motor temperatures in `message`; battery is unknown.

        Raises:
            MessageError: another layout, other joints, or a stamp that is no number.
        """
        block = self._unpack(self._temperature, message)
        self._check_joints(block)
        try:
            time_ns = int(block['time_ns'][0])
        except (ValueError, OverflowError) as error:
            raise MessageError(f'warmth of no time: {error}') from error
        return Health(time_ns, np.nan, np.nan, block['temperature'])

    def contact_to(self, estimate: Estimate) -> bytes:
        """Returns which feet touch and whether the estimate is healthy, as a message's bytes."""
        return self._contact.pack_bytes(
            time_ns=estimate.time_ns, contact=estimate.contact, healthy=estimate.healthy
        )

    def episode_to(self, end: EpisodeEnd) -> Any:
        """Returns a finished episode as a message."""
        return self._episode.pack(**{**vars(end), 'reasons': int(end.reasons)})

    def episode_from(self, message: Any) -> EpisodeEnd:
        """Returns the finished episode in `message`.

        Raises:
            MessageError: another layout, or a number that is not finite.
        """
        block = {name: v[0] for name, v in self._unpack(self._episode, message).items()}
        try:
            if block['task'] not in NUMBERED:
                raise MessageError(f'an episode of a task that nobody knows: {block["task"]}')
            return EpisodeEnd(
                episode=int(block['episode']),
                task=int(block['task']),
                start_ns=int(block['start_ns']),
                end_ns=int(block['end_ns']),
                steps=int(block['steps']),
                total_reward=float(block['total_reward']),
                fell=bool(block['fell']),
                complete=bool(block['complete']),
                left=bool(block['left']),
                reasons=self._reasons_in(block['reasons']),
            )
        except (ValueError, OverflowError) as error:
            raise MessageError(f'an episode that makes no sense: {error}') from error

    def transition_to(self, transition: Transition) -> bytes:
        """Returns `transition` as the bytes of a message.

        So that each part is exact, its stamp is split into s, µs and ns, and its number at the
        24th bit. Of the reasons those are left out that lie above.
        """
        high, low = divmod(transition.sequence, EXACT)
        return self._experience.pack_bytes(
            **{
                **vars(transition),
                'sequence': low,
                'sequence_high': high,
                'reasons': int(transition.reasons) & REASONS_IN_A_STEP,
                'time_s': transition.time_ns // NANOSECONDS,
                'time_us': transition.time_ns % NANOSECONDS // NS_PER_US,
                'time_ns': transition.time_ns % NS_PER_US,
            }
        )

    def transition_from(self, message: Any) -> Transition:
        """Returns the transition in `message`.

        Raises:
            MessageError: it is of another robot or task, or holds a number that is not finite or
                out of range.
        """
        block = self._unpack(self._experience, message)
        _refuse_strange(block)
        scalar = {name: block[name][0] for name in _SCALARS}
        return Transition(
            sequence=int(scalar['sequence_high']) * EXACT + int(scalar['sequence']),
            episode=int(scalar['episode']),
            task=int(scalar['task']),
            step=int(scalar['step']),
            time_ns=_stamp_ns(scalar),
            policy_version=int(scalar['policy_version']),
            observation=block['observation'],
            asked=block['asked'],
            action=block['action'],
            reward=float(scalar['reward']),
            constraint=float(scalar['constraint']),
            next_observation=block['next_observation'],
            terminated=bool(scalar['terminated']),
            truncated=bool(scalar['truncated']),
            reasons=self._reasons_in(scalar['reasons']),
        )

    def transitions_from(self, messages: Sequence[bytes]) -> Steps:
        """Returns what `transition_from` finds in each of `messages`, at least one, as columns.

        Raises:
            MessageError: as for `transition_from`, of any of them.
        """
        try:
            block = self._experience.unpack_all(messages)
        except RecordError as error:
            raise MessageError(str(error)) from error
        _refuse_strange(block)
        column = {name: block[name][:, 0] for name in _SCALARS}
        high = column['sequence_high'].astype(np.int64)
        return Steps(
            sequence=high * EXACT + column['sequence'].astype(np.int64),
            episode=column['episode'].astype(np.int64),
            task=column['task'].astype(np.int64),
            policy_version=column['policy_version'].astype(np.int64),
            observation=block['observation'],
            action=block['action'],
            reward=column['reward'].astype(np.float64),
            constraint=column['constraint'].astype(np.float64),
            next_observation=block['next_observation'],
            terminated=column['terminated'] != 0.0,
            truncated=column['truncated'] != 0.0,
        )

    def _reasons_in(self, number: float) -> Reason:
        """Returns the reasons that a number stands for; bits that nobody knows are left out.

        Beyond COMBINATIONS of them, a new one is INTERNAL: what it says cannot be told.
        """
        bits = int(number) & EVERY_REASON
        known = self._reasons.get(bits)
        if known is not None:
            return known
        if len(self._reasons) >= COMBINATIONS:
            return Reason.INTERNAL
        return self._reasons.setdefault(bits, Reason(bits))

    def _unpack(self, record: Record, message: Any) -> dict[str, Any]:
        try:
            return record.unpack(message)
        except RecordError as error:
            raise MessageError(str(error)) from error

    def _check_joints(self, block: dict[str, Any]) -> None:
        if block['joints_hash'][0] != self._hash:
            raise MessageError(f'the message is not for the joints of {self._robot.name}')


@dataclass(frozen=True)
class Progress:
    """How far the learner has come, and so where the numbering of steps and episodes goes on."""

    sequence: int
    """of the last step in its log"""
    episode: int
    """of that step"""
    updates: int
    version: int


_PROGRESS = {'sequence': 1, 'episode': 1, 'updates': 1, 'version': 1}


def progress_to(progress: Progress, robot_id: str = '') -> Any:
    """Returns `progress` of the robot's learner as a message."""
    return Record(_PROGRESS, robot_id=robot_id).pack(**vars(progress))


def progress_from(message: Any, robot_id: str = '') -> Progress:
    """Returns the progress in `message` of the robot's learner.

    Raises:
        MessageError: another layout, another robot, or a number that is not finite.
    """
    try:
        block = Record(_PROGRESS, robot_id=robot_id).unpack(message)
        return Progress(**{name: int(value[0]) for name, value in block.items()})
    except (RecordError, ValueError, OverflowError) as error:
        raise MessageError(str(error)) from error


def _refuse_strange(block: dict[str, Any]) -> None:
    """Lets pass the blocks of a step, or of many, that can be read."""
    if not all(np.isfinite(part).all() for part in block.values()):
        raise MessageError(NOT_FINITE)
    for name, largest in _WHOLE.items():
        if not ((block[name] >= 0) & (block[name] <= largest)).all():
            raise MessageError(f'a step with {name} out of range: it must be 0 … {largest}')


def _stamp_ns(scalar: dict[str, Any]) -> int:
    whole = int(scalar['time_s']) * NANOSECONDS
    return whole + int(scalar['time_us']) * NS_PER_US + int(scalar['time_ns'])
