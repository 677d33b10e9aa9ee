"""The states of the get-up, in the words that people read."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """What the get-up is doing."""

    WAIT = 'waits for its turn to drive'
    LIMP = 'lets a fall come to rest'
    FOLD = 'tucks the legs'
    FREE = 'frees legs that are caught'
    ROLL = 'rolls over'
    STAND = 'rises to the stance'
    VERIFY = 'looks whether it stands'
    LIE_DOWN = 'tucks the legs to lie down'
    REST = 'rests until motors are cool and the battery is charged'
    READY = 'stands, and holds the stance until the policy takes over'
    GIVE_UP = 'needs help: it could not get up; set it on its feet'
