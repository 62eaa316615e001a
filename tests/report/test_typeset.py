"""Text of any script: what is drawn, in which order, and that nothing is wider than its line or lost."""

import unicodedata
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skinlens import doctor
from skinlens.report import faces, typeset

FONTS = Path(typeset.__file__).with_name("fonts")
ANY_TEXT = st.text(st.characters(), max_size=120) | st.text(
    st.sampled_from("aé ,-/\n\t<b>&אבשּׁاللهمحمد١क्षिर्त漢字。、한글й̂😀🧬\u200d\u202e\ufeff"), max_size=120
)


def drawn(text: str) -> str:
    """The characters as they are handed to the PDF, from left to right."""
    return "".join(piece.characters for run in typeset.single(text).runs for piece in run.pieces)


@pytest.mark.parametrize(
    "name",
    [
        "Müller-Łódź, Ångström, Nguyễn Thị Ánh, İstanbul, Þórr",
        "Παπαδόπουλος",
        "Жуковский, Їжак, Ђорђе",
        "שלום עולם",
        "محمد بن عبد الله، پگاه چراغ ژاله گ",
        "क्षत्रिय श्री ज़िंदगी",
        "王小明 張偉 山田太郎 こんにちは カタカナ 김철수",
        "Հայաստան საქართველო",
        "สมชาย ใจดี น้ำ ก็ ๑๒๓",
        "தமிழ் செல்வன் ஸ்ரீ க்ஷ",
        "রবীন্দ্রনাথ ঠাকুর ক্ষত্রিয় ৳",
        "సీతారాముడు క్షత్రియ",
        "សុខ សុវណ្ណ ក្រុងភ្នំពេញ",
        "အောင်ဆန်း မြန်မာ ဗုဒ္ဓ",
        "አበበ ቢቂላ ኢትዮጵያ፡፡ ትግርኛ",
        "ສົມສັກ ນ້ຳ",
        "≥ ≤ ± µ – — • … “ ” × °",
    ],
)
def test_names_of_these_scripts_are_printed_in_full(name: str) -> None:
    for bold in (False, True):
        assert typeset.PLACEHOLDER not in typeset.single(name, bold).text
    assert typeset.unprintable(name) == 0


def test_what_no_font_has_is_shown_as_such_and_counted() -> None:
    sinhala = "\u0dc3\u0dd2\u0d82"
    assert typeset.single(f"{sinhala}!").text == typeset.PLACEHOLDER * 3 + "!"
    assert typeset.unprintable(f"{sinhala}!") == 3
    assert typeset.not_printed(f"S{sinhala}, {sinhala} 🧬\n\tไทย") == f"{sinhala}🧬"
    assert typeset.not_printed("Müller ไทย 漢字 😀") == ""
    assert typeset.clean("\ud800\x00") == typeset.PLACEHOLDER * 2


def test_arabic_letters_join() -> None:
    # In reading order: initial meem, medial hah, medial meem, final dal. Drawn from left to right: the other way round.
    assert drawn("محمد") == "\ufeaa\ufee4\ufea4\ufee3"
    assert drawn("لا") == "\ufefb"  # lam and alef are one letter form


def test_hebrew_runs_from_right_to_left_and_its_brackets_are_mirrored() -> None:
    assert drawn("שלום") == "םולש"
    assert drawn("אב (12)") == "(12) בא"


def test_marks_are_placed_over_their_letter() -> None:
    pieces = [piece for run in typeset.single("x̂").runs for piece in run.pieces]
    assert [piece.characters for piece in pieces] == ["x", "\u0302"]
    letter, mark = pieces
    assert letter.x == 0
    assert -600 < mark.x < 600
    assert typeset.single("x̂").width(10) == pytest.approx(typeset.single("x").width(10))


def test_a_devanagari_vowel_sign_goes_before_its_consonant() -> None:
    plain, signed = drawn("क"), drawn("कि")
    assert plain == "क"
    assert signed.endswith("क")
    assert len(signed) == 2


def test_a_conjunct_is_one_shape() -> None:
    assert len(drawn("क्ष")) == 1


def test_a_right_to_left_paragraph_says_so() -> None:
    lines = typeset.wrap("שלום\nHello", 10, 200)
    assert [line.right_to_left for line in lines] == [True, False]


def test_lines_break_at_spaces_and_long_words_anywhere() -> None:
    width = typeset.single("aaaa bbbb").width(10) + 0.01
    assert [line.text for line in typeset.wrap("aaaa bbbb cc", 10, width)] == ["aaaa bbbb", "cc"]
    assert [line.text for line in typeset.wrap("a" * 9, 10, typeset.single("aaaa").width(10) + 0.01)] == [
        "aaaa",
        "aaaa",
        "a",
    ]


def test_east_asian_text_breaks_between_characters_but_not_before_a_full_stop() -> None:
    width = typeset.single("漢字仮").width(10) + 0.01
    assert [line.text for line in typeset.wrap("漢字仮名。", 10, width)] == ["漢字仮", "名。"]
    assert [line.text for line in typeset.wrap("漢字仮。名", 10, width)] == ["漢字", "仮。名"]


def test_line_ends_are_kept_and_blank_lines_are_not_piled_up() -> None:
    assert [line.text for line in typeset.wrap("a\r\nb\u2028c\n\n\n \n\nd\n\n", 10, 100)] == ["a", "b", "c", "", "d"]


