"""Gets the robot from any pose to standing, and says so: an explicit machine, one step a decision.

    WAIT ──granted──► LIMP ──at rest──► FOLD ──fallen──► ROLL ──► (FOLD again)
                        │                └───upright──► STAND ──risen──► VERIFY ──stood──► READY
                        └──upright and near the stance────┘
    FOLD ──upright, legs not where they should be──► FREE ──► STAND
    READY, or LIMP but not standing ──motors hot or battery low──► LIE_DOWN ──► REST
    REST ──cool, charged──► LIMP
    out of attempts, from any of them ──► LIE_DOWN ──► GIVE_UP ──rested, or set upright──► WAIT

How often it tries, and when only a person helps, is `patience`. Who stands and is tired stands for
a moment longer: policy, which knows where the robot is, may take it home first.

It uses joint angles, the inertial unit and foot forces, to rest also battery and motor warmth, and
safety limits all that it wants.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quad_learner.reset.config import ResetConfig
from quad_learner.reset.fatigue import Fatigue
from quad_learner.reset.motion import Keyframe, motion
from quad_learner.reset.path import JointPath, furthest
from quad_learner.reset.patience import Patience
from quad_learner.reset.posture import Posture, posture
from quad_learner.reset.roll_over import RollOver
from quad_learner.reset.session import Session
from quad_learner.reset.standing import Standing, is_standing, what_is_missing
from quad_learner.reset.state import State
from quad_learner.reset.untangle import Untangle
from quad_learner.reset.usable import what_is_unusable
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import NANOSECONDS, Health, JointCommand, JointTarget, SensorSample
from quad_learner.safety.modes import Authority

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LIMP = (State.LIMP, State.REST, State.GIVE_UP)
_UNHURRIED = (State.READY, State.LIE_DOWN, State.REST)
"""states that no attempt's time is spent in"""


