"""How long a run takes: an estimate beforehand, and what is left once it goes.

The figures are measured (docs/performance.md) as processor seconds on one core of the machine there. Before a
run they are scaled by a short trial of this machine; in a run by the pace of the stages that are done.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

START_S = 1.2
"""Python, libraries and the process that decodes, before the first stage."""

STAGES: dict[str, tuple[float, float]] = {
    "finding panels": (3.0, 0.0),
    "reading": (0.05, 0.02),
    "aligning": (2.7, 0.06),
    "resampling": (0.0, 0.18),
    "measuring change": (0.0, 0.33),
    "finding change": (3.0, 0.32),
    "testing itself": (3.4, 0.03),
    "counting ordinary change": (4.5, 0.35),
    "writing the report": (4.8, 0.07),
}
"""Stage to its seconds, and further seconds for each megapixel of the working grid."""

DECODERS_S_PER_MPX = 0.05
"""Of the child processes that decode, both images."""
TRIAL_NUMBERS, TRIALS = 100_000, 5
ERROR_SHARE = 0.3
"""How far off the estimate was: .71 to 1.19 of the truth on seven pairs of .9 to 17 megapixels."""
TRIAL_S = 0.0059
"""What one trial takes on the machine of the figures."""


def stages(selftest: bool, older: int = 0, composite: bool = False) -> tuple[str, ...]:
    """The stages of a run in their order; `older` is the number of baselines."""
    return (
        *(("finding panels",) if composite else ()),
        *("reading", "aligning", "measuring change", "finding change"),
        *(("testing itself",) if selftest else ()),
        *("counting ordinary change",) * older,
        "writing the report",
    )


def expected_s(megapixels: float, stages: tuple[str, ...]) -> float:
    """Processor seconds of all processes together, on the machine where the figures were measured.

    Parameters
    ----------
    megapixels : float
        Of the working grid.
    stages : tuple of str
        Of `STAGES`; one that comes twice counts twice.
    """
    own = sum(fixed + each * megapixels for fixed, each in (STAGES[stage] for stage in stages))
    return START_S + own + DECODERS_S_PER_MPX * megapixels


def slowness() -> float:
    """How many times longer than the machine of the figures this one takes, by a trial of 30 ms."""
    import numpy as np  # not above: a line of progress is shown before it is loaded

    numbers = np.random.default_rng(0).random(TRIAL_NUMBERS, np.float32)
    room, spent = np.empty_like(numbers), []  # made once: to be given memory takes very unequal times
    for _ in range(TRIALS):
        began = time.thread_time()
        np.copyto(room, numbers)
        room.sort(kind="stable")
        np.exp(room, out=room)
        np.cumsum(room, out=room)
        spent.append(time.thread_time() - began)
    return max(min(spent), 1e-4) / TRIAL_S


LEAST_SLOWNESS = 0.05
"""No machine is so much faster than that of the figures."""


@dataclass
class Watch:
    """What a run has reported so far, and what follows for the rest; times in seconds of one clock."""

    began: float
    ahead: tuple[str, ...] = ()
    """Stages that are expected, in their order; without them only a stage's own share is known."""
    stage: str = ""
    share: float = 0.0
    """Done of the stage, 0..1."""
    _stage_began: float = 0.0
    _spent: dict[str, float] = field(default_factory=dict)
    """Of the stages that are done."""
    _megapixels: float | None = None

    def heard(self, stage: str, share: float, now: float) -> None:
        """Take note of a report."""
        if stage != self.stage:
            if self.stage:
                self._spent[self.stage] = self._spent.get(self.stage, 0.0) + now - self._stage_began
            self.stage, self._stage_began = stage, now
        self.share = min(max(share, 0.0), 1.0)
        fixed, each = STAGES.get(stage, (1.0, 0.0))
        if fixed == 0 and self.share > 0 and self._known():
            self._megapixels = self._size((now - self._stage_began) / self.share / each)

    def spent_s(self, now: float) -> float:
        """Since the beginning."""
        return now - self.began

    def left_s(self, now: float) -> float | None:
        """Until the end, by the pace so far; None while too little is known.

        How large the scene is shows in the first stage whose time grows with it alone: before that there is
        no answer.
        """
        if self.stage not in self.ahead or self._megapixels is None:
            return None
        factor = self._factor()
        later = self.ahead[len(self.ahead) - self.ahead[::-1].index(self.stage) :]
        here = self._reference(self.stage, self._megapixels) * factor - (now - self._stage_began)
        whole = sum(self._reference(stage, self._megapixels) for stage in dict.fromkeys(later))
        return max(here, 0.0) + factor * whole

    def _known(self) -> list[str]:
        """Stages that are done and expected."""
        return [stage for stage in self._spent if stage in self.ahead]

    def _size(self, slow_megapixels: float) -> float:
        """Megapixels, of these times how much slower this machine is: the stages done tell the two apart."""
        done = self._known()
        fixed, each = (sum(STAGES[stage][k] for stage in done) for k in (0, 1))
        spent = sum(self._spent[stage] for stage in done)
        slowness_ = (spent - each * slow_megapixels) / fixed if fixed > 0 else 1.0
        return slow_megapixels / max(slowness_, LEAST_SLOWNESS)

    def _factor(self) -> float:
        """Measured over reference, of the stages that are done."""
        done = self._known()
        wanted = sum(self._reference(stage, self._megapixels or 0.0) for stage in done)
        return sum(self._spent[stage] for stage in done) / wanted if wanted > 0 else 1.0

    def _reference(self, stage: str, megapixels: float) -> float:
        """Seconds of a stage, as often as it is expected: it is reported as one."""
        fixed, each = STAGES[stage]
        return self.ahead.count(stage) * (fixed + each * megapixels)
