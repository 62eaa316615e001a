"""Predict and explain one photo, and write the map over it: ``python examples/explain_one_photo.py photo.jpg map.png``.

Without a photo the drawn lesion is used. Research and education software: not a medical device.
"""

import sys
from pathlib import Path

from PIL import Image

from skinlens import pipeline
from skinlens.explain import explain
from skinlens.explain.overlay import overlay
from skinlens.labels import LABELS


def main(photo: Path | None, out: Path) -> None:
    model = pipeline.load_classifier()
    analysis = pipeline.analyze_file(photo, model) if photo else pipeline.example(model)
    for label, prob in sorted(zip(LABELS, analysis.prediction.probs, strict=True), key=lambda pair: -pair[1]):
        print(f"{prob:6.1%}  {label.name}")
    if not analysis.quality.reliable:
        print("Unreliable: the photo is unlike those that the model was trained on.")
    explanation = explain("grad_cam", model, analysis.photo, analysis.prediction.top.code)
    Image.fromarray(overlay(analysis.photo, explanation.heatmap, model.engine.spec)).save(out)
    print(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 2 else None, Path(sys.argv[-1]) if len(sys.argv) > 1 else Path("map.png"))
