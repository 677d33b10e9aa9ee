"""Writes roll-overs as a robot file has them, and into one: all other lines stay as they are."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from quad_learner.configuration import ConfigurationError
from quad_learner.get_up_search.space import Frames

INDENT = '  '
"""of the entries of a section, where nothing is there to go by"""


def block(name: str, frames: Frames, indent: str = INDENT) -> list[str]:
    """Returns the lines of one roll-over, without their ends."""
    lines = [f'{indent}{name}:']
    for frame in frames:
        right, left = (_listed(frame[side]) for side in ('right', 'left'))
        seconds = f'{frame["seconds"]:.2f}'
        lines.append(f'{indent}  - {{seconds: {seconds}, right: {right}, left: {left}}}')
    return lines


def with_blocks(text: str, motions: Mapping[str, Frames]) -> str:
    """Returns the text of a robot file with roll-overs of its section `reset` replaced, or added.

    Comments beside the poses that go, go; all others stay.

    Raises:
        ConfigurationError: the section is not there, or written within braces.
    """
    for name, frames in motions.items():
        lines, section = text.splitlines(), _section(text)
        entries = {key.value: (key, value) for key, value in section.value}
        first_key = section.value[0][0]
        indent = ' ' * first_key.start_mark.column
        if name in entries:
            key, value = entries[name]
            start, end = key.start_mark.line, _last_line(value) + 1
        else:
            start = end = _last_line(section) + 1
        lines[start:end] = block(name, frames, indent)
        text = '\n'.join(lines) + '\n'
    return text


def _listed(angles: list[float]) -> str:
    return f'[{", ".join(f"{angle:.2f}" for angle in angles)}]'


def _section(text: str) -> yaml.MappingNode:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    section = next((value for key, value in pairs if key.value == 'reset'), None)
    if not isinstance(section, yaml.MappingNode) or section.flow_style or not section.value:
        raise ConfigurationError(
            'the robot file has no section reset with one entry a line to write roll-overs into; '
            'write it so, with fold and right_feet (docs/new_robot.md, "Getting up")'
        )
    return section


def _last_line(node: yaml.Node) -> int:
    """Returns the number of the last line of a node, comments behind it left out."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.line)
