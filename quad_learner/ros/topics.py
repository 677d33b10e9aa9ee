"""The graph's topics and services: the only place that spells a name, a type, a QoS or a rate.

Names are relative, so that a robot lives in a namespace. No name is a path-prefix of another:
rqt_plot would hide the longer one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped, Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import BatteryState, Imu, JointState, Joy
from std_msgs.msg import Float32MultiArray, Float64, Float64MultiArray, UInt8MultiArray
from std_srvs.srv import Trigger

from quad_learner.robot.signals import NANOSECONDS

CDR_HEADER_BYTES = 4
"""before the data of every serialized message: kind and byte order"""
_LITTLE, _BIG = struct.Struct('<iI'), struct.Struct('>iI')
"""seconds and nanoseconds of a stamp in either byte order"""
COMMAND_RATE = 'command'
POLICY_RATE = 'policy'
NEWEST_ONLY = 1
"""Messages that wait for who is to act on the newest alone, and not on what came before it."""
EXPERIENCE_DEPTH = 4096
"""Steps that wait for a learner that is away: 100 s at 40 Hz."""


def _stamp_in(data: bytes) -> int | None:
    """Returns the stamp [ns] of a serialized (CDR) message that begins with a header.

    None where there are too few bytes for one.
    """
    if len(data) < CDR_HEADER_BYTES + _LITTLE.size:
        return None
    stamp = _LITTLE if data[1] & 1 else _BIG
    seconds, nanoseconds = stamp.unpack_from(data, CDR_HEADER_BYTES)
    return int(seconds) * NANOSECONDS + int(nanoseconds)


@dataclass(frozen=True)
class Topic:
    """One topic. `rate` is in hertz, the name of one of the robot's rates, or 0 for events."""

    name: str
    type: type[Any]
    rate: float | str = 0.0
    depth: int = 10
    latched: bool = False
    """late joiners get the last `depth` messages"""
    publisher_node: str = ''
    about: str = ''

    @property
    def qos(self) -> QoSProfile:
        """Reliable, newest `depth`; transient-local where latched."""
        return QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=self.depth,
            reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL
            if self.latched
            else DurabilityPolicy.VOLATILE,
        )

    def publisher(self, node: Node) -> Any:
        """Returns a publisher of this topic on `node`."""
        return node.create_publisher(self.type, self.name, self.qos)

    def subscribe_to_some(
        self,
        node: Node,
        callback: Callable[[int, bytes], None],
        refuse: Callable[[str], None],
        wanted: Callable[[int], bool] = lambda _: True,
        depth: int = 0,
    ) -> Any:
        """Lets `callback` hear the stamp [ns] and the bytes of messages whose stamp is `wanted`.

        For types that begin with a header. Turning bytes into a message is most of the cost of
        hearing it. `refuse` is told of bytes without a stamp.
        """

        def hear(data: bytes) -> None:
            stamp = _stamp_in(data)
            if stamp is None:
                refuse(f'{self.name}: {len(data)} bytes, too few for a stamp')
            elif wanted(stamp):
                callback(stamp, data)

        return self.subscribe(node, hear, raw=True, depth=depth)

    def subscribe(
        self, node: Node, callback: Callable[[Any], None], raw: bool = False, depth: int = 0
    ) -> Any:
        """Lets `callback` hear this topic on `node`, as far as its own robot's graph says it.

        Args:
            node: whose subscription it is.
            callback: is given each message, as serialized bytes where `raw`.
            raw: see callback.
            depth: messages that may wait for it; 0: as many as the topic keeps.
        """
        qos = self.qos
        qos.depth = depth or self.depth
        neighbours = getattr(node, 'neighbours', None)
        if neighbours is not None:
            qos.depth = max(qos.depth, neighbours.room)
            callback = neighbours.only_ours(self.name, self.type, raw, callback)
        return node.create_subscription(self.type, self.name, callback, qos, raw=raw)


