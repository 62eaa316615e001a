"""Sessions that explain at the same time never mix: bit for bit, each gets what it gets alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skinlens.explain import METHODS, explain
from skinlens.labels import CODES

PARAMS = {"grad_cam": {}, "score_cam": {"channels": 20}, "lime": {"samples": 50, "segments": 20}}


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_threads_on_one_classifier_do_not_mix(precision, classifier, int8_classifier, photos):
    shared = classifier if precision == "float32" else int8_classifier

    def journey(session):
        return [
            explain(method, shared, photos[session], CODES[session + 3], params=PARAMS[method]).heatmap
            for method in METHODS
            for _ in range(2)
        ]

    alone = [journey(session) for session in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(journey, range(4)))
    for expected, found in zip(alone, together, strict=True):
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len({heatmap.tobytes() for heatmaps in alone for heatmap in heatmaps}) == 4 * len(METHODS), (
        "the maps must differ"
    )