def test_composed_and_decomposed_letters_come_out_alike() -> None:
    assert typeset.clean("é") == typeset.clean("e\u0301") == "é"


@pytest.mark.parametrize("letter", ["x", "م", "क", "漢", "\u0301", "😀"])
def test_a_word_of_2000_letters_fits_its_column(letter: str) -> None:
    lines = typeset.wrap(letter * 2_000, 8.5, 490)
    assert max(line.width(8.5) for line in lines) <= 490
    assert sum(len(line.text) for line in lines) == 2_000


@settings(max_examples=150)
@given(text=ANY_TEXT, width=st.floats(30, 400), bold=st.booleans())
def test_no_line_is_too_wide_and_no_character_is_lost(text: str, width: float, bold: bool) -> None:
    lines = typeset.wrap(text, 9, width, bold)
    assert lines
    assert all(line.width(9) <= width + 1e-6 for line in lines)
    joiners = str.maketrans("", "", " \n\u200c\u200d")
    kept = "".join(line.text for line in lines).translate(joiners)
    assert kept == typeset.clean(text).translate(joiners)


@given(text=ANY_TEXT)
@example(text="\u05b0\ufeff\u05bc")  # a formatting character between two marks
@example(text="\u05bc\ufeff\u05b0")
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = typeset.clean(text)
    assert typeset.clean(once) == once
    assert not any(unicodedata.category(character) in {"Cs", "Cc"} and character != "\n" for character in once)


def test_the_fonts_are_embeddable_small_and_licensed() -> None:
    files = sorted(FONTS.glob("*.ttf"))
    assert {path.stem for path in files} == {*faces.REGULAR, *faces.BOLD} - set(faces.PACKAGED)
    assert sum(path.stat().st_size for path in files) < 6_000_000
    for path in files:
        restricted = 2
        with TTFont(path) as font:
            assert font["OS/2"].fsType & restricted == 0
        assert (FONTS / f"LICENSE-{path.stem.split('Sans')[0].split('-')[0]}.txt").is_file()


@pytest.mark.parametrize("name", faces.PACKAGED)
def test_the_fonts_of_packages_are_free_and_have_their_script(name: str) -> None:
    path, meant = faces.font_path(name), faces.PACKAGED[name]
    assert "SIL Open Font License, Version 1.1" in path.with_name("OFL.txt").read_text(encoding="utf-8")
    restricted = 2
    with TTFont(path) as font:
        assert font["OS/2"].fsType & restricted == 0
        assert "SIL Open Font License" in font["name"].getDebugName(13)
        letters = [code for code in range(meant.first, meant.last + 1) if unicodedata.category(chr(code)) == "Lo"]
        assert len(set(font.getBestCmap()) & set(letters)) >= 0.95 * len(letters)


def test_without_its_package_a_script_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The placeholder on paper, and a line of the doctor; other scripts are printed as before."""
    monkeypatch.setattr(faces, "find_spec", lambda name: None)
    monkeypatch.setattr(faces, "_FACES", {})
    for cached in (faces.face_of, faces.is_installed):
        cached.cache_clear()
    try:
        assert typeset.not_printed("ไทย 漢字") == "ไทย"
        finding = doctor._finding("fonts of the report", doctor._fonts)
        assert not finding.passed
        assert "is not installed" in finding.found
        assert finding.found.endswith("Reinstall the requirements.")
    finally:
        for cached in (faces.face_of, faces.is_installed):
            cached.cache_clear()


@pytest.mark.parametrize(
    ("text", "glyphs"),
    [
        ("স্ত্র", 2),  # Bengali: sa and ta in one conjunct, and the sign of ra below
        ("ক্ষ", 1),
        ("ស្រ", 2),  # Khmer: the subscript ro goes before its consonant
        ("ဗုဒ္ဓ", 4),  # Burmese: the lower da hangs below the upper one
    ],
)
def test_letters_that_stack_are_shaped(text: str, glyphs: int) -> None:
    assert len(drawn(text)) == glyphs


def test_a_tamil_vowel_sign_goes_around_its_consonant() -> None:
    """கொ is written as three glyphs: before, consonant, after."""
    parts = drawn("கொ")
    assert len(parts) == 3
    assert parts[1] == "க"


def test_a_khmer_subscript_goes_to_the_left_of_its_consonant() -> None:
    subscript, consonant = drawn("ស្រ")
    assert consonant == "ស"
    assert subscript != "រ"


@pytest.mark.parametrize("text", ["ក្រុងភ្នំពេញ" * 12, "สวัสดีน้ำเก่าใจ" * 12, "ဗုဒ္ဓမြန်မာ" * 12, "রবীন্দ্রনাথ" * 12])
def test_no_line_ends_inside_of_a_stack(text: str) -> None:
    """Such names have no spaces: they are broken at a line's end, but never where two letters make one shape."""
    lines = typeset.wrap(text, 9, 60)
    assert len(lines) > 3
    assert "".join(line.text for line in lines) == typeset.clean(text)
    for line in lines[1:]:
        assert unicodedata.category(line.text[0]) not in {"Mn", "Mc"}
        assert line.text[0] not in typeset.VOWELS_AFTER
    for line in lines[:-1]:
        assert unicodedata.combining(line.text[-1]) != typeset.VIRAMA or line.text[-1] == "\u103a"
        assert line.text[-1] not in typeset.VOWELS_BEFORE