JOINT_STATES = Topic(
    'joint_states', JointState, COMMAND_RATE, publisher_node='robot', about='encoders and torques'
)
IMU = Topic('imu/data', Imu, COMMAND_RATE, publisher_node='robot', about='attitude, rates, force')
FOOT_CONTACTS = Topic(
    'foot_contacts', JointState, COMMAND_RATE, publisher_node='robot', about='effort = force [N]'
)
BATTERY = Topic('battery_state', BatteryState, 1.0, publisher_node='robot', about='charge')
MOTOR_TEMPERATURE = Topic(
    'motor_temperature', Float64MultiArray, 1.0, publisher_node='robot', about='[°C] a motor'
)
GROUND_TRUTH = Topic(
    'ground_truth/odom', Odometry, POLICY_RATE, 1000, publisher_node='robot', about='scoring only'
)
CLOCK = Topic('/clock', Clock, POLICY_RATE, 1, publisher_node='robot', about='lockstep only')
ROBOT_STATE = Topic(
    'robot/state', DiagnosticStatus, 1.0, 1, True, 'robot', 'follows commands, or damps by itself'
)
JOINT_COMMAND = Topic(
    'joint_command',
    Float64MultiArray,
    COMMAND_RATE,
    publisher_node='safety',
    about='to the motors',
)
SAFETY_STATE = Topic(
    'safety/state', DiagnosticStatus, 1.0, 1, True, 'safety', 'mode, driver, reasons'
)
ODOM = Topic('odom', Odometry, POLICY_RATE, publisher_node='estimator', about='the estimate')
CONTACT = Topic(
    'contact_state',
    Float64MultiArray,
    POLICY_RATE,
    publisher_node='estimator',
    about='feet, health',
)
POLICY_TARGET = Topic(
    'policy/target', Float64MultiArray, POLICY_RATE, publisher_node='policy', about='what it asks'
)
POLICY_STATE = Topic(
    'policy/state', DiagnosticStatus, 1.0, 10, True, 'policy', 'phase, episode, model'
)
EPISODE = Topic(
    'policy/episode', Float64MultiArray, 0.0, 1000, True, 'policy', 'each finished episode'
)
EXPERIENCE = Topic(
    'experience', Float32MultiArray, POLICY_RATE, EXPERIENCE_DEPTH, True, 'policy', 'each step'
)
RESET_TARGET = Topic(
    'reset/target', Float64MultiArray, POLICY_RATE, publisher_node='reset', about='what it asks'
)
RESET_STATE = Topic('reset/state', DiagnosticStatus, 1.0, 10, True, 'reset', 'state, attempts')
MODEL = Topic('policy/model', UInt8MultiArray, 0.0, 4, True, 'learner', 'ONNX, newest first to go')
EXTERNAL_POSE = Topic(
    'external/pose',
    PoseStamped,
    publisher_node='whoever knows it',
    about='of the body in the workspace: motion capture, a tag; the simulated robot if asked',
)
JOY = Topic('joy', Joy, publisher_node='joy_node', about='a game controller, while driving')
CMD_VEL = Topic('cmd_vel', Twist, publisher_node='a planner, keyboard', about='while driving')
PROGRESS = Topic(
    'learner/progress', Float64MultiArray, 0.0, 1, True, 'learner', 'where the numbering stands'
)
DIAGNOSTICS = Topic(
    '/diagnostics', DiagnosticArray, 1.0, 10, publisher_node='every node', about='health'
)

METRICS = (
    'reward',
    'constraint',
    'lambda',
    'alpha',
    'box_share',
    'in_trial',
    'fell_back',
    'rolled_back',
    'models_refused',
    'episode_return',
    'episode_length',
    'falls',
    'critic_loss',
    'safety_critic_loss',
    'actor_loss',
    'entropy',
    'q_value',
    'safety_value',
    'updates',
    'updates_per_second',
    'replay_size',
    'policy_version',
    'backlog',
)
"""What the learner publishes, each a plain Float64 that rqt_plot plots as it is."""


def metric(name: str) -> Topic:
    """Returns the topic of the learner's metric `name`, one of METRICS."""
    return Topic(f'learner/{name}', Float64, 2.0, publisher_node='learner', about='for rqt_plot')


def model(suffix: str) -> Topic:
    """Returns the topic of the models of the task with that `suffix`."""
    return replace(MODEL, name=f'{MODEL.name}{suffix}')


TABLE = (
    JOINT_STATES,
    IMU,
    FOOT_CONTACTS,
    BATTERY,
    MOTOR_TEMPERATURE,
    GROUND_TRUTH,
    CLOCK,
    ODOM,
    CONTACT,
    POLICY_TARGET,
    POLICY_STATE,
    EPISODE,
    EXPERIENCE,
    RESET_TARGET,
    RESET_STATE,
    ROBOT_STATE,
    JOINT_COMMAND,
    SAFETY_STATE,
    MODEL,
    PROGRESS,
    *(metric(name) for name in METRICS),
    DIAGNOSTICS,
)
"""Every topic of the graph."""
FROM_OUTSIDE = (EXTERNAL_POSE, JOY, CMD_VEL)
"""What is listened to, where somebody says it."""


@dataclass(frozen=True)
class Service:
    """One service; all of them are std_srvs/Trigger."""

    name: str
    about: str
    type: type[Any] = Trigger

    def serve(self, node: Node, callback: Callable[[], tuple[bool, str]]) -> Any:
        """Offers this service on `node`; `callback` returns success and a message."""

        def answer(_: Any, response: Any) -> Any:
            response.success, response.message = callback()
            return response

        return node.create_service(self.type, self.name, answer)


SAFETY_STOP = Service('safety/stop', 'operator stop: latched until resumed')
SAFETY_RESUME = Service('safety/resume', 'operator resume: a fresh request may drive again')
SET_UPRIGHT = Service('robot/set_upright', 'a person sets the robot on its feet (counted)')
CHECKPOINT = Service('learner/checkpoint', 'save now')
SERVICES = (SAFETY_STOP, SAFETY_RESUME, SET_UPRIGHT, CHECKPOINT)
