"""SkinLens: a dermoscopic photo's journey from bytes to a report.

::

    bytes ─ imaging.intake ─ Photo ─ imaging.quality ─ QualityReport
                              └─ imaging.preprocess ─ inference.engine (int8) ─ inference.classifier ─ Prediction
                                                        ├─ explain ─ Explanation × 3 ─ checks ─ CheckResult
                                                        └─ segmentation ─ Outline ─ followup ─ Change
    pipeline ties them; store keeps the case; report prints it; ui and pages show it; cli is the command line.
    training trains the networks, quantization makes a release of one, evaluation measures it.

Research and education software. Not a medical device. Not for diagnosis or treatment decisions.
"""

import os

__version__ = "0.5.0"

# Every way into SkinLens imports this package first, so that what its dependencies would send or keep is switched off
# before they are loaded, whatever the environment says. Child processes inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime: a device id in the user's folder, and reports to its maker
os.environ["HF_HUB_OFFLINE"] = "1"  # timm's way to weights on a hub; ours come with the release or from a package
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["DO_NOT_TRACK"] = "1"
