"""Decides the mode and who drives, from what the monitors found and what the drivers ask for.

A driver asks with request k > 0. It is granted once, if k is higher than every request of that
driver granted or made void before, and nothing speaks against it; it lasts while the driver's
targets keep saying k. A stop makes every request void that it finds, so only a new one can end it.
The first request heard from a driver is void too: it may be left over from before this process.
"""

from __future__ import annotations

from quad_learner.robot.signals import NANOSECONDS
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.safety.monitors import ODD, Monitors, nanoseconds
from quad_learner.safety.state import Course, SafetyInputs, View

GENTLE = Reason.TARGET_STALE | Reason.TARGET_INVALID | Reason.STEP_LATE
GENTLE |= Reason.ESTIMATE_STALE | Reason.ESTIMATE_UNHEALTHY | Reason.FENCE
GENTLE |= Reason.OVER_TEMPERATURE | Reason.LOW_BATTERY
"""Causes that leave the sensors good and nobody in danger: the legs may be let go softly."""
FORGOTTEN_NS = NANOSECONDS
"""a driver whose numbers are lower than those spent for so long began anew, or never said these"""


class Arbiter:
    """Grants and ends sessions. Pure after construction."""

    def __init__(self, config: SafetyConfig, monitors: Monitors) -> None:
        """Stores."""
        self._config = config
        self._monitors = monitors
        self._hold_ns = nanoseconds(config.hold_time_s)

    def next(self, course: Course, view: View, stiff: bool) -> Course:
        """Returns the course after this step.

        Args:
            course: the one before.
            view: what this step has to go by.
            stiff: the last command held at least one joint in place.
        """
        inputs = view.inputs
        resumed = inputs.operator_resume and not course.resume_held
        course = _heard(course, view)
        course = course._replace(refused=Reason.NONE, resume_held=inputs.operator_resume)
        if inputs.operator_stop:
            return _latched(course, view, Reason.OPERATOR)
        if course.mode is Mode.LATCHED_STOP:
            return self._unlatched(course, view, resumed)
        if course.mode is Mode.INIT:
            return self._started(course, view)
        before = course.mode
        if before is Mode.SOFT_STOP:
            course = self._stopped(course, view)
        else:
            course = self._watched(course, view, stiff)
        # One change a step: whoever follows the commands sees each stop and each release.
        return self._granted(course, view) if course.mode is before else course

    def _started(self, course: Course, view: View) -> Course:
        if view.sight.body:
            return course._replace(refused=view.sight.body)
        return course._replace(mode=Mode.STANDBY, since_ns=view.now_ns)

    def _unlatched(self, course: Course, view: View, resumed: bool) -> Course:
        course = _void(course, view.inputs)
        if not resumed or not self._is_clear(view.watch.body_bad_ns, view.now_ns):
            return course._replace(refused=view.sight.body)
        return course._replace(
            mode=Mode.STANDBY, cause=Reason.NOT_ARMED, since_ns=view.now_ns, odd_trips=()
        )

    def _stopped(self, course: Course, view: View) -> Course:
        """Follows a stop that goes on: notes new causes, lets go, latches what does not end."""
        odd_ns, longest_ns = view.watch.odd_since_ns, nanoseconds(self._config.latch_after_s)
        if odd_ns is not None and view.now_ns - odd_ns > longest_ns:
            return _latched(course, view, view.sight.body)
        holding = (
            course.holding
            and view.now_ns - course.since_ns < self._hold_ns
            and view.sight.upright
            and not view.sight.body & ~GENTLE
        )
        return course._replace(cause=course.cause | view.sight.body, holding=holding)

    def _watched(self, course: Course, view: View, stiff: bool) -> Course:
        """Ends a session, or the holding of a pose, when there is a cause or it is given back."""
        causes = view.sight.body
        released = False
        if course.mode is Mode.ACTIVE:
            target, _ = view.inputs.target_of(course.authority)
            released = target is not None and target.request != course.request
            if not released:
                causes |= self._monitors.target(view, course.authority)
            if course.authority is Authority.POLICY and view.sight.drive:
                causes |= view.sight.drive
        elif course.holding:
            causes |= view.sight.drive & Reason.TILT
        if causes:
            return self._tripped(course, view, causes, stiff)
        if not released:
            return course
        holding = stiff and view.sight.upright
        return course.ended(Mode.STANDBY, Reason.RELEASED, view.now_ns, holding)

    def _tripped(self, course: Course, view: View, causes: Reason, stiff: bool) -> Course:
        if causes & ODD:
            recent = view.now_ns - nanoseconds(self._config.latch_window_s)
            trips = (*(time for time in course.odd_trips if time > recent), view.now_ns)
            course = course._replace(odd_trips=trips)
            if len(trips) >= self._config.latch_trips:
                return _latched(course, view, causes)
        holding = stiff and not causes & ~GENTLE and view.sight.upright and self._hold_ns > 0
        return _void(course, view.inputs).ended(Mode.SOFT_STOP, causes, view.now_ns, holding)

    def _granted(self, course: Course, view: View) -> Course:
        """Lets a driver begin whose fresh request nothing speaks against; reset goes first."""
        if course.authority is Authority.POLICY:
            return course
        refused = Reason.NONE
        for source in (Authority.RESET, Authority.POLICY):
            target, _ = view.inputs.target_of(source)
            spent = course.spent[source] or 0
            if source is course.authority or target is None or target.request <= spent:
                continue
            against = self._against(course, view, source)
            if not against:
                return self._begun(course, source, target.request, view.now_ns)
            refused |= against | Reason.NOT_ARMED
        return course if course.mode is Mode.ACTIVE else course._replace(refused=refused)

    def _against(self, course: Course, view: View, source: Authority) -> Reason:
        """Returns what speaks against granting the target of `source` now; NONE: nothing."""
        against = view.sight.body | self._monitors.target(view, source)
        watch, now_ns = view.watch, view.now_ns
        ready = self._is_clear(watch.body_bad_ns, now_ns)
        if course.mode is Mode.SOFT_STOP and course.rearmed_ns is not None:
            rearm_ns = nanoseconds(self._config.rearm_interval_s)
            ready = ready and now_ns - course.rearmed_ns >= rearm_ns
        if source is Authority.POLICY:
            against |= view.sight.drive
            ready = ready and self._is_clear(watch.drive_bad_ns, now_ns)
            ready = ready and watch.sample is not None and self._monitors.stands(watch.sample)
        return against if ready else against | Reason.NOT_ARMED

    def _begun(self, course: Course, source: Authority, request: int, now_ns: int) -> Course:
        if course.mode is Mode.SOFT_STOP:
            course = course._replace(rearmed_ns=now_ns)
        spent = (*course.spent[:source], request, *course.spent[source + 1 :])
        course = course._replace(authority=source, request=request, spent=spent, holding=False)
        return course._replace(mode=Mode.ACTIVE, cause=Reason.NONE, since_ns=now_ns)

    def _is_clear(self, bad_ns: int | None, now_ns: int) -> bool:
        return bad_ns is None or now_ns - bad_ns >= nanoseconds(self._config.clear_time_s)


