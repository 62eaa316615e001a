"""Artifact sensitivity: change of the melanoma probability under drawn ink, ruler, hair, dark corners, gel bubbles.

Networks have learned such things in the place of the lesion: surgical ink raised the melanoma scores of benign nevi
(Winkler et al., "Association Between Surgical Skin Markings in Dermoscopic Images and Diagnostic Performance of a Deep
Learning Convolutional Neural Network for Melanoma Recognition", 2019), rulers did so too (Winkler et al., "Association
between different scale bars in dermoscopic images and diagnostic performance of a market-approved deep learning
convolutional neural network for melanoma recognition", 2021), and Bissoto et al., "Debiasing Skin Lesion Datasets and
Models? Not So Fast", 2020, list dark corners, hair, gel and ruler marks among the artefacts of the common data sets.

Each is drawn over the photo, ``REPEATS`` times in different places by the photo's own seed, and the model is asked
again. The drawings are plain: they show which way the model is pulled, not by how much a real ruler would pull it. What
they cover is gone from the picture, so part of a change may be that of the skin beneath.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from skinlens.checks.contract import Found, PhotoCheck, Subject
from skinlens.explain import seed_of
from skinlens.formatting import percent
from skinlens.imaging.artifacts import RENDERER_VERSION, TITLES, Artifact, with_artifact
from skinlens.imaging.preprocess import model_view, normalize
from skinlens.labels import INDEX, MELANOMA
from skinlens.records import CheckResult, Progress

REPEATS = 3
"""How much the place matters shows in three; each costs as much as a prediction."""
SLIGHT = 0.01
"""Mean change of the probability below which it is called slight."""


class ArtifactCheck(PhotoCheck):
    kind = "artefacts"
    title = "Sensitivity to artifacts"
    question = "Do ink, a ruler, hair, dark corners or gel bubbles change the result?"
    help = f"""
Each thing is drawn over the photo {REPEATS} times in different places, and the model reads each picture again. The bar
is the mean change of the probability of melanoma; the thin line goes from the smallest to the largest change.

Such things say nothing about the lesion, so the bars should be short. Where one is long, look whether the photo itself
shows that thing, and take it again without if you can. The drawings are plain: they show which way the model is pulled,
not by how much a real ruler or real hair would pull it.
"""
    button = "Try ink, ruler, hair, dark corners and bubbles"
    hint = "Each is drawn over the photo, and the change of the probability of melanoma is measured. It takes seconds."
    label = MELANOMA
    in_line = True

    def measure(self, subject: Subject, progress: Progress) -> Found:
        """The mean change of each is -1 to 1: above 0 towards melanoma; near 0 is best."""
        classifier, photo = subject.classifier, subject.photo
        spec, seed = classifier.engine.spec, seed_of(photo)
        names = get_args(Artifact)
        wanted = [(name, number) for name in names for number in range(REPEATS)]
        views = [model_view(photo, spec)]
        for done, (name, number) in enumerate(wanted):
            progress(done / len(wanted))
            views.append(model_view(with_artifact(photo, name, number, seed, spec), spec))
        prob, *drawn = classifier.probs(normalize(np.stack(views), spec))[:, INDEX[MELANOMA]].astype(float).tolist()
        tried = {name: drawn[place * REPEATS : (place + 1) * REPEATS] for place, name in enumerate(names)}
        figures = {
            "prob": prob,
            "threshold": classifier.melanoma_threshold.value,
            "effects": [
                {"artifact": name, "probs": probs, "change": float(np.mean(probs)) - prob}
                for name, probs in tried.items()
            ],
        }
        return Found(figures, {"draws": REPEATS, "drawing": RENDERER_VERSION}, seed)

    def summary(self, result: CheckResult) -> str:
        """The largest mean change, and the artifacts that moved the probability over the threshold."""
        before, threshold = result.figures["prob"], result.figures["threshold"]
        effects: Sequence[Mapping[str, Any]] = result.figures["effects"]
        most = max(effects, key=lambda effect: abs(effect["change"]))
        if abs(most["change"]) < SLIGHT:
            first = (
                f"None of them changes the probability of melanoma ({percent(before)}) by a percentage point on "
                "average."
            )
        else:
            first = (
                f"The probability of melanoma changes most with {TITLES[most['artifact']].lower()}: from "
                f"{percent(before)} to {percent(before + most['change'])} on average."
            )
        over = over_the_cutoff(result)
        now, then = ("at or above", "below") if before >= threshold else ("below", "to or above")
        second = f"It stays {now} the cut-off of {percent(threshold)} with all."
        if over:
            second = f"It comes {then} the cut-off of {percent(threshold)} with: {', '.join(over)}."
        return f"{first} {second}"

    def claim(self, results: Sequence[CheckResult]) -> str:
        if over := over_the_cutoff(results[-1]):
            return f"Melanoma crosses the cut-off with drawn {', '.join(over)}"
        return "No drawn artifact (hair, ink …) moves melanoma across the cut-off"


def over_the_cutoff(check: CheckResult) -> list[str]:
    """Artifacts that moved the probability of melanoma across its cut-off in at least one drawing, in words."""
    before, threshold = check.figures["prob"], check.figures["threshold"]
    return [
        TITLES[effect["artifact"]].lower()
        for effect in check.figures["effects"]
        if any((prob >= threshold) != (before >= threshold) for prob in effect["probs"])
    ]
