from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quad_learner.configuration import ConfigurationError, build
from quad_learner.graph import GraphConfig


def graph(**changed: Any) -> GraphConfig:
    values = {
        'robot': 'a1',
        'gear': 'lockstep',
        'seed': 3,
        'run_directory': '',
        'minutes': 10.0,
        'robot_id': '',
        'open_to_network': False,
        'real_time_priority': 30,
        'elapsed_s': 0.0,
    }
    return build(GraphConfig, values | changed, 'test')


def draws(config: GraphConfig, part: str) -> list[float]:
    return config.generator(part).standard_normal(8).tolist()


def test_the_same_seed_and_part_draw_the_same_numbers() -> None:
    assert draws(graph(), 'simulation') == draws(graph(), 'simulation')


@pytest.mark.parametrize('changed', [{'seed': 4}, {'elapsed_s': 12.5}])
def test_another_seed_or_a_resumed_run_draws_others(changed: dict[str, Any]) -> None:
    assert draws(graph(**changed), 'simulation') != draws(graph(), 'simulation')


def test_two_parts_of_one_run_are_not_alike() -> None:
    one = graph().generator('simulation').standard_normal(4000)
    two = graph().generator('exploration').standard_normal(4000)
    assert abs(float(np.corrcoef(one, two)[0, 1])) < 0.06  # four deviations of chance


def test_the_gear_decides_whether_the_world_waits() -> None:
    assert graph(gear='lockstep').lockstep
    assert not graph(gear='real_time').lockstep


def test_another_gear_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="gear = 'third' is not one of lockstep"):
        graph(gear='third')
