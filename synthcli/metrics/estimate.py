"""Estimate: a number with its interval, its reference and its direction; and how intervals are made.

No metric returns a bare float. What cannot be measured is an estimate too, with a sentence that says why: a gate must
tell "not measured" from "good".
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil, isfinite, sqrt
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:  # who only reads estimates out of a report needs no library
    import numpy as np
    import numpy.typing as npt

Direction = Literal["higher", "lower", "target"]
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (x, y) of a curve that a value was read from, and whose it is; for pictures."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """One measured quantity, of the whole table or of the columns that it names.

    Attributes
    ----------
    value, low, high
        The estimate and its 95 % interval; all ``None`` unless ``status`` is ``measured``.
    n
        Number of synthetic rows (accuracy, diversity, privacy) or holdout rows (utility) behind the value.
    p_value
        One-sided, where the metric comes with a test against its reference.
    reference, reference_kind, reference_se
        What a perfect generator would score, how that was found, and its standard error.
    floor, gap_se
        What a generator that learned nothing of the kind would score, and the standard error of reference - floor.
    direction
        ``higher`` or ``lower`` is better, or the reference itself is the ``target``.
    range
        Smallest and largest possible value; ``None`` for an end that is open.
    detail
        One sentence: what was counted, or why nothing could be.
    columns
        The columns that it is about: none for a table's own estimate, one, or a pair.
    seed
        The seed behind every random choice of the measurement.
    curves
        What a picture of it shows, where there is one.
    """

    name: str
    family: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    direction: Direction
    range: tuple[float | None, float | None]
    p_value: float | None = None
    reference: float | None = None
    reference_kind: str | None = None
    reference_se: float | None = None
    floor: float | None = None
    gap_se: float | None = None
    status: Literal["measured", "not_measured"] = "measured"
    detail: str = ""
    columns: tuple[str, ...] = ()
    seed: int | None = None
    curves: tuple[Curve, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a measured estimate that is not finite: NaN would compare false and slip through gates."""
        numbers = [self.value, self.low, self.high] if self.status == "measured" else []
        optional = [self.p_value, self.reference, self.reference_se, self.floor, self.gap_se]
        numbers += [number for number in optional if number is not None]
        if not all(number is not None and isfinite(number) for number in numbers):
            raise ValueError(f"{self.name}: a measured estimate needs finite numbers")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        curves = [{"name": curve.name, "x": list(curve.x), "y": list(curve.y)} for curve in self.curves]
        return {**asdict(self), "range": list(self.range), "columns": list(self.columns), "curves": curves}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Estimate:
        """Rebuild an estimate from :meth:`to_dict`'s output."""
        curves = tuple(Curve(curve["name"], tuple(curve["x"]), tuple(curve["y"])) for curve in data.get("curves", ()))
        return cls(**{**data, "range": tuple(data["range"]), "columns": tuple(data["columns"]), "curves": curves})


class Interval(NamedTuple):
    """A closed interval at the 95 % level."""

    low: float
    high: float


def not_measured(
    name: str, family: str, reason: str, *, n: int = 0, direction: Direction = "higher", columns: tuple[str, ...] = ()
) -> Estimate:
    """Return the estimate of something that cannot be measured here, with the reason."""
    nothing = (None, None, None)
    return Estimate(
        name, family, *nothing, n, direction, (None, None), status="not_measured", detail=reason, columns=columns
    )


def normal_quantile(level: float) -> float:
    """Return the standard normal distribution's quantile at ``level``."""
    from scipy.special import ndtri

    return float(ndtri(level))


def normal_tail(z: float) -> float:
    """Return the chance of a standard normal value above ``z``."""
    from scipy.special import ndtr

    return float(ndtr(-z))


def student_quantile(level: float, freedom: float) -> float:
    """Return the quantile at ``level`` of Student's t with ``freedom`` (> 0) degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, level))


def wilson_interval(successes: float, trials: float) -> Interval:
    """Return the score interval of a proportion, good also at 0 and 1 (Wilson 1927, doi:10.2307/2276774)."""
    z = normal_quantile(0.5 + LEVEL / 2)
    share, z2n = successes / trials, z * z / trials
    centre = (share + z2n / 2) / (1 + z2n)
    half = z * sqrt(share * (1 - share) / trials + z2n / (4 * trials)) / (1 + z2n)
    low = max(0.0, centre - half) if successes else 0.0  # exact ends, which rounding would miss by 1e-20
    high = min(1.0, centre + half) if successes < trials else 1.0
    return Interval(low, high)


def share_half_width(rows: int) -> float:
    """Return the half-width of a share's 95 % interval from ``rows`` rows, at worst (a share of one half)."""
    return normal_quantile(0.5 + LEVEL / 2) * 0.5 / sqrt(rows)


def rows_for_half_width(half: float) -> int:
    """Return the smallest number of rows from which a share's 95 % interval is at most ± ``half`` at worst."""
    return ceil((normal_quantile(0.5 + LEVEL / 2) * 0.5 / half) ** 2)


def normal_interval(value: float, se: float, bounds: tuple[float, float]) -> Interval:
    """Return value ± 1.96 standard errors, cut to ``bounds``."""
    half = normal_quantile(0.5 + LEVEL / 2) * se
    return Interval(max(bounds[0], value - half), min(bounds[1], value + half))


def jackknife_se(left_out: npt.NDArray[np.float64]) -> float:
    """Return the standard error from G estimates that each leave one of G random groups of rows out.

    sqrt((G - 1)/G Σ (θ_g - mean θ)²), the delete-a-group jackknife (Kott 2001, J. Official Statistics 17:521).
    Groups may be taken from two independent samples at once: the parts of both variances add up.
    """
    groups = len(left_out)
    spread = left_out - left_out.mean()
    return sqrt((groups - 1) / groups * float(spread @ spread))


def jackknife_interval(value: float, left_out: npt.NDArray[np.float64], bounds: tuple[float, float]) -> Interval:
    """Return value ± t(G - 1) standard errors, cut to ``bounds``; all of ``bounds`` with fewer than 2 groups."""
    if len(left_out) < 2:
        return Interval(*bounds)
    half = student_quantile(0.5 + LEVEL / 2, len(left_out) - 1) * jackknife_se(left_out)
    return Interval(max(bounds[0], value - half), min(bounds[1], value + half))
