"""Out-of-distribution detection: Mahalanobis distance of pooled features from those of the training photos."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from skinlens.records import Array


@dataclass(frozen=True, eq=False)
class MahalanobisOOD:
    """Mahalanobis distance of pooled features from those of the training photos: the center and spread of its pooled
    features.
    """

    mean: Float32[Array, " c"]
    whitening: Float32[Array, "c c"]
    """Turns a difference from the mean into independent parts of variance 1."""
    limit: float
    """Distances up to here are those of photos like the training photos."""

    def distance(self, pooled: Float32[Array, " c"]) -> float:
        """Mahalanobis distance from the training photos over √c: about 1 is typical, larger is stranger.

        Lee et al., "A simple unified framework for detecting out-of-distribution samples", NeurIPS 2018, eq. 2, with
        one center for all classes.
        """
        parts = self.whitening.astype(np.float64) @ (pooled.astype(np.float64) - self.mean)
        return float(np.sqrt(np.mean(parts**2)))


def fit_ood(
    features: Float32[Array, "n c"], held_out: Float32[Array, "m c"], pass_share: float = 0.98
) -> MahalanobisOOD:
    """Center and spread from the training photos' features; the limit lets ``pass_share`` of the held-out ones pass.

    Each feature is scaled to variance 1, then the covariance is shrunk as in Ledoit and Wolf, "A well-conditioned
    estimator for large-dimensional covariance matrices" (2004). A feature that (almost) never moves in training is
    given a hundredth of the median deviation, so that a photo which moves it is strange, and not infinitely so.
    """
    wide = features.astype(np.float64)
    mean = wide.mean(axis=0)
    deviation = wide.std(axis=0)
    deviation = np.maximum(deviation, max(0.01 * float(np.median(deviation)), 1e-6))
    covariance = shrunk_covariance((wide - mean) / deviation)
    whitening = np.linalg.inv(np.linalg.cholesky(covariance)) / deviation
    fitted = MahalanobisOOD(mean.astype(np.float32), whitening.astype(np.float32), np.inf)
    distances = [fitted.distance(row) for row in held_out]
    limit = float(np.quantile(distances, pass_share, method="higher"))
    return MahalanobisOOD(fitted.mean, fitted.whitening, limit)


def shrunk_covariance(centered: Array) -> Array:
    """Ledoit and Wolf's covariance of centered rows: a mixture with a multiple of the identity, weighted by noise."""
    count, width = centered.shape
    sample = centered.T @ centered / count
    target = np.trace(sample) / width * np.eye(width)
    spread = float(((sample - target) ** 2).sum())
    noise = float((((centered**2).sum(axis=1) ** 2).mean() - (sample**2).sum()) / count)
    weight = min(max(noise, 0.0), spread) / spread if spread > 0 else 1.0
    shrunk: Array = weight * target + (1 - weight) * sample
    return shrunk
