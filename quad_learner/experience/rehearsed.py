"""What a policy's rehearsal in simulation said, kept beside the policy.

The verdict goes where the run goes, so that a robot's computer without a simulator can go by it.
It holds for one file of a policy and one set of parameters, by their hashes: after either has
changed there is none.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from quad_learner.experience.durable import write_atomically
from quad_learner.experience.run_directory import RunDirectory
from quad_learner.task.kinds import Kind


@dataclass(frozen=True)
class Verdict:
    """How one policy did at one task."""

    policy: str
    """SHA-256 of its file"""
    parameters: str
    """SHA-256 of the run's parameter files"""
    objection: str
    """why it must not drive a robot; empty: it may"""
    walked_s: float
    """[s] until it fell, tripped or was told to stop"""
    speed_m_s: float
    """way made good along its first heading, over that time"""


def fingerprint(run: RunDirectory, learner: Kind) -> tuple[str, str]:
    """Returns the SHA-256 of a policy's file, and of the parameters that it was learned with.

    Args:
        run: whose they are.
        learner: the task that the policy is named after.

    Raises:
        OSError: one of the files cannot be read.
    """
    parameters = hashlib.sha256()
    for path in sorted(run.parameters.rglob('*.yaml')):
        parameters.update(f'{path.relative_to(run.parameters)}\n'.encode() + path.read_bytes())
    policy = hashlib.sha256(run.policy_of(learner.suffix).read_bytes())
    return policy.hexdigest(), parameters.hexdigest()


def kept(run: RunDirectory, kind: Kind, learner: Kind) -> Verdict | None:
    """Returns the verdict that holds for the policy as it is now; None: there is none.

    Args:
        run: whose policy it is.
        kind: the task.
        learner: the task that the policy is named after.
    """
    try:
        verdict = _of(json.loads(run.rehearsal_of(kind.suffix).read_text()))
        is_meant = fingerprint(run, learner) == (verdict.policy, verdict.parameters)
    except (OSError, ValueError):
        return None
    return verdict if is_meant else None


def keep(run: RunDirectory, kind: Kind, verdict: Verdict) -> Path:
    """Writes a verdict beside its policy; returns where.

    Raises:
        OSError: it cannot be written; one that was there still is.
    """
    path = run.rehearsal_of(kind.suffix)
    write_atomically(path, json.dumps(asdict(verdict), indent=2) + '\n')
    return path


def _of(content: Any) -> Verdict:
    """Returns what was written.

    Raises:
        ValueError: it is no verdict.
    """
    names = {
        field.name: {'str': str, 'float': float}[str(field.type)] for field in fields(Verdict)
    }
    if not isinstance(content, dict) or set(content) != set(names):
        raise ValueError(f'a verdict holds {", ".join(names)}')
    if any(type(content[name]) is not kind for name, kind in names.items()):
        raise ValueError('a verdict holds texts and numbers')
    return Verdict(**content)
