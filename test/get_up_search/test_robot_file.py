"""Claims about roll-overs written into a robot file: they are read as they were found."""

from __future__ import annotations

import pytest
import yaml

from quad_learner.configuration import ConfigurationError
from quad_learner.get_up_search.robot_file import with_blocks
from quad_learner.resources import config_directory
from quad_learner.robot.names import robots

FRAMES = [
    {'seconds': 0.4, 'right': [0.0, 1.5, -2.0], 'left': [0.25, -1.5, 2.0]},
    {'seconds': 0.35, 'right': [0.5, 1.5, -2.0], 'left': [0.25, 0.5, 2.0]},
]


@pytest.mark.parametrize('name', robots())
@pytest.mark.parametrize('entry', ['from_side', 'from_back', 'rise_again'])
def test_one_entry_changes_and_nothing_else_comments_included(name: str, entry: str) -> None:
    text = (config_directory() / 'robots' / f'{name}.yaml').read_text()
    new = with_blocks(text, {entry: FRAMES})
    content, changed = yaml.safe_load(text), yaml.safe_load(new)
    assert changed['reset'].pop(entry) == FRAMES
    content['reset'].pop(entry, None)
    assert changed == content
    gone = {line for line in text.splitlines() if line not in new.splitlines()}
    assert all(line.lstrip().startswith((f'{entry}:', '- {seconds')) for line in gone), gone


def test_both_can_be_added_where_there_were_none() -> None:
    text = 'name: x\nreset:  # how\n    fold: [0.0]\n    right_feet: [a]\n\n# next\nheight: 1\n'
    new = with_blocks(text, {'from_side': FRAMES, 'from_back': FRAMES})
    assert yaml.safe_load(new) == {
        'name': 'x',
        'reset': {'fold': [0.0], 'right_feet': ['a'], 'from_side': FRAMES, 'from_back': FRAMES},
        'height': 1,
    }
    assert '# how' in new and '\n# next\n' in new


@pytest.mark.parametrize('text', ['name: x\n', 'name: x\nreset: {fold: [0.0]}\n', '- reset\n'])
def test_a_file_with_no_place_for_them_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match='section reset'):
        with_blocks(text, {'from_side': FRAMES})
