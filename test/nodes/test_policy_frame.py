from __future__ import annotations

from typing import Any

import pytest

from quad_learner.nodes.policy import PolicyNode
from quad_learner.ros import topics
from quad_learner.ros.messages import place_to
from quad_learner.task.workspace import Place


@pytest.mark.parametrize('frame, taken', [('', True), ('world', True), ('workspace', False)])
def test_a_pose_in_another_frame_is_not_taken_where_one_is_named(
    bench: Any, frame: str, taken: bool
) -> None:
    bench.start(PolicyNode, 'policy', pose_frame=frame)
    poses = bench.node._poses
    bench.say(topics.EXTERNAL_POSE, place_to(0, Place(0.1, 0.0, 0.0)))  # says 'world'
    bench.until(lambda: poses.refused or len(poses), 'the pose')
    assert len(poses) == taken
    said = "external pose: in frame 'world', pose_frame is 'workspace'"
    assert poses.refused == ('' if taken else said)
