"""Patient context: what age, sex and site change, from the regression to the second distribution."""

from dataclasses import replace

import numpy as np
import pytest

from skinlens.body_sites import REGIONS
from skinlens.errors import ParameterError
from skinlens.inference.patient_context import (
    FEATURES,
    ContextModel,
    PatientContext,
    context_model,
    context_of,
    features,
    region_of,
)
from skinlens.labels import CODES
from skinlens.training.context import fit_context, with_best_weight

MEL, NV = CODES.index("mel"), CODES.index("nv")
NOTHING = PatientContext()


@pytest.mark.parametrize(
    ("site", "region"),
    [
        ("back", "trunk"),
        ("Left forearm", "arm"),
        ("lower leg, left", "leg"),
        ("upper extremity", "arm"),
        ("SCALP", "head"),
        ("palm or sole", "hand or foot"),
        ("back of the hand", "hand or foot"),
        ("shoulder blade", "trunk"),
        ("moon", None),
        ("hand and leg", None),
    ],
)
def test_a_body_site_is_brought_to_its_region(site: str, region: str | None) -> None:
    assert region_of(site) == region


def test_what_is_given_is_checked_and_what_is_unknown_says_nothing() -> None:
    assert context_of(63, "female", "thigh") == PatientContext(63, "female", "leg")
    assert context_of(63, "female", "thigh").words == "age 63, female, leg"
    assert context_of(sex="other") == NOTHING
    assert not NOTHING.known
    for age_years in (-1, 121, float("nan")):
        with pytest.raises(ParameterError, match="Expected an age from 0 to 120 years"):
            context_of(age_years)
    with pytest.raises(ParameterError, match=r"Nothing is known of the body site 'moon'\. Choose one of: head, trunk"):
        context_of(site="moon")


def test_what_is_not_known_is_zero_in_all_of_its_columns() -> None:
    rows = features([NOTHING, PatientContext(70, "male", "leg")])
    assert rows[0].tolist() == [1, *[0] * (len(FEATURES) - 1)]
    named = dict(zip(FEATURES, rows[1], strict=True))
    given = {"intercept": 1, "age known": 1, "age": 1, "age squared": 1, "male": 1, "site: leg": 1}
    assert named == {**dict.fromkeys(FEATURES, 0), **given}


@pytest.fixture(scope="module")
def counted() -> tuple[list[PatientContext], np.ndarray]:
    """Lesions whose class hangs on sex and site: melanoma or nevus, and one of each other class."""
    rows = []
    for sex, site, melanomas, nevi in (
        ("female", "leg", 60, 40),
        ("male", "leg", 10, 90),
        ("female", "trunk", 20, 80),
        ("male", "trunk", 40, 60),
    ):
        rows += [(PatientContext(None, sex, site), MEL)] * melanomas + [(PatientContext(None, sex, site), NV)] * nevi
    contexts, labels = zip(*rows, strict=True)
    return list(contexts), np.array(labels)


def test_the_regression_tells_the_frequencies_of_a_table(counted: tuple[list[PatientContext], np.ndarray]) -> None:
    """Sex and site by themselves are what the counts say; the two together lie between, as no term joins them."""
    model = fit_context(*counted, "400 lesions")
    asked = [PatientContext(sex="female"), PatientContext(sex="male"), PatientContext(site="leg")]
    mel = np.exp(model.log_prior(asked))[:, MEL]
    np.testing.assert_allclose(mel, [80 / 200, 50 / 200, 70 / 200], atol=0.03)  # the penalty and the joint rows pull
    assert np.exp(model.log_prior(asked))[:, [MEL, NV]].sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-6)
    assert model.prior.sum() == pytest.approx(1)


def made(weight: float) -> ContextModel:
    coefficients = np.zeros((len(FEATURES), 7))
    coefficients[FEATURES.index("female"), MEL] = np.log(3)
    return ContextModel(coefficients, np.full(7, 1 / 7), weight, "drawn")


def test_the_second_distribution_is_bayes_rule_tempered_by_the_weight() -> None:
    probs = np.full((3, 7), 0.1)
    probs[:, NV] = 0.4
    contexts = [PatientContext(sex="female"), PatientContext(sex="male"), NOTHING]
    whole = made(1.0).adjusted(probs, contexts)
    expected = probs[0] * np.where(np.arange(7) == MEL, 3, 1)
    np.testing.assert_allclose(whole[0], expected / expected.sum())
    np.testing.assert_allclose(whole[1:], probs[1:])
    half = made(0.5).adjusted(probs, contexts)
    assert half[0, MEL] / half[0, NV] == pytest.approx(probs[0, MEL] / probs[0, NV] * np.sqrt(3))
    np.testing.assert_allclose(made(0.0).adjusted(probs, contexts), probs)


def test_certain_answers_stay_numbers() -> None:
    probs = np.eye(7)[[NV]]
    adjusted = made(1.0).adjusted(probs, [PatientContext(sex="female")])
    assert np.isfinite(adjusted).all()
    assert adjusted.argmax() == NV


def test_the_weight_is_that_of_the_lowest_log_loss() -> None:
    generator = np.random.default_rng(3)
    labels = generator.choice([MEL, NV], 400)
    female = generator.random(400) < np.where(labels == MEL, 0.75, 0.25)
    contexts = [PatientContext(sex="female" if one else "male") for one in female]
    probs = np.full((400, 7), 1e-6)
    probs[:, [MEL, NV]] = 0.5  # the photo tells nothing: all that can be known is the context
    model = replace(fit_context(contexts, labels, "drawn"), prior=probs[0] / probs[0].sum())
    best, losses = with_best_weight(model, contexts, labels, probs)
    assert best.weight >= 0.9
    assert losses[best.weight] == min(losses.values()) < losses[0.0]
    misleading = [PatientContext(sex="male" if one else "female") for one in female]
    assert with_best_weight(model, misleading, labels, probs)[0].weight == 0


def test_a_manifest_keeps_every_number() -> None:
    content = made(0.55).content()
    again = context_model(content)
    assert again is not None
    assert again.content() == content
    assert context_model(None) is None
    assert set(REGIONS) == {name.removeprefix("site: ") for name in FEATURES if name.startswith("site: ")}
