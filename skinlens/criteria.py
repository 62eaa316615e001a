"""Dermoscopic criteria that a clinician fills in: the ABCD rule and the 7-point checklist, in exact numbers.

Both are for melanocytic lesions: a seborrheic keratosis or a basal cell carcinoma has to be ruled out first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from skinlens.errors import InvalidEntry
from skinlens.formatting import counted

AbcdReading = Literal["benign", "suspicious", "highly suspicious"]
ChecklistVersion = Literal["1998", "2011"]
ChecklistItem = Literal[
    "atypical_network",
    "blue_whitish_veil",
    "atypical_vessels",
    "irregular_streaks",
    "irregular_pigmentation",
    "irregular_dots_globules",
    "regression",
]

ABCD_RULE = "ABCD rule (Nachbar 1994)"
SUSPICIOUS_FROM, HIGHLY_SUSPICIOUS_ABOVE = Decimal("4.75"), Decimal("5.45")
"""Total dermoscopy scores. Scores are whole tenths, so none ever lies on a limit."""
ASYMMETRY, BORDER, COLORS, STRUCTURES = (0, 2), (0, 8), (1, 6), (1, 5)
"""Least and most of what is counted."""
RULE_COLORS = ("white", "red", "light brown", "dark brown", "blue-gray", "black")
"""The six colors that C counts."""

CHECKLIST: dict[ChecklistItem, str] = {
    "atypical_network": "atypical pigment network",
    "blue_whitish_veil": "blue-whitish veil",
    "atypical_vessels": "atypical vascular pattern",
    "irregular_streaks": "irregular streaks",
    "irregular_pigmentation": "irregular pigmentation (blotches)",
    "irregular_dots_globules": "irregular dots or globules",
    "regression": "regression structures",
}
"""The seven items with their names, the three major ones first."""
MAJOR = ("atypical_network", "blue_whitish_veil", "atypical_vessels")
CHECKLIST_USED: ChecklistVersion = "1998"
"""The version that is taken where none is asked for: its limit of 3 is the one in guidelines and textbooks, and it is
more specific. With that of 2011, 87.8 % instead of 77.9 % of its authors' melanomas were to be excised, and 74.5 %
instead of 85.6 % of their monitored nevi were left in place; who wants it chooses it, and the choice is kept."""
CHECKLIST_LIMITS: dict[ChecklistVersion, int] = {"1998": 3, "2011": 1}
"""Points from which the lesion is suspicious of melanoma."""


@dataclass(frozen=True)
class Abcd:
    """The ABCD rule of dermoscopy as counted.

    Stolz et al., "ABCD rule of dermatoscopy: a new practical method for early recognition of malignant melanoma",
    Eur J Dermatol 4, 1994; limits and weights by Nachbar et al., "The ABCD rule of dermatoscopy: high prospective value
    in the diagnosis of doubtful melanocytic skin lesions", J Am Acad Dermatol 30, 1994.

    Raises:
        InvalidEntry: a count is outside of what the rule knows.
    """

    asymmetry: int
    """Number of two perpendicular axes in which the lesion is asymmetric in contour, colors or structures: 0 to 2."""
    border: int
    """Number of the eight segments in which the pigment pattern ends abruptly: 0 to 8."""
    colors: int
    """How many of ``RULE_COLORS`` are seen: 1 to 6."""
    structures: int
    """How many of network, structureless areas, branched streaks, dots and globules are seen: 1 to 5."""
    from_outline: tuple[str, ...] = ()
    """Names of the counts that were suggested from the outline and not changed since."""
    accepted: bool = False
    """Whether the clinician accepted those."""

    def __post_init__(self) -> None:
        _must_be_counts(self)

    @property
    def total_score(self) -> Decimal:
        """The total dermoscopy score (TDS), exactly: 1.3 A + 0.1 B + 0.5 C + 0.5 D, from 1.0 to 8.9."""
        tenths = 13 * self.asymmetry + self.border + 5 * self.colors + 5 * self.structures
        return Decimal(tenths).scaleb(-1)

    @property
    def reading(self) -> AbcdReading:
        """Reading of the score: benign below 4.75, highly suspicious of melanoma above 5.45, suspicious between."""
        if self.total_score < SUSPICIOUS_FROM:
            return "benign"
        return "suspicious" if self.total_score <= HIGHLY_SUSPICIOUS_ABOVE else "highly suspicious"

    @property
    def suspicious(self) -> bool:
        return self.reading != "benign"

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """A, B, C and D."""
        return self.asymmetry, self.border, self.colors, self.structures

    @property
    def summary(self) -> str:
        return f"ABCD rule: TDS {self.total_score}, {self.reading}"


_ABCD_RANGES = {"asymmetry": ASYMMETRY, "border": BORDER, "colors": COLORS, "structures": STRUCTURES}


def _must_be_counts(rule: "Abcd | PartialAbcd") -> None:
    """Refuse counts outside of the rule; bring the names of the suggested ones into its order."""
    for name in _ABCD_RANGES:
        if isinstance(rule, Abcd) or getattr(rule, name) is not None:
            _must_be_a_count(name, getattr(rule, name))
    if unknown := [name for name in rule.from_outline if getattr(rule, name, None) is None or name not in _ABCD_RANGES]:
        raise InvalidEntry(f"ABCD rule: {unknown[0]!r} is no count that can come from the outline. Correct it.")
    ordered = tuple(name for name in _ABCD_RANGES if name in rule.from_outline)
    object.__setattr__(rule, "from_outline", ordered)
    object.__setattr__(rule, "accepted", rule.accepted and bool(ordered))


def _must_be_a_count(name: str, value: object) -> None:
    least, most = _ABCD_RANGES[name]
    if type(value) is not int or not least <= value <= most:
        raise InvalidEntry(f"ABCD rule: {name} is a whole number from {least} to {most}, found {value!r}. Correct it.")


@dataclass(frozen=True)
class PartialAbcd:
    """The ABCD rule before all four are counted: it has no score, and belongs to a draft alone.

    Raises:
        InvalidEntry: a count is outside of what the rule knows.
    """

    asymmetry: int | None = None
    border: int | None = None
    colors: int | None = None
    structures: int | None = None
    from_outline: tuple[str, ...] = ()
    """As of ``Abcd``."""
    accepted: bool = False

    def __post_init__(self) -> None:
        _must_be_counts(self)

    @property
    def counts(self) -> tuple[int | None, ...]:
        """A, B, C and D; None: not counted yet."""
        return self.asymmetry, self.border, self.colors, self.structures

    @property
    def open(self) -> tuple[str, ...]:
        """Parts that are not counted yet."""
        return tuple(name for name in _ABCD_RANGES if getattr(self, name) is None)


def abcd_of(
    counts: Sequence[int | None], from_outline: Sequence[str] = (), *, accepted: bool = False
) -> Abcd | PartialAbcd | None:
    """The rule of these counts of A, B, C and D; None where there is none of them. The rest as of ``Abcd``."""
    whole = [count for count in counts if count is not None]
    source = {"from_outline": tuple(from_outline), "accepted": accepted}
    if len(whole) == len(_ABCD_RANGES):
        return Abcd(*whole, **source)  # type: ignore[arg-type]
    return PartialAbcd(*counts, **source) if whole else None  # type: ignore[arg-type]


def only_suggested(rule: Abcd | PartialAbcd | None) -> str:
    """Counts that are suggestions which nobody accepted, as "A, B and C"; empty where there are none."""
    return "" if rule is None or rule.accepted else _signs(rule.from_outline)


def source_words(rule: Abcd | PartialAbcd | None) -> str:
    """Words on which counts came from the outline, and whether the clinician accepted them; empty where none did."""
    if rule is None or not rule.from_outline:
        return ""
    verdict = "and accepted by the clinician" if rule.accepted else "but not accepted by the clinician yet"
    return f"{_signs(rule.from_outline)} suggested from the outline {verdict}"


def rule_words(rule: Abcd | PartialAbcd | None) -> str | None:
    """Counts and where they came from: "A 2, B 3 (A suggested from the outline and accepted by the clinician)"."""
    if rule is None:
        return None
    source = source_words(rule)
    return f"{counts_words(rule.counts)}{f' ({source})' if source else ''}"


def _signs(names: Sequence[str]) -> str:
    signs = [sign for sign, name in zip("ABCD", _ABCD_RANGES, strict=True) if name in names]
    return " and ".join(filter(None, (", ".join(signs[:-1]), *signs[-1:])))


def counts_words(counts: Sequence[int | None]) -> str:
    """Counts of A, B, C and D that were made: "A 2, B 3"."""
    return ", ".join(f"{sign} {count}" for sign, count in zip("ABCD", counts, strict=True) if count is not None)


@dataclass(frozen=True)
class SevenPoint:
    """The 7-point checklist with the items that are present; none of them is an answer as well.

    1998: Argenziano et al., "Epiluminescence microscopy for the diagnosis of doubtful melanocytic skin lesions:
    comparison of the ABCD rule of dermatoscopy and a new 7-point checklist based on pattern analysis", Arch Dermatol
    134; major items count 2 points, minor ones 1, suspicious from 3. 2011: Argenziano et al., "Seven-point checklist of
    dermoscopy revisited", Br J Dermatol 164; each item counts 1 point, suspicious from 1.

    Raises:
        InvalidEntry: an item or the version is not known, or an item is given twice.
    """

    present: tuple[ChecklistItem, ...] = ()
    """Kept in the order of ``CHECKLIST``, however they are given."""
    version: ChecklistVersion = CHECKLIST_USED

    def __post_init__(self) -> None:
        if self.version not in get_args(ChecklistVersion):
            raise InvalidEntry(
                f"7-point checklist: there is no version {self.version!r}. Choose 1998 (limit 3) or 2011 (limit 1)."
            )
        unknown = [item for item in self.present if item not in CHECKLIST]
        if unknown or len(set(self.present)) != len(self.present):
            said = f"found {unknown[0]!r}" if unknown else "one item is given twice"
            raise InvalidEntry(f"7-point checklist: the items are {', '.join(CHECKLIST)}; {said}. Correct it.")
        ordered = tuple(item for item in CHECKLIST if item in self.present)
        object.__setattr__(self, "present", ordered)

    @property
    def score(self) -> int:
        if self.version == "2011":
            return len(self.present)
        return sum(2 if item in MAJOR else 1 for item in self.present)

    @property
    def limit(self) -> int:
        return CHECKLIST_LIMITS[self.version]

    @property
    def suspicious(self) -> bool:
        return self.score >= self.limit

    @property
    def summary(self) -> str:
        points = counted(self.score, "point")
        reading = "suspicious" if self.suspicious else "not suspicious"
        return f"7-point checklist ({self.version}, limit {self.limit}): {points}, {reading}"


@dataclass(frozen=True)
class Criteria:
    """Criteria that a clinician entered of a photo; each part can be missing."""

    abcd: Abcd | PartialAbcd | None = None
    seven_point: SevenPoint | None = None
    pattern: str = ""
    """The global pattern and whatever else was seen, in the clinician's words."""

    @property
    def suspicious(self) -> bool | None:
        """Whether the rules that were filled in speak for melanoma; None if none was, or if they contradict."""
        said = {rule.suspicious for rule in self.rules}
        return said.pop() if len(said) == 1 else None

    @property
    def rules(self) -> tuple[Abcd | SevenPoint, ...]:
        """Rules that were filled in, and have a score; not where a count is a suggestion that nobody accepted."""
        abcd = self.abcd if isinstance(self.abcd, Abcd) and not only_suggested(self.abcd) else None
        return tuple(rule for rule in (abcd, self.seven_point) if rule is not None)


NO_CRITERIA = Criteria()
