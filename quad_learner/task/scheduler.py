"""Which task comes next: the one whose motion leads back to the centre (Ha et al. 2020).

In the body's frame each task leads somewhere: ahead, back, or to the side that it turns towards.
The task taken is one that leads within 45° of the direction of the centre, so that four tasks have
a quadrant each. Among several, and near the centre, where every direction is as good, it is the
one that has waited longest; the order given breaks ties. Out of bounds the robot first faces the
centre, or turns its back on it. One that waits too long is taken as soon as there is room for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from quad_learner.task.kinds import Kind
from quad_learner.task.workspace import SLACK_M, Place, Workspace

NEAR_M = 0.25
"""[m] so close to the centre its direction says nothing: a body's length"""
ROOM_M = 0.4
"""[m] so far inside the inner edge any task may be tried: what 1 s of walking takes"""
STRIDE_M = 0.3
"""[m] what half a second of walking takes"""
EDGE_M = 2.0 * SLACK_M
"""[m] so far out an episode still counts as begun within: where those before it ended"""
SECTOR = math.cos(math.pi / 4.0) - 1e-9
"""cosine between a task's direction and the centre's from which on it leads there"""
HOMING = math.cos(math.pi / 8.0)
"""the same for walking in from out of bounds, where there is no room for detours"""


class Scheduler:
    """Remembers how long each task has waited; it knows nothing but what it is told."""

    def __init__(self, kinds: Sequence[Kind], workspace: Workspace, patience: int) -> None:
        """Args:
        kinds: the tasks.
        workspace: where to stay.
        patience: episodes that a task may wait while there is room for it.
        """
        self._kinds = tuple(kinds)
        self._workspace = workspace
        self._patience = patience
        # The first comes first.
        self._waited = [len(self._kinds) - index for index in range(len(self._kinds))]
        self._last: Kind | None = None

    def next(self, place: Place) -> Kind:
        """Returns the task of the episode that begins at `place`."""
        candidates = self._candidates(place)
        waited = {kind: n for kind, n in self._counted() if kind in candidates}
        return max(waited, key=lambda kind: waited[kind])

    def begun(self, begun: Kind) -> None:
        """Takes note of an episode of the task `begun`."""
        self._waited = [0 if kind is begun else n + 1 for kind, n in self._counted()]
        self._last = begun

    def _counted(self) -> list[tuple[Kind, int]]:
        return list(zip(self._kinds, self._waited, strict=True))

    def _candidates(self, place: Place) -> Sequence[Kind]:
        excursion = self._workspace.excursion(place)
        starved = [
            kind
            for kind, waited in self._counted()
            if waited > self._patience and self._may_try(kind, place, excursion)
        ]
        if starved:
            return starved
        if place.distance < NEAR_M or math.isinf(excursion):
            return self._kinds
        if excursion > 0.0:
            return self._homing(place)
        return self._leading(self._kinds, place, SECTOR)

    def _may_try(self, kind: Kind, place: Place, excursion: float) -> bool:
        if excursion > EDGE_M:
            return False
        # A turn needs no room, and at the edge is where episodes of walking end.
        return kind.turn != 0.0 or excursion < -ROOM_M or self._leads_in(kind, place)

    def _leads_in(self, kind: Kind, place: Place) -> bool:
        """Tells whether half a second of walking is not further out; beside a wall that is more
        than a direction towards the centre."""
        after = place.after(Place(kind.along * STRIDE_M, 0.0, 0.0))
        return self._workspace.excursion(after) <= self._workspace.excursion(place)

    def _homing(self, place: Place) -> Sequence[Kind]:
        walking = [kind for kind in self._kinds if kind.turn == 0.0]
        turning = [kind for kind in self._kinds if kind.turn != 0.0]
        # A turn that is not learned yet gets the robot nowhere: every other time it walks.
        turned = self._last is not None and self._last.turn != 0.0
        inward = [
            kind
            for kind in walking
            if lead(kind, place) >= HOMING or (turned and self._leads_in(kind, place))
        ]
        if inward or not turning:
            return self._leading(inward or walking, place, HOMING)
        return self._leading(turning, place, SECTOR)

    def _leading(self, kinds: Sequence[Kind], place: Place, least: float) -> Sequence[Kind]:
        leads = {kind: lead(kind, place) for kind in kinds}
        best = max(leads.values())
        return [kind for kind, value in leads.items() if value >= min(least, best)]


def lead(kind: Kind, place: Place) -> float:
    """Returns the cosine between where `kind` leads from `place` and the centre, −1 … 1."""
    if kind.leads is None:
        return 1.0
    ahead, left = place.centre
    return kind.leads[0] * ahead + kind.leads[1] * left


def faces(place: Place) -> bool:
    """Tells whether a robot at `place` has the centre straight ahead or straight behind it."""
    return abs(place.centre[0]) >= HOMING
