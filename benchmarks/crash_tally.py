"""What is counted in `crash`: trials of one kind, and what was wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tally:
    """What was tried of one kind and what came of it."""

    expected: int
    executed: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """Counts a trial; an empty problem is none."""
        self.executed += 1
        if problem:
            self.problems.append(problem)