def _heard(course: Course, view: View) -> Course:
    """Makes void the first request heard from each driver: it may be older than this process.

    The same where a driver has asked with lower numbers than those spent for a while. With 0 it
    asks for nothing.
    """
    spent, lower_ns = list(course.spent), list(course.lower_ns)
    for source in (Authority.POLICY, Authority.RESET):
        target, _ = view.inputs.target_of(source)
        last, since_ns = spent[source], lower_ns[source]
        if target is None or (last is not None and target.request <= 0):
            continue
        is_lower = last is not None and target.request < last
        since_ns = (view.now_ns if since_ns is None else since_ns) if is_lower else None
        lower_ns[source] = since_ns
        if last is None or (since_ns is not None and view.now_ns - since_ns > FORGOTTEN_NS):
            spent[source], lower_ns[source] = max(target.request, 0), None
    return course._replace(spent=tuple(spent), lower_ns=tuple(lower_ns))


def _void(course: Course, inputs: SafetyInputs) -> Course:
    """Makes void every request in sight."""
    spent = list(course.spent)
    for source in (Authority.POLICY, Authority.RESET):
        target, _ = inputs.target_of(source)
        if target is not None:
            spent[source] = max(spent[source] or 0, target.request)
    return course._replace(spent=tuple(spent))


def _latched(course: Course, view: View, cause: Reason) -> Course:
    if course.mode in (Mode.SOFT_STOP, Mode.LATCHED_STOP):
        cause |= course.cause
    since_ns = course.since_ns if course.mode is Mode.LATCHED_STOP else view.now_ns
    return _void(course, view.inputs).ended(Mode.LATCHED_STOP, cause, since_ns)
