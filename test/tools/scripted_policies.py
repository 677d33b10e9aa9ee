"""Policies made by hand, linear in what they see and sure of what they want."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from quad_learner.robot.model import RobotModel
from quad_learner.task.config import TaskConfig
from quad_learner.task.observation import layout_of, seen_columns

Array = NDArray[np.float64]

HARD = 20.0
"""so steep that a joint that moves at all pushes with all its box"""


def standing(robot: RobotModel, task: TaskConfig) -> Array:
    """Returns the weights of a policy that leaves its legs to the rhythm, (observed, joints)."""
    return np.zeros((len(seen_columns(layout_of(robot, task), task)), len(robot.joints)))


def shaking(robot: RobotModel, task: TaskConfig) -> Array:
    """Returns those of one that pushes each joint on in the way that it moves: it falls soon."""
    weight, place = standing(robot, task), layout_of(robot, task)
    moves = np.isin(seen_columns(place, task), np.r_[place.joint_velocity])
    weight[moves] = HARD * np.eye(len(robot.joints))
    return weight


def linear(weight: Array) -> bytes:
    """Returns a model whose mean before squashing is linear: `weight`, (observed, joints)."""
    observed, joints = weight.shape
    constants = {
        'weight': weight.astype(np.float32),
        'nothing': np.zeros((observed, joints), np.float32),
        'zero': np.zeros(joints, np.float32),
        'sure': np.full(joints, -5.0, np.float32),
    }
    nodes = [
        helper.make_node('Gemm', ['observation', 'weight', 'zero'], ['mean_raw']),
        helper.make_node('Gemm', ['observation', 'nothing', 'sure'], ['log_std']),
    ]
    seen, *ends = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])
        for name, size in (('observation', observed), ('mean_raw', joints), ('log_std', joints))
    )
    kept = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, 'scripted', [seen], ends, kept)
    opset = [helper.make_opsetid('', 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
