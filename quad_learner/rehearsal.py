"""Before a learned policy drives a robot it must have walked in simulation.

One episode, cut short, in the simulated robot with the run's own parameters, through the same
safety, without exploring. A fall or a trip speaks against it. The same policy is not rehearsed
twice (`experience.rehearsed`). Neither torch nor, to go by a verdict that is there, a simulator is
needed.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from quad_learner.configuration import ConfigurationError, build, read_values
from quad_learner.experience import rehearsed
from quad_learner.experience.rehearsed import Verdict
from quad_learner.experience.run_directory import RunDirectory
from quad_learner.policy.onnx_policy import OnnxPolicy, PolicyError
from quad_learner.resources import config_directory
from quad_learner.safety.modes import Reason
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import Kind

if TYPE_CHECKING:
    from quad_learner.evaluation import Performance

SECONDS = 5.0
"""[s] of walking: a dozen strides. Policies that throw themselves over do so within one or two"""
WORLD = 1000
"""seed of the world, as of `quad-learner evaluate`: the same policy gets the same verdict"""
NO_SIMULATOR = (
    'it has not walked in simulation, and there is no simulator here (pybullet cannot be imported)'
)


def rehearse(run: RunDirectory, kind: Kind, learner: Kind) -> Verdict:
    """Lets a policy walk in simulation, and returns what came of it.

    Args:
        run: whose policy it is.
        kind: the task.
        learner: the task that the policy is named after.

    Raises:
        ImportError: there is no simulator.
        ConfigurationError: the parameters cannot be used.
    """
    from quad_learner.evaluation import Performance, configs_of_run

    policy, parameters = rehearsed.fingerprint(run, learner)
    path = run.require_policy(learner.suffix)
    configs = configs_of_run(run, seed=WORLD, workspace_m=[0.0, 0.0])
    performance = Performance(configs, kind=kind)
    try:
        performance.connect(OnnxPolicy(path.read_bytes()))
        objection, walked_s, speed_m_s = _walk(performance)
    except PolicyError as error:
        objection, walked_s, speed_m_s = str(error), 0.0, 0.0
    finally:
        performance.close()
    return Verdict(policy, parameters, objection, walked_s, speed_m_s)


def _walk(performance: Performance) -> tuple[str, float, float]:
    """Returns what speaks against the policy, for how long it walked [s], and how fast [m/s]."""
    graph = performance.graph
    began_ns: list[int] = []

    def note(step: int) -> None:
        if step == 0:
            began_ns.append(graph.sample.time_ns)

    score = performance.episode(note, SECONDS)
    if score is None:
        return 'the simulated robot did not get up, so that it could not walk', 0.0, 0.0
    walked_s = score.steps / performance.robot.policy_hz
    stops = [reasons for time_ns, reasons in graph.trips if time_ns >= began_ns[0]]
    speed = score.bout.way / walked_s
    if score.fell:
        return f'it fell after {walked_s:.2f} s in simulation', walked_s, speed
    if stops:
        why = ', '.join(str(reason.name) for reason in Reason if reason & stops[0])
        return f'safety stopped it after {walked_s:.2f} s in simulation: {why}', walked_s, speed
    return '', walked_s, speed


def verdicts(run: RunDirectory) -> Iterator[tuple[Kind, Verdict | None]]:
    """Yields each task that has a policy with its verdict; None: it cannot be rehearsed here.

    Verdicts that are not there yet are made and, where the folder can be written, kept.

    Raises:
        ConfigurationError: the parameters cannot be used.
    """
    for kind, learner in taught_by(run).items():
        if not run.policy_of(learner.suffix).is_file():
            continue
        verdict = rehearsed.kept(run, kind, learner)
        if verdict is None:
            try:
                verdict = rehearse(run, kind, learner)
            except ImportError:
                yield kind, None
                continue
            _keep(run, kind, verdict)
        yield kind, verdict


def _keep(run: RunDirectory, kind: Kind, verdict: Verdict) -> None:
    """Keeps a verdict; where that cannot be written the next one who asks rehearses anew."""
    with contextlib.suppress(OSError):
        rehearsed.keep(run, kind, verdict)


def taught_by(run: RunDirectory) -> dict[Kind, Kind]:
    """Returns each task of a run, with the one that its policy is named after.

    Raises:
        ConfigurationError: the parameters of the run are wrong.
    """
    names = {field.name for field in dataclasses.fields(TaskConfig)}
    path = run.parameters / 'policy.yaml'
    values = {**read_values(config_directory() / 'task.yaml'), **read_values(path)}
    own = {name: value for name, value in values.items() if name in names}
    return build(TaskConfig, own, str(path)).taught_by()


def words(kind: Kind, verdict: Verdict | None) -> str:
    """Returns one line for whoever asked."""
    if verdict is None:
        return f'{kind.name}: {NO_SIMULATOR}'
    if verdict.objection:
        return f'{kind.name}: {verdict.objection}'
    speed = f', at {kind.along * verdict.speed_m_s:.2f} m/s' if kind.along else ''
    return (
        f'{kind.name}: walked {verdict.walked_s:.1f} s in simulation without fall or trip{speed}'
    )


def admit(run: RunDirectory, although: bool) -> tuple[str, ...]:
    """Lets policies that walked in simulation drive a robot; returns a line for each.

    Args:
        run: whose policies are to drive.
        although: a person takes it on: what speaks against them is said, and they drive.

    Raises:
        ConfigurationError: one has not walked in simulation; reason and way out are said.
    """
    told = []
    for kind, verdict in verdicts(run):
        told.append(words(kind, verdict))
        if although or (verdict is not None and not verdict.objection):
            continue
        out = (
            'learn on, or look at it with quad-learner evaluate'
            if verdict is not None
            else f'where there is one, call quad-learner rehearse {run.path}, and bring the '
            'rehearsal*.json that it writes into the run'
        )
        raise ConfigurationError(
            f'{run.path} must not drive a robot: {told[-1]}. Way out: {out}; or take it on '
            'yourself: --unrehearsed (drive.launch.py: unrehearsed:=true)'
        )
    return tuple(told)
