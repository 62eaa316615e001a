"""Grad-CAM at the fused map, of the int8 model that predicted.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017: with A_k the
channels of the map and y the logit of the class,

    α_k = mean over places of ∂y/∂A_k        (equation 1)
    map = ReLU(Σ_k α_k A_k)                  (equation 2)

For one class against another, y is the difference of their logits, and so α_k that of their weights. Only the float
head lies behind the fused map, so ∂y/∂A_k has a closed form and the quantized network needs no gradient.
"""

import numpy as np
from jaxtyping import Float32

from skinlens.explain.attribution import Attribution, enlarge
from skinlens.inference.engine import Engine
from skinlens.records import Array, Batch, Target


def grad_cam(engine: Engine, batch: Batch, target: Target) -> Attribution:
    """Grad-CAM: where the fused map raises the logit of the target's class, or its lead over the other, to first order.

    ``batch`` holds the one photo. ``peak`` is the largest value of equation 2, in logits per place of the coarse map.
    """
    fused = engine.features(batch)
    return weighted(fused[0], engine.head.channel_gradient(fused, target.logit_weights), engine.spec.size_px)


def weighted(maps: Float32[Array, "c g g"], alpha: Float32[Array, " c"], size_px: int) -> Attribution:
    """Equation 2, at the size of the network's input."""
    grid = np.maximum(np.einsum("k,khw->hw", alpha, maps), 0)
    peak = float(grid.max())
    return Attribution(enlarge(grid, size_px), {"peak": peak, "empty": float(peak == 0)})
