"""Pictures of a gait: lets a policy drive the simulated robot and films it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from quad_learner.evaluation import Performance, Score
from quad_learner.simulation import camera

WIDTH, HEIGHT = 320, 240
"""[pixels] small enough to mail, large enough to see the feet"""
FRAME_HZ = 20
"""pictures a second: a divisor of every policy rate in use"""
SECONDS = 6.0
"""[s] of walking shown: some ten strides"""


def film(performance: Performance, path: Path, seconds: float = SECONDS) -> Score | None:
    """Runs an episode and writes a GIF of its first `seconds` [s].

    Returns:
        What came of the episode; None when the robot could not be brought to its feet.
    """
    every = max(1, round(performance.robot.policy_hz / FRAME_HZ))
    frames: list[Image.Image] = []

    def look(step: int) -> None:
        if step % every == 0 and step < seconds * performance.robot.policy_hz:
            picture = camera.render(performance.graph.sim, WIDTH, HEIGHT)
            frames.append(Image.fromarray(picture))

    score = performance.episode(on_step=look)
    if frames:
        frames[0].save(
            path,
            save_all=True,
            append_images=frames[1:],
            duration=round(1000.0 * every / performance.robot.policy_hz),
            loop=0,
        )
    return score
