"""Similar cases from a photo on: its features by the installed model, those of stored photos made up for."""

from contextlib import suppress

from skinlens.case_record import Analysis
from skinlens.errors import CaseNotFound, StoreError
from skinlens.inference.classifier import Classifier
from skinlens.records import Progress
from skinlens.store.cases import CaseStore
from skinlens.store.features import SimilarCase, SimilarQuery


def find_similar(
    store: CaseStore,
    classifier: Classifier,
    analysis: Analysis,
    *,
    patient_id: int | None = None,
    lesion_id: int | None = None,
    count: int = 6,
    confirmed_only: bool = True,
) -> tuple[SimilarCase, ...]:
    """The stored cases whose photos are most like this one to the installed model, the most similar first.

    Of other lesions than ``lesion_id``, one of each; each says whether it is of ``patient_id``. Only those are found
    whose features this model made: see ``fill_features``. None for an unreliable photo, whose features say nothing.
    Raises StoreError.
    """
    if not analysis.quality.reliable:
        return ()
    model = classifier.engine.model_ref.sha256
    features = analysis.features
    if features is None or analysis.prediction.model.sha256 != model:
        features = classifier.features(analysis.photo)
    return store.similar_cases(SimilarQuery(features, model, patient_id, lesion_id, count, confirmed_only))


def fill_features(
    store: CaseStore, classifier: Classifier, *, most: int = 1000, progress: Progress | None = None
) -> int:
    """Compute the installed model's features of up to ``most`` stored photos that lack them; how many were kept.

    For the background, after a start and after a new model: about as long as a prediction for each. A photo that cannot
    be read is passed over. The first search after it is quick. Raises StoreError, Cancelled.
    """
    model, count = classifier.engine.model_ref.sha256, 0
    lacking = store.visits_without_features(model, most=most)
    for done, visit_id in enumerate(lacking):
        if progress is not None:
            progress(done / len(lacking))
        with suppress(StoreError, CaseNotFound):
            store.keep_features(visit_id, model, classifier.features(store.photo(visit_id)))
            count += 1
    store.load_features(model, len(classifier.engine.head.hidden_bias))
    return count
