"""Patient context: how much age, sex and body site change the probabilities of the classes.

The photo's own distribution p(c | photo) and what the rest of the patient says are combined as

    log p(c | photo, context) = log p(c | photo) + w · (log p(c | context) − log p(c)) + constant,

Bayes' rule under the assumption that photo and context are independent given the class, tempered by ``w`` since they
are not: a photo shows something of the skin's age and of where it was taken. p(c | context) is a multinomial logistic
regression on the lesions of the training set; ``w`` is chosen on ``val``. Both stand in the release's manifest.

It is the prior of the clinics of the training set (Tschandl et al., "The HAM10000 dataset", 2018): elsewhere other
patients come.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from jaxtyping import Float64

from skinlens.body_sites import REGIONS, named, words_of
from skinlens.errors import ParameterError
from skinlens.inference.calibration import softmax
from skinlens.labels import CODES
from skinlens.records import Array, ContextSex

WORDS_OF_REGIONS: dict[str, str] = {
    **{region: region for region in REGIONS},
    "head and neck": "head",
    "upper extremity": "arm",
    "lower extremity": "leg",
    "acral": "hand or foot",
}
"""Words for whole regions, with those of HAM10000's metadata."""
MAX_AGE_YEARS = 120
_CENTER_YEARS, _SCALE_YEARS = 50.0, 20.0
"""Ages are given to the regression in units of two decades from fifty."""
FEATURES: tuple[str, ...] = (
    "intercept",
    "age known",
    "age",
    "age squared",
    "female",
    "male",
    *(f"site: {region}" for region in REGIONS),
)


@dataclass(frozen=True)
class PatientContext:
    """Age, sex and site of a patient, as far as they are known; None where it is not known."""

    age_years: float | None = None
    sex: ContextSex | None = None
    site: str | None = None
    """One of ``body_sites.REGIONS``."""

    @property
    def known(self) -> bool:
        """Whether anything is."""
        return (self.age_years, self.sex, self.site) != (None, None, None)

    @property
    def words(self) -> str:
        """The context as it is shown."""
        age = None if self.age_years is None else f"age {self.age_years:g}"
        return ", ".join(filter(None, (age, self.sex, self.site)))


def context_of(age_years: float | None = None, sex: str | None = None, site: str | None = None) -> PatientContext:
    """Context of a patient from what a person gave.

    Args:
        age_years: 0 to 120.
        sex: "female" or "male"; any other sex says nothing to the regression, which has not seen one.
        site: One of ``body_sites.REGIONS``, or words for a site in one of them.

    Raises:
        ParameterError: the age is out of range, or nothing is known of that site.
    """
    if age_years is not None and not 0 <= age_years <= MAX_AGE_YEARS:
        raise ParameterError(f"Expected an age from 0 to {MAX_AGE_YEARS} years, found {age_years:g}.")
    region = region_of(site) if site else None
    if site and region is None:
        raise ParameterError(f"Nothing is known of the body site {site!r}. Choose one of: {', '.join(REGIONS)}.")
    return PatientContext(age_years, _sex_of(sex), region)


def region_of(site: str) -> str | None:
    """The region that a body site is in, by its words ("left forearm" is an arm); None where no word tells it."""
    words = f" {' '.join(words_of(site))} "
    regions = {region for word, region in WORDS_OF_REGIONS.items() if f" {word} " in words}
    regions |= {body_site.region for body_site in named(site).values()}
    return regions.pop() if len(regions) == 1 else None


def _sex_of(sex: str | None) -> ContextSex | None:
    return next((known_sex for known_sex in get_args(ContextSex) if known_sex == sex), None)


def features(contexts: Sequence[PatientContext]) -> Float64[Array, "n k"]:
    """One row of ``FEATURES`` for each; what is not known is 0 in all of its columns."""
    table = np.zeros((len(contexts), len(FEATURES)))
    column = {name: place for place, name in enumerate(FEATURES)}
    for row, context in zip(table, contexts, strict=True):
        row[0] = 1
        if context.age_years is not None:
            age = (context.age_years - _CENTER_YEARS) / _SCALE_YEARS
            row[column["age known"]], row[column["age"]], row[column["age squared"]] = 1, age, age**2
        if context.sex is not None:
            row[column[context.sex]] = 1
        if context.site is not None:
            row[column[f"site: {context.site}"]] = 1
    return table


@dataclass(frozen=True, eq=False)
class ContextModel:
    """The regression of one release, and how much it weighs."""

    coefficients: Float64[Array, "k 7"]
    """Rows as ``FEATURES``, columns as ``labels.CODES``."""
    prior: Float64[Array, " 7"]
    """p(c): the share of each class among the lesions that it was fitted on."""
    weight: float
    """w, 0 to 1."""
    fitted_on: str
    """In words, as "the 5,229 lesions of train"."""

    def log_prior(self, contexts: Sequence[PatientContext]) -> Float64[Array, "n 7"]:
        """Log p(c | context)."""
        logits = features(contexts) @ self.coefficients
        most = logits.max(axis=1, keepdims=True)
        return np.asarray(logits - most - np.log(np.exp(logits - most).sum(axis=1, keepdims=True)))

    def adjusted(self, probs: Float64[Array, "n 7"], contexts: Sequence[PatientContext]) -> Float64[Array, "n 7"]:
        """The probabilities with the context; rows of which nothing is known stay as they are. Rows sum to 1."""
        shift = self.weight * (self.log_prior(contexts) - np.log(self.prior))
        shift[[not context.known for context in contexts]] = 0
        return softmax(np.log(np.maximum(probs, 1e-12)) + shift)

    def content(self) -> dict[str, Any]:
        """Content of the model as the manifest holds it; ``context_model`` reads it."""
        return {
            "weight": self.weight,
            "fitted_on": self.fitted_on,
            "prior": dict(zip(CODES, self.prior.tolist(), strict=True)),
            "coefficients": {
                name: dict(zip(CODES, row.tolist(), strict=True))
                for name, row in zip(FEATURES, self.coefficients, strict=True)
            },
        }


def context_model(content: Mapping[str, Any] | None) -> ContextModel | None:
    """The regression of a manifest; None for a release that has none."""
    if content is None:
        return None
    coefficients = [[float(content["coefficients"][name][code]) for code in CODES] for name in FEATURES]
    prior = [float(content["prior"][code]) for code in CODES]
    return ContextModel(np.array(coefficients), np.array(prior), float(content["weight"]), str(content["fitted_on"]))