class GetUp:
    """The automatic get-up of one robot."""

    def __init__(self, robot: RobotModel, config: ResetConfig, first_request: int = 1) -> None:
        """Stores.

        Args:
            robot: whose joints, stance and `reset` section are used.
            config: thresholds, speeds and budgets.
            first_request: the first request number, > 0; after a restart of the process, higher
                than any that the last one used.

        Raises:
            ConfigurationError: the robot's `reset` section cannot be used.
            ValueError: `first_request` is not above 0.
        """
        self._robot = robot
        self._config = config
        self._motion = motion(robot)
        self._fatigue = Fatigue(robot, config)
        self._patience = Patience(robot, config)
        self._standing = Standing(robot, config)
        self._roll_over = RollOver(self._motion, config)
        self._untangle = Untangle(robot, self._motion, config)
        self._session = Session(first_request, config.request_grace)
        self._handlers = {
            State.LIMP: self._limp,
            State.FOLD: self._fold,
            State.FREE: self._free,
            State.ROLL: self._roll,
            State.STAND: self._stand,
            State.VERIFY: self._verify,
            State.LIE_DOWN: self._lie_down,
            State.REST: self._lie,
            State.READY: self._hold,
        }
        self._state = State.WAIT
        self._reason = 'has not driven yet'
        self._time_ns: int | None = None
        self._in_state = 0.0
        self._steady = 0.0
        self._tucked = False
        self._beaten = False
        self._trouble = ''
        self._path = JointPath(robot.stance)
        self._frames: list[Keyframe] = []
        self._all = np.ones(len(robot.joints), dtype=bool)
        self._none = self._slack = ~self._all

    @property
    def state(self) -> State:
        """What it is doing."""
        return self._state

    @property
    def reason(self) -> str:
        """Why it came into this state, for people."""
        return self._reason

    @property
    def ready(self) -> bool:
        """Whether the robot stands, verified, and is held for the policy to take over."""
        return self._state is State.READY

    @property
    def resting(self) -> bool:
        """Whether it lies down, or lies, for the sake of motors or battery."""
        return self._state in (State.LIE_DOWN, State.REST)

    @property
    def attempt(self) -> int:
        """The attempt it is at, from 1."""
        return self._patience.attempt

    @property
    def waits_for_a_person(self) -> bool:
        """Whether it has given up for good unless somebody sets the robot upright."""
        return self._state is State.GIVE_UP and self._patience.waits_for_a_person

    def step(
        self,
        sample: SensorSample,
        executed: JointCommand | None,
        health: Health | None = None,
    ) -> JointTarget:
        """Returns what reset wants the joints to do until the next decision. Never raises.

        Args:
            sample: what the robot senses now.
            executed: the last command that safety sent; None before the first.
            health: the newest of battery and motor warmth; None where nothing was told.
        """
        self._fatigue.feel(health)
        dt = self._elapsed(sample)
        broken = what_is_unusable(sample, self._robot)
        turn = self._session.turn(executed, not broken and self._state is not State.GIVE_UP, dt)
        if broken:
            if not self._beaten:  # who has given up stays so: a bad sample is no help
                self._enter(State.WAIT, broken)
            return self._wish(sample, 0, self._robot.stance, self._all)
        if executed is not None and executed.authority is Authority.POLICY:
            self._begin_afresh()
        if not turn.driving:
            self._rest(sample, dt)
            return self._wish(sample, turn.request, sample.joint_position, self._all)
        return self._drive(sample, turn.request, dt)

    def _drive(self, sample: SensorSample, request: int, dt: float) -> JointTarget:
        slant = posture(sample.orientation)
        if self._state is State.WAIT:
            self._path = JointPath(sample.joint_position)
            self._enter(State.LIMP, 'drives')
        self._in_state += dt
        self._path.advance(dt)
        if self._state not in _UNHURRIED:
            too_much = self._patience.spend(sample, dt)
            if too_much:
                self._fail(too_much)
        if self._state is not State.GIVE_UP:
            self._handlers[self._state](sample, slant, dt)
        limp = self._all if self._state in _LIMP else self._slack
        self._path.follow(limp, sample.joint_position)
        request = 0 if self._state is State.GIVE_UP else request
        return self._wish(sample, request, self._path.position, limp)

    def _wish(
        self, sample: SensorSample, request: int, position: Array, limp: Mask
    ) -> JointTarget:
        # Policy takes over from the robot's own stiffness.
        stiffness = 1.0 if self._state is State.READY else self._motion.stiffness
        robot = self._robot
        return JointTarget(
            time_ns=sample.time_ns,
            source=Authority.RESET,
            request=request,
            position=position,
            kp=np.where(limp, 0.0, robot.kp * stiffness),
            kd=np.where(limp, robot.kd_damping, robot.kd * math.sqrt(stiffness)),
        )

    def _elapsed(self, sample: SensorSample) -> float:
        last, self._time_ns = self._time_ns, sample.time_ns
        if last is None:
            return 0.0
        return min(max((sample.time_ns - last) / NANOSECONDS, 0.0), self._config.tick_max)

    def _enter(self, state: State, reason: str) -> None:
        self._state = state
        self._beaten = self._beaten and state in (State.LIE_DOWN, State.GIVE_UP)
        self._reason = reason
        self._in_state = 0.0
        self._steady = 0.0
        self._slack = self._none

    def _begin_afresh(self) -> None:
        self._patience.stood()
        self._forget()

    def _forget(self) -> None:
        self._roll_over.forget()
        self._untangle.forget()

    def _fail(self, why: str) -> None:
        """Ends an attempt; the next one begins with a look at how the robot lies."""
        if self._patience.fail():
            self._trouble = why
            self._untangle.begin()
            self._enter(State.LIMP, f'attempt {self.attempt}: the last one {why}')
            return
        before = f'; the one before {self._trouble}' if self.attempt > 1 else ''
        self._sink(f'attempt {self.attempt}, the last: {why}{before}', beaten=True)

    def _rest(self, sample: SensorSample, dt: float) -> None:
        """Somebody else drives, or nobody: waits, and after giving up waits for long."""
        if self._state is State.LIE_DOWN and self._beaten:
            self._give_up(posture(sample.orientation))
        if self._state is not State.GIVE_UP:
            if self._state is not State.WAIT:
                self._enter(State.WAIT, f'no longer drives (was: {self._state.value})')
            return
        upright = self._is_upright(posture(sample.orientation))
        why = self._patience.rest(upright, is_standing(sample, self._robot, self._config), dt)
        if why:
            self._forget()
            self._enter(State.WAIT, why)

    def _limp(self, sample: SensorSample, slant: Posture, dt: float) -> None:
        """Chooses the way up once a fall is over. An upright robot does not wait for that."""
        upright = self._is_upright(slant)
        if not upright and not self._at_rest(sample, self._config.limp_time):
            return
        self._path = JointPath(sample.joint_position)
        to_stance = furthest(sample.joint_position, self._robot.stance)
        to_fold = furthest(sample.joint_position, self._motion.fold)
        # With its legs under it, it only has to straighten up: policy may then take it home.
        if self._fatigue.tired and not (upright and to_stance < to_fold):
            self._tire(upright)
            return
        near = to_stance <= self._config.near_stance
        # Where it did not come to stand before, a foot may be caught: it starts from the fold.
        if upright and near and self.attempt == 1:
            self._rise('upright and near the stance', [])
            return
        self._tuck('upright, legs astray or caught' if upright else 'fallen')

    def _fold(self, sample: SensorSample, slant: Posture, dt: float) -> None:
        if not self._path.done:
            return
        if not self._tucked:
            self._tucked = True
            self._move(self._motion.fold, self._config.move_speed, least=0.0)
            return
        if not self._is_upright(slant):
            self._roll_from(slant)
        elif self._at_rest(sample, self._path.seconds + self._config.settle_time):
            # Not sooner: legs that stretch under a body that still rolls push it on, and over.
            self._free_or_rise(sample)

    def _free_or_rise(self, sample: SensorSample) -> None:
        self._frames = list(self._untangle.plan(sample.joint_position, sample.joint_velocity))
        if self._frames:
            self._enter(State.FREE, 'upright, and legs did not fold')
            self._next_frame()
        else:
            self._rise('upright, legs tucked', self._motion.poses_to_rise(self.attempt))

    def _free(self, sample: SensorSample, slant: Posture, dt: float) -> None:
        if not self._path.done:
            return
        if not self._is_upright(slant):
            self._tuck('fallen again')
        elif self._frames:
            self._next_frame()
        elif self._at_rest(sample, self._path.seconds + self._config.settle_time):
            self._free_or_rise(sample)

    def _roll_from(self, slant: Posture) -> None:
        frames, name = self._roll_over.choose(slant)
        if not frames:
            self._fail(
                f'found it lying at a tilt of {slant.tilt:.1f} rad: no motion rolls it over'
            )
            return
        self._frames = list(frames)
        self._enter(State.ROLL, name)
        self._next_frame()

    def _next_frame(self) -> None:
        frame = self._frames.pop(0)
        self._path.go(frame.position, frame.seconds)
        self._slack = self._none if frame.limp is None else frame.limp
        self._in_state = 0.0

    def _roll(self, sample: SensorSample, slant: Posture, dt: float) -> None:
        """Goes from pose to pose, stops short when upright, then folds to look again."""
        if self._is_upright(slant):
            self._tuck('upright again')
            return
        if not self._path.done:
            return
        if self._frames:
            self._next_frame()
            return
        if not self._at_rest(sample, self._path.seconds + self._config.settle_time):
            return
        end = self._roll_over.ended(slant)
        if end:
            self._tuck(end)
        else:
            self._roll_from(slant)

    def _at_rest(self, sample: SensorSample, longest: float) -> bool:
        """Whether the body lies still, or has not after `longest` [s] in this state."""
        rate = float(np.linalg.norm(sample.angular_velocity))
        return rate <= self._config.rest_rate or self._in_state >= longest

    def _stand(self, sample: SensorSample, slant: Posture, dt: float) -> None:
        if not self._is_upright(slant):
            self._fail(f'tipped to {slant.tilt:.1f} rad while it rose')
        elif self._path.done and self._frames:
            self._next_frame()
        elif self._path.done:
            self._enter(State.VERIFY, 'has risen')
            self._verify(sample, slant, dt)

    def _verify(self, sample: SensorSample, slant: Posture, dt: float) -> None:
        if not self._is_upright(slant):
            self._fail(f'tipped to {slant.tilt:.1f} rad when it had risen')
            return
        if self._standing.has_stood(sample):
            self._begin_afresh()
            self._enter(State.READY, 'stands')
        elif self._in_state > self._config.settle_time:
            missing = what_is_missing(sample, self._robot, self._config) or 'not for long enough'
            self._fail(f'rose, and did not come to stand: {missing}')

    def _hold(self, sample: SensorSample, slant: Posture, dt: float) -> None:
        standing = is_standing(sample, self._robot, self._config)
        self._steady = 0.0 if standing else self._steady + dt
        if not self._is_upright(slant):
            self._enter(State.LIMP, f'tipped to {slant.tilt:.1f} rad while it waited')
        elif self._fatigue.tired and self._in_state >= self._config.rest_delay:
            self._tire(upright=True)
        elif self._steady >= self._config.settle_time:
            self._enter(State.LIMP, 'no longer stood while it waited')

    def _tire(self, upright: bool) -> None:
        """Lies down where it stands; where it lies already, it stays."""
        if not upright:
            self._enter(State.REST, self._fatigue.cause)
            return
        self._sink(self._fatigue.cause, beaten=False)

    def _sink(self, why: str, beaten: bool) -> None:
        self._move(self._motion.fold, self._config.rise_speed, self._config.blend_time)
        self._beaten = beaten
        self._enter(State.LIE_DOWN, why)

    def _lie_down(self, sample: SensorSample, slant: Posture, dt: float) -> None:
        if self._path.done and self._beaten:
            self._give_up(slant)
        elif self._path.done:
            self._enter(State.REST, self._reason)

    def _give_up(self, slant: Posture) -> None:
        then = self._patience.give_up(self._is_upright(slant))
        self._enter(State.GIVE_UP, f'{self._reason}; {then}')

    def _lie(self, sample: SensorSample, slant: Posture, dt: float) -> None:
        if not self._fatigue.tired:
            self._enter(State.LIMP, 'has rested')

    def _tuck(self, why: str) -> None:
        first = np.where(self._motion.fold_first, self._motion.fold, self._path.position)
        self._move(first, self._config.move_speed, least=0.0)
        self._tucked = False
        self._enter(State.FOLD, why)

    def _rise(self, why: str, frames: list[Keyframe]) -> None:
        self._enter(State.STAND, why)
        self._frames = frames
        if frames:
            self._next_frame()
        else:
            self._move(self._robot.stance, self._config.rise_speed, self._config.blend_time)

    def _move(self, position: Array, speed: float, least: float) -> None:
        """Heads for `position`, no joint above `speed` [rad/s], in `least` [s] or more."""
        self._path.go(position, max(least, furthest(position, self._path.position) / speed))

    def _is_upright(self, slant: Posture) -> bool:
        return slant.tilt <= self._config.upright_tilt
