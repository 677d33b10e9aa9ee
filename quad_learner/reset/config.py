"""The tunables of the get-up. Which joint angles it uses is a fact of the robot: see `motion`."""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.configuration import parameter

FULLEST = 1.0
"""charge of a full battery"""


@dataclass(frozen=True)
class ResetConfig:
    """When the robot stands, has fallen, rests or gives up, and how quickly it moves."""

    standing_tilt: float = parameter(
        'largest tilt of the body that counts as standing; raising it starts episodes more '
        'crooked',
        'rad',
        0.0,
        1.5,
    )
    standing_joint_error: float = parameter(
        'largest distance of a joint from its stance angle that counts as standing; raising it '
        'shortens resets and widens the poses that an episode starts from',
        'rad',
        0.0,
        1.5,
    )
    standing_joint_speed: float = parameter(
        'largest speed of a joint that counts as standing; raising it shortens resets',
        'rad/s',
        0.0,
        20.0,
    )
    standing_body_rate: float = parameter(
        'largest angular rate of the body that counts as standing; raising it shortens resets',
        'rad/s',
        0.0,
        10.0,
    )
    standing_feet_fraction: float = parameter(
        'smallest share of the feet on the ground that counts as standing, on robots that feel '
        'their feet; raising it refuses a robot that balances on a few feet or is held up',
        '',
        0.0,
        1.0,
    )
    standing_hold: float = parameter(
        'how long the robot must stand before it is ready; raising it makes each reset longer',
        's',
        0.0,
        5.0,
    )
    upright_tilt: float = parameter(
        'tilt of the body below which it stands up at once instead of rolling over; raising it '
        'makes it push off from steeper slants',
        'rad',
        0.1,
        1.5,
    )
    back_tilt: float = parameter(
        'tilt beyond which the body lies on its back rather than on a side; raising it uses the '
        'motion for sides more often',
        'rad',
        1.6,
        3.1,
    )
    near_stance: float = parameter(
        'largest distance of a joint from its stance angle at which an upright robot goes '
        'straight to its stance; beyond it the legs fold first; raising it drags splayed feet',
        'rad',
        0.0,
        3.0,
    )
    caught_error: float = parameter(
        'distance of a joint from where it was folded to at which the leg of an upright robot is '
        'caught on another, and is freed first; raising it takes fewer for caught',
        'rad',
        0.1,
        6.3,
    )
    rest_rate: float = parameter(
        'angular rate of the body below which a fall is over; raising it starts the get-up sooner',
        'rad/s',
        0.05,
        10.0,
    )
    limp_time: float = parameter(
        'longest wait for a fall to be over; raising it helps on slopes, and costs time',
        's',
        0.0,
        10.0,
    )
    move_speed: float = parameter(
        'speed of the joint that has furthest to go when the legs fold or return to the stance; '
        'raising it shortens resets and makes them rougher',
        'rad/s',
        0.1,
        30.0,
    )
    rise_speed: float = parameter(
        'the same while the legs lift the body from the ground; raising it shortens get-ups and '
        'makes the body jump',
        'rad/s',
        0.1,
        30.0,
    )
    blend_time: float = parameter(
        'shortest time for any such move; raising it makes resets between episodes gentler and '
        'longer',
        's',
        0.05,
        5.0,
    )
    settle_time: float = parameter(
        'longest wait after a roll-over for the body to come to rest, and after rising for it to '
        'stand; raising it forgives more wobble',
        's',
        0.05,
        10.0,
    )
    attempt_time: float = parameter(
        'longest time that one attempt may take before it looks afresh at how the robot lies; '
        'raising it lets a motion that is stuck push for longer',
        's',
        1.0,
        120.0,
    )
    round_time: float = parameter(
        'longest time of all attempts of a round; raising it wears the motors of a stuck robot',
        's',
        1.0,
        600.0,
    )
    round_work: float = parameter(
        'most work of the motors in a round, over the sum of their torque limits: so far all of '
        'them could turn at full torque; raising it wears the motors of a stuck robot',
        'rad',
        0.1,
        1000.0,
    )
    rounds: int = parameter(
        'times that it gives up, rests and tries again before it waits for a person; raising it '
        'wears the motors of a stuck robot',
        '',
        1,
        1000,
    )
    cool_down: float = parameter(
        'rest after giving up, before it tries again by itself; raising it spares the motors',
        's',
        0.0,
        3600.0,
    )
    upright_rest: float = parameter(
        'after giving up, how long the robot must be upright (somebody has set it on its feet) '
        'before it tries again without waiting for the cool-down',
        's',
        0.1,
        60.0,
    )
    rest_temperature_margin: float = parameter(
        'warmest motor so far below its limit: the robot lies down to rest; raising it rests '
        'sooner',
        '°C',
        0.0,
        60.0,
    )
    rest_cooling: float = parameter(
        'cooling of the motors before it goes on; raising it makes rests longer and fewer',
        '°C',
        0.0,
        60.0,
    )
    rest_charge: float = parameter(
        'charge of the battery, of full, below which the robot lies down to wait for more; '
        'raising it rests sooner',
        '',
        0.0,
        1.0,
    )
    rest_voltage: float = parameter(
        'voltage of the battery under load, as a share of the way from empty to full, below which '
        'it does so too; raising it rests sooner',
        '',
        0.0,
        0.5,
    )
    rest_charge_gain: float = parameter(
        'charge gained, of full, before it goes on; raising it asks for a longer charge',
        '',
        0.0,
        1.0,
    )
    rest_delay: float = parameter(
        'how long a tired robot stands before it lies down, for policy may want to take it home '
        'first; below some 0.3 s policy cannot',
        's',
        0.0,
        10.0,
    )
    request_grace: float = parameter(
        'how long a request to drive may stay unanswered before a fresh one is made; below the '
        'time that safety needs to answer, requests would void each other',
        's',
        0.05,
        60.0,
    )
    tick_max: float = parameter(
        'most time that one step counts; a longer gap between samples slows the motion down '
        'instead of making it jump',
        's',
        0.005,
        1.0,
    )

    def __post_init__(self) -> None:
        if self.upright_tilt >= self.back_tilt:
            raise ValueError(
                f'upright_tilt = {self.upright_tilt} rad must be below '
                f'back_tilt = {self.back_tilt} rad; lower the one or raise the other'
            )
        if self.standing_tilt > self.upright_tilt:
            raise ValueError(
                f'standing_tilt = {self.standing_tilt} rad must not exceed '
                f'upright_tilt = {self.upright_tilt} rad, or a standing robot would be rolled over'
            )
        if self.rest_charge + self.rest_charge_gain > FULLEST:
            raise ValueError(
                f'rest_charge = {self.rest_charge} and rest_charge_gain = {self.rest_charge_gain} '
                f'must come to {FULLEST} at most, or no battery is ever charged enough to go on; '
                'lower one of them'
            )
