"""Text of any script: what can be printed of it, in which direction it runs, and which font has it."""

import unicodedata

import pytest
from fontTools.ttLib import TTFont
from hypothesis import example, given
from hypothesis import strategies as st

from skinlens import doctor
from skinlens.report import faces, text

ANY_TEXT = st.text(st.characters(), max_size=120) | st.text(
    st.sampled_from("aé ,-/\n\t<b>&אבשּׁاللهمحمد١क्षिर्त漢字。、한글й̂😀🧬\u200d\u202e\ufeff"), max_size=120
)


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
    assert text.unprintable(name) == 0
    assert text.clean(name) == unicodedata.normalize("NFC", name)


def test_what_no_font_has_is_shown_as_such_and_counted() -> None:
    sinhala = "\u0dc3\u0dd2\u0d82"
    assert text.clean(f"{sinhala}!") == text.PLACEHOLDER * 3 + "!"
    assert text.unprintable(f"{sinhala}!") == 3
    assert text.not_printed(f"S{sinhala}, {sinhala} 🧬\n\tไทย") == f"{sinhala}🧬"
    assert text.not_printed("Müller ไทย 漢字 😀") == ""
    assert text.clean("\ud800\x00") == text.PLACEHOLDER * 2


@pytest.mark.parametrize(
    ("words", "right_to_left"),
    [
        ("Hello שלום", False),
        ("שלום Hello", True),
        ("12, (אבג) abc", True),
        ("12, abc אבג", False),
        ("محمد 12", True),
        ("12.5 %", False),
        ("", False),
    ],
)
def test_the_first_letter_gives_the_paragraphs_direction(words: str, right_to_left: bool) -> None:
    assert text.paragraphs(words) == [text.Paragraph(words, right_to_left)]


def test_each_line_is_a_paragraph_and_blank_lines_are_not_piled_up() -> None:
    found = text.paragraphs("a\r\nb\u2028אבג\n\n\n \n\nd\n\n")
    assert [one.words for one in found] == ["a", "b", "אבג", "", "d"]
    assert [one.right_to_left for one in found] == [False, False, True, False, False]


def test_composed_and_decomposed_letters_come_out_alike() -> None:
    assert text.clean("é") == text.clean("e\u0301") == "é"


@given(words=ANY_TEXT)
@example(words="\u05b0\ufeff\u05bc")  # a formatting character between two marks
@example(words="\u05bc\ufeff\u05b0")
def test_cleaning_twice_changes_nothing_more(words: str) -> None:
    once = text.clean(words)
    assert text.clean(once) == once
    assert not any(unicodedata.category(character) in {"Cs", "Cc"} and character != "\n" for character in once)


def test_the_fonts_are_embeddable_small_and_licensed() -> None:
    files = sorted(faces.FONTS.glob("*.ttf"))
    assert {path.stem for path in files} == set(faces.SHIPPED)
    assert sum(path.stat().st_size for path in files) < 6_000_000
    for path in files:
        restricted = 2
        with TTFont(path) as font:
            assert font["OS/2"].fsType & restricted == 0
        assert (faces.FONTS / f"LICENSE-{path.stem.split('Sans')[0].split('-')[0]}.txt").is_file()


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
    caches = (faces.has_glyph, faces.is_installed, faces.characters)
    monkeypatch.setattr(faces, "find_spec", lambda name: None)
    for cached in caches:
        cached.cache_clear()
    try:
        assert text.not_printed("ไทย 漢字") == "ไทย"
        assert faces.folders() == [str(faces.FONTS)]
        finding = doctor._finding("fonts of the report", doctor._fonts)
        assert not finding.passed
        assert "is not installed" in finding.message
        assert finding.message.endswith("Reinstall the requirements.")
    finally:
        for cached in caches:
            cached.cache_clear()


def test_the_doctor_finds_all_fonts() -> None:
    assert doctor._finding("fonts of the report", doctor._fonts).message == "11 fonts can be read"
