"""A ROS context of this process alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter


@pytest.fixture
def node() -> Iterator[Callable[..., Node]]:
    """Returns a function that makes a node started with parameters; all end with the test."""
    context = rclpy.Context()
    rclpy.init(context=context)
    made: list[Node] = []

    def make(**parameters: Any) -> Node:
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        made.append(Node('kettle', context=context, parameter_overrides=overrides))
        return made[-1]

    yield make
    for one in made:
        one.destroy_node()
    context.try_shutdown()
