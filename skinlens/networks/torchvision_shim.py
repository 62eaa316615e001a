"""Torchvision shim: timm and grad-cam beside a CPU build of torch. Import this module before either.

The torchvision wheel that PyPI serves beside a CPU torch is a CUDA build whose extension does not load there, and
``import torchvision`` then stops with ``operator torchvision::nms does not exist``, because it registers fake kernels
for two operators that the extension would have declared. Declaring their schemas is enough: nothing here calls them.
Where the extension does load, it has declared them first, torch refuses the second declaration, and all is well.
"""

import torch

_library = torch.library.Library("torchvision", "FRAGMENT")
for _schema in (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
):
    try:
        _library.define(_schema)
    except RuntimeError:
        continue
