"""What was measured beside what was aimed at, as one table."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

UNITS = {"×": ".2f", "/s": ",.0f", "s": ".2f", "ms": ".1f", "MB": ".0f", "each": ".1f"}


@dataclass(frozen=True, slots=True)
class Figure:
    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def aim(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:,g} {self.unit}"
        return "" if self.at_most is None else f"≤ {self.at_most:,g} {self.unit}"

    @property
    def met(self) -> bool | None:
        """None: nothing was aimed at."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most

    def __str__(self) -> str:
        return f"{self.value:{UNITS[self.unit]}} {self.unit}"


def table(figures: Sequence[Figure]) -> str:
    """Markdown, ratios first: they carry over to other machines."""
    marks = {None: "", True: "yes", False: "**no**"}
    rows = [
        f"| {one.what} | {one.aim} | {one} | {marks[one.met]} |"
        for one in sorted(figures, key=lambda one: one.unit != "×")
    ]
    return "\n".join(["| what | aim | figure | met? |", "|---|---|---|---|", *rows])


def percentile(values: Iterable[float], percent: int) -> float:
    """The value that so many of a hundred are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def ratio(pairs: Iterable[tuple[float, float]]) -> float:
    """The median of what the second comes to beside the first, repeat by repeat."""
    return statistics.median(second / first for first, second in pairs)
