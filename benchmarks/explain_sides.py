"""The two sides of ``explain_cost``; and, run as a script, one cold start: ``SIDE WEIGHTS PHOTO``."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Nothing is imported here that a side would not import, for it would count in its cold start.

DRAWN = "drawn lesion of seed "
LIME_SAMPLES = 1000


class SkinLens:
    """The served model: ONNX Runtime, numpy, Pillow."""

    def __init__(self, weights: str) -> None:
        from skinlens.inference.classifier import load_classifier

        self.classifier = load_classifier(Path(weights))

    def predict(self, photo: Any) -> Any:
        return self.classifier.predict(photo)

    def probs(self, batch: Any) -> Any:
        return self.classifier.probs(batch)

    def default(self, method: Any, photo: Any, label: str) -> Any:
        from skinlens.explain import explain

        return explain(method, self.classifier, photo, label)

    def same(self, method: Any, photo: Any, label: str) -> Any:
        from skinlens.explain import ALL, explain

        if method == "lime":
            return self._same_lime(photo, label)
        return explain(method, self.classifier, photo, label, params={"stopping": ALL} if method == "score_cam" else {})

    def _same_lime(self, photo: Any, label: str) -> Any:
        from skinlens.explain.lime import fit_surrogate, kernel_weights, random_masks, score_masks, target_score
        from skinlens.imaging.preprocess import model_view
        from skinlens.records import Target

        spec = self.classifier.engine.spec
        view = model_view(photo, spec)
        regions = quickshift(view)
        rows = random_masks(LIME_SAMPLES, int(regions.max()) + 1, 0)
        score = target_score(self.classifier, Target(label), "probability")
        scores = score_masks(view, regions, rows, spec, score, lambda _: None)
        return fit_surrogate(rows, scores, kernel_weights(rows))


class Stock:
    """The float student in torch, and the libraries as they come."""

    def __init__(self, weights: str) -> None:
        import skinlens.networks.torchvision_shim  # noqa: F401  (before timm and grad-cam: see there)

        # isort: split
        import timm  # noqa: F401  (what a script that builds the network imports)
        import torch
        from lime.lime_image import LimeImageExplainer
        from pytorch_grad_cam import GradCAM, ScoreCAM

        from skinlens.inference.release import load_manifest
        from skinlens.networks.student import load_released

        class Logits(torch.nn.Module):
            """Photos in, logits out, as the libraries want a model."""

            def __init__(self, student: torch.nn.Module) -> None:
                super().__init__()
                self.student = student

            def forward(self, batch: torch.Tensor) -> torch.Tensor:
                logits: torch.Tensor = self.student(batch).logits
                return logits

        manifest = load_manifest(Path(weights))
        student = load_released(manifest)
        self.spec, self.temperature = manifest.input_spec, manifest.temperature
        self.model = Logits(student).eval()
        self.layer = student.fused
        self.cams: Mapping[str, Any] = {"grad_cam": GradCAM, "score_cam": ScoreCAM}
        self.explainer = LimeImageExplainer
        self.torch = torch

    def predict(self, photo: Any) -> Any:
        from skinlens.imaging.preprocess import to_batch

        return self.probs(to_batch([photo], self.spec))

    def probs(self, batch: Any) -> Any:
        with self.torch.no_grad():
            logits = self.model(self.torch.from_numpy(batch))
            return self.torch.softmax(logits / self.temperature, dim=1).numpy()

    def explain(self, method: str, photo: Any, label: str) -> Any:
        from skinlens.imaging.preprocess import model_view, normalize, to_batch
        from skinlens.labels import INDEX

        if method == "lime":
            return self.explainer(random_state=0).explain_instance(
                model_view(photo, self.spec),
                lambda views: self.probs(normalize(views, self.spec)),
                labels=[INDEX[label]],
                top_labels=None,
                num_samples=LIME_SAMPLES,
            )
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        with self.cams[method](model=self.model, target_layers=[self.layer]) as cam:
            return cam(self.torch.from_numpy(to_batch([photo], self.spec)), [ClassifierOutputTarget(INDEX[label])])


SIDES = {"stock": Stock, "skinlens": SkinLens}


def quickshift(view: Any) -> Any:
    """Lime's superpixels of a view, as the library calls for them."""
    from skimage.segmentation import quickshift as segment

    return segment(view, kernel_size=4, max_dist=200, ratio=0.2, rng=0)


def read(name: str) -> Any:
    """The photo of a file, or the drawn one of a seed."""
    from skinlens.imaging.intake import photo_from_pixels, read_photo

    if name.startswith(DRAWN):
        from skinlens.imaging.synthetic import draw_synthetic_lesion

        return photo_from_pixels(draw_synthetic_lesion(int(name.removeprefix(DRAWN))), "PNG")
    return read_photo(Path(name).read_bytes())


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024)  # bytes there, KiB elsewhere


def cold_start(side: str, weights: str, name: str) -> dict[str, float]:
    """Imports, load, one prediction; the wall time is the parent's to take."""
    SIDES[side](weights).predict(read(name))
    return {"cpu_ms": time.process_time() * 1000, "memory_mb": peak_mb()}


if __name__ == "__main__":
    found = cold_start(*sys.argv[1:])
    import json

    print(json.dumps(found), flush=True)
