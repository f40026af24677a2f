"""The smooth local field: what a global map leaves, as a penalised B-spline [1]_.

How stiff the field should be is not known beforehand, and a choice between stiffnesses (or between a field
and none) flips with a few points. So all are fitted, each is judged by the points left out of it, and the
fields are averaged with exponential weights [2]_: a field is taken as far as the evidence for it goes.

The penalty is the inverse covariance of a Gaussian process with a squared exponential kernel, written as a
sum over differences of all orders up to the fourth: between tie points the field is as smooth as its length
allows, and far from them it goes to zero instead of running on.

References
----------
.. [1] Eilers and Marx, "Flexible smoothing with B-splines and penalties", Statistical Science 11(2), 1996.
       :DOI:`10.1214/ss/1038425655`
.. [2] Leung and Barron, "Information theory and mixing least-squares regressions", IEEE Trans. Information
       Theory 52(8), 2006. :DOI:`10.1109/TIT.2006.878172`
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import align_fit
from .types import FloatArray, LocalField

PIECES = 8
"""Pieces of the spline along the longer side."""
STIFFNESSES = (
    (0.4, 2.0),
    (0.4, 0.5),
    (0.2, 0.5),
    (0.28, 0.15),
    (0.2, 0.15),
    (0.28, 0.05),
    (0.2, 0.05),
    (0.14, 0.05),
)
"""(length over which the field bends, as a share of the longer side; noise of a tie point of weight 1 over
the field's own size, which is about 1 px)."""
ORDERS = 4
TEMPERATURE = 6.0
"""Points whose whole residual a field must take away to be e times as credible: more than one, since
windows overlap and neighbours err together."""
TRUNCATED_PX = 3.0
"""A residual counts at most this: what lies further is a mismatch, whatever the model."""
REACHES = (9.0, 7.0, 5.0, 4.0, 4.0)
"""Radius of the robust weights, step by step; the last ones shrink to the points' own spread."""


@dataclass(frozen=True)
class Field:
    """A smooth displacement over a grid of `shape`."""

    coefficients: FloatArray
    """(columns of `design`, 2)."""
    shape: tuple[int, int]
    limit: FloatArray
    """(2,) largest displacement in each direction that the points themselves show."""

    def at(self, rc: FloatArray) -> FloatArray:
        """(N, 2) displacement at (N, 2) places."""
        return np.clip(design(rc, self.shape) @ self.coefficients, -self.limit, self.limit)

    def sampled(self, size: float) -> LocalField:
        """`size` times the same on nodes, quick to look up."""
        spacing = max(8.0, max(self.shape) / 128)
        rows, cols = (np.arange(0, math.ceil(n / spacing) + 1) * spacing for n in self.shape)
        nodes = np.stack(np.meshgrid(rows, cols, indexing="ij"), -1).reshape(-1, 2)
        return LocalField(size * self.at(nodes).T.reshape(2, len(rows), len(cols)), spacing)


@dataclass(frozen=True)
class Blend:
    """The average of all fields, and what the points left out say of it."""

    field: Field
    without: tuple[Field, ...]
    """The same without each fold."""
    share: float
    """Weight of all fields against none, 0..1."""
    left_out_px: FloatArray
    """(N,) truncated residual of each point under the average fitted without it."""


def blend(
    p: FloatArray,
    left_rc: FloatArray,
    left_without_rc: FloatArray,
    weight: FloatArray,
    folds: npt.NDArray[np.int64],
    shape: tuple[int, int],
) -> Blend:
    """Average of fields of all stiffnesses, weighted by how well they foretell points left out.

    Parameters
    ----------
    p : (N, 2)
        Places on the grid.
    left_rc : (N, 2)
        What the global map leaves, px.
    left_without_rc : (F, N, 2)
        What it leaves when it was fitted without each fold.
    weight : (N,)
        Of each point.
    folds : (N,)
        0..F-1: which fold a point is left out with.
    shape : (rows, cols)
        Of the grid.
    """
    sample = _Sample(design(p, shape), left_rc, left_without_rc, weight, folds)
    fitted = [sample.fitted(penalty(shape, length) * noise**2) for length, noise in STIFFNESSES]
    own_fold = np.arange(len(p))
    none = left_without_rc[folds, own_fold]
    foretold = [none] + [none - each[1][folds, own_fold] for each in fitted]
    loss = np.array([np.minimum(np.hypot(*error.T), TRUNCATED_PX).mean() for error in foretold])
    credit = np.exp(-len(p) * (loss / max(loss.min(), 1e-6) - 1) / TEMPERATURE)
    credit /= credit.sum()
    whole = sum(c * each[0] for c, each in zip(credit[1:], fitted, strict=True))
    parts = sum(c * each[2] for c, each in zip(credit[1:], fitted, strict=True))
    limit = np.abs(left_rc[np.hypot(*left_rc.T) < 4 * TRUNCATED_PX]).max(0, initial=0.0)
    error = sum(c * e for c, e in zip(credit, foretold, strict=True))
    return Blend(
        Field(whole, shape, limit),
        tuple(Field(part, shape, limit) for part in parts),
        float(1 - credit[0]),
        np.minimum(np.hypot(*error.T), TRUNCATED_PX),
    )


@dataclass(frozen=True)
class _Sample:
    """What all fields are fitted to; see `blend`."""

    basis: FloatArray
    left_rc: FloatArray
    left_without_rc: FloatArray
    weight: FloatArray
    folds: npt.NDArray[np.int64]

    def fitted(self, stiff: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coefficients of one field; the same without each fold at all points, and their coefficients."""
        whole, robust = fit(self.basis, self.left_rc, self.weight, stiff)
        rest = [self.folds != k for k in range(len(self.left_without_rc))]
        parts = np.stack(
            [
                _solve(self.basis[kept], left[kept], robust[kept], stiff)
                for kept, left in zip(rest, self.left_without_rc, strict=True)
            ]
        )
        return whole, self.basis @ parts, parts


def fit(
    basis: FloatArray, left_rc: FloatArray, weight: FloatArray, stiff: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Coefficients of one field, re-weighted by Tukey's biweight, and the weights it ended with."""
    found: FloatArray = np.zeros((basis.shape[1], 2))
    robust: FloatArray = weight
    for widest in REACHES:
        left = np.hypot(*(left_rc - basis @ found).T)
        reach = align_fit.reach(left, widest) if widest == REACHES[-1] else widest
        robust = weight * np.maximum(0, 1 - (left / reach) ** 2) ** 2
        found = _solve(basis, left_rc, robust, stiff)
    return found, robust


def _solve(basis: FloatArray, left_rc: FloatArray, weight: FloatArray, stiff: FloatArray) -> FloatArray:
    weighted = basis * weight[:, None]
    return np.linalg.solve(basis.T @ weighted + stiff, weighted.T @ left_rc)


def design(rc: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """(N, K) row and column from the middle in half sides, then cubic B-splines of both, multiplied."""
    middle = (np.array(shape) - 1) / 2
    down, across = (_basis(rc[:, k], shape[k], n) for k, n in enumerate(_pieces(shape)))
    tensor = (down[:, :, None] * across[:, None, :]).reshape(len(rc), -1)
    return np.hstack([(rc - middle) / (max(shape) / 2), tensor])


def _pieces(shape: tuple[int, int]) -> tuple[int, int]:
    down, across = (int(np.clip(n / max(shape) * PIECES, 2, PIECES)) for n in shape)
    return down, across


@functools.lru_cache(maxsize=64)
def penalty(shape: tuple[int, int], length: float) -> FloatArray:
    """(K, K) inverse covariance of the coefficients of `design` for a field of about 1 px.

    `length` is a share of the longer side.
    """
    down, across = (_precision(n, shape[k] / n, length * max(shape)) for k, n in enumerate(_pieces(shape)))
    size = 2 + len(down) * len(across)
    stiff: FloatArray = np.eye(size)
    stiff[2:, 2:] = np.kron(down, across)
    return stiff


def _precision(pieces: int, step_px: float, length_px: float) -> FloatArray:
    """Inverse of a squared exponential kernel on spline coefficients: its power series in differences."""
    total = np.zeros((pieces + 3, pieces + 3))
    for order in range(ORDERS + 1):
        steps = np.eye(pieces + 3) if order == 0 else np.diff(np.eye(pieces + 3), order, axis=0)
        total += (length_px / step_px) ** (2 * order) / (2**order * math.factorial(order)) * steps.T @ steps
    return total * step_px / (math.sqrt(2 * math.pi) * length_px)


def _basis(position: FloatArray, length: int, pieces: int) -> FloatArray:
    """(N, pieces + 3) cubic B-splines on equal knots over 0..length."""
    at = np.clip(position, 0, length - 1e-6) * (pieces / length)
    piece = np.minimum(at.astype(int), pieces - 1)
    t = at - piece
    four = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 3 * (t + t**2 - t**3) + 1, t**3], 1) / 6
    basis = np.zeros((len(at), pieces + 3))
    basis[np.arange(len(at))[:, None], piece[:, None] + np.arange(4)] = four
    return basis
