"""Bundle metadata: the released model in the keys of a MONAI bundle's ``metadata.json``, written beside the manifest.

For tools that list models. SkinLens itself reads the manifest alone, and the bundle is not run by MONAI: so there is no
``monai_version``. Source of the keys: https://docs.monai.io/en/stable/mb_specification.html.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from skinlens.formatting import grouped
from skinlens.labels import BY_CODE

METADATA = "metadata.json"
_USE = (
    "Research on and teaching of dermoscopic image classification and its explanation. Research and education "
    "software: not a medical device, not for diagnosis or treatment decisions."
)
_REFERENCES = (
    "Tschandl, Rosendahl, Kittler: The HAM10000 dataset, a large collection of multi-source dermatoscopic images of "
    "common pigmented skin lesions. Scientific Data 5, 180161 (2018)",
)


def bundle_metadata(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata from the content of a manifest; figures are those on ``val`` that the export measured."""
    spec, labels, versions = manifest["input"], manifest["labels"], manifest["versions"]
    side, figures = spec["size_px"], manifest["parity"]["int8"]
    return {
        "version": manifest["version"],
        "changelog": {manifest["version"]: manifest.get("note") or "Released."},
        "pytorch_version": versions["torch"],
        "numpy_version": versions.get("numpy", np.__version__),
        "required_packages_version": {"onnxruntime": versions["onnxruntime"], "skinlens": versions["skinlens"]},
        "task": "Classification of pigmented skin lesions on dermoscopic photos",
        "description": f"{manifest['name']}: {grouped(manifest['parameters'])} parameters, int8 features and a float32 "
        "head",
        "authors": "The SkinLens authors",
        "copyright": "CC BY-NC 4.0",
        "data_source": ", ".join(
            [manifest["data"]["name"], *(source["name"] for source in manifest["data"].get("sources", ()))]
        ),
        "data_type": "jpeg, png, tiff, webp, heic",
        "image_classes": "RGB dermoscopic photo of one lesion",
        "label_classes": f"one of {', '.join(labels)}",
        "pred_classes": f"calibrated probabilities of {', '.join(labels)}; they sum to 1",
        "eval_metrics": {name: value for name, value in figures.items() if isinstance(value, int | float)},
        "intended_use": _USE,
        "references": list(_REFERENCES),
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "RGB",
                    "num_channels": 3,
                    "spatial_shape": [side, side],
                    "dtype": "float32",
                    "value_range": [(level - spec["mean"][0]) / spec["std"][0] for level in (0, 1)],
                    "is_patch_data": False,
                    "channel_def": {"0": "red", "1": "green", "2": "blue"},
                }
            },
            "outputs": {
                "pred": {
                    "type": "probabilities",
                    "format": "classes",
                    "num_channels": len(labels),
                    "spatial_shape": [1, 1],
                    "dtype": "float32",
                    "value_range": [0, 1],
                    "is_patch_data": False,
                    "channel_def": {str(place): BY_CODE[code].name for place, code in enumerate(labels)},
                }
            },
        },
    }
