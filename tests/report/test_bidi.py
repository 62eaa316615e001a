"""Unicode's bidirectional algorithm on examples worked out by hand, and what holds for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skinlens.report import bidi

TEXTS = st.text(st.sampled_from("ab 12,.-+%$()[]/:אבשְاب١٢ #́"), max_size=30)
HEBREW, ARABIC = "אבג", "ابج"


def shown(text: str, base: int) -> str:
    """The characters from left to right, mirrored brackets aside."""
    runs = bidi.visual_runs(bidi.levels(text, base), text, base)
    return "".join(text[start:end][::-1] if level % 2 else text[start:end] for start, end, level in runs)


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        ("abc", 0, "abc"),
        (HEBREW, 0, "גבא"),
        (f"x {HEBREW} y", 0, "x גבא y"),
        (f"x {HEBREW} y", 1, "y גבא x"),
        (f"{HEBREW} 123 {HEBREW}", 1, "גבא 123 גבא"),  # numbers keep their direction between words that do not
        (f"{HEBREW} 12.5 mm", 1, "mm 12.5 גבא"),
        (f"{ARABIC} 1-2", 1, "2-1 جبا"),  # after Arabic a range runs to the left
        (f"{HEBREW} 1-2", 1, "1-2 גבא"),
        (f"{HEBREW} 1+2", 1, "1+2 גבא"),
        (f"{HEBREW} 40%", 1, "40% גבא"),
        (f"a ({HEBREW}) b", 0, "a (גבא) b"),
        (f"{HEBREW} (abc)!", 1, "!)abc( גבא"),  # the brackets are drawn mirrored
        (f"{HEBREW} a(b)", 1, "a(b) גבא"),
        (f"{HEBREW}, {HEBREW}", 0, "גבא ,גבא"),
        (f"{HEBREW}!  ", 0, "גבא!  "),
        (f"{HEBREW}!  ", 1, "  !גבא"),
    ],
)
def test_order_on_the_line(text: str, base: int, expected: str) -> None:
    assert shown(text, base) == expected


def test_the_first_letter_gives_the_paragraphs_direction() -> None:
    assert bidi.base_level(f"12, {HEBREW} abc") == 1
    assert bidi.base_level(f"12, abc {HEBREW}") == 0
    assert bidi.base_level(ARABIC) == 1
    assert bidi.base_level("12.5 %") == 0


def test_only_text_with_something_from_the_right_needs_ordering() -> None:
    assert bidi.is_mixed(f"abc {HEBREW}")
    assert bidi.is_mixed("١٢")
    assert not bidi.is_mixed("Παπαδόπουλος, 王小明 (12 %)")


@given(text=TEXTS, base=st.sampled_from([0, 1]))
def test_every_character_stands_on_the_line_once(text: str, base: int) -> None:
    runs = bidi.visual_runs(bidi.levels(text, base), text, base)
    places = sorted(place for start, end, _ in runs for place in range(start, end))
    assert places == list(range(len(text)))


@given(text=st.text(st.characters(codec="latin-1"), max_size=40))
def test_text_without_right_to_left_letters_stays_as_it_is(text: str) -> None:
    assert set(bidi.levels(text, 0)) <= {0}


@given(text=TEXTS)
def test_letters_get_a_level_of_their_direction(text: str) -> None:
    for base in (0, 1):
        for character, level in zip(text, bidi.levels(text, base), strict=True):
            if character in "אבש" or character in "اب":
                assert level % 2 == 1
            if character in "ab":
                assert level % 2 == 0
