"""Label files of two kinds; what is wrong with one is said."""

from pathlib import Path

import pytest

from skinlens.errors import DatasetError
from skinlens.evaluation.evaluate import left_out
from skinlens.evaluation.ground_truth import METADATA_FIELDS, read_labels
from skinlens.labels import INDEX

pytestmark = pytest.mark.slow  # imports torch

CASES = Path(__file__).resolve().parents[1] / "cases"
ISIC = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_ham10000_with_its_own_split(tmp_path: Path) -> None:
    path = written(tmp_path, "image_id,lesion_id,dx,split\na,L1,mel,test\nb,L1,nv,train\nc,L2,df,test\n")
    rows = read_labels(path, "test")
    assert [(row.image_id, row.label, row.group) for row in rows.rows] == [
        ("a", INDEX["mel"], "L1"),
        ("c", INDEX["df"], "L2"),
    ]
    assert rows.grouped_by == "lesion"
    assert len(read_labels(path, None).rows) == 3


def test_a_part_can_be_a_list_of_ids(tmp_path: Path) -> None:
    path = written(tmp_path, "image_id,dx\na,nv\nb,mel\nc,bkl\n")
    ids = tmp_path / "elsewhere.txt"
    ids.write_text("c\na\n")
    assert [row.image_id for row in read_labels(path, ids).rows] == ["a", "c"]
    ids.write_text("c\na\n", encoding="utf-8-sig")  # as Windows' editor writes it
    assert [row.image_id for row in read_labels(path, ids).rows] == ["a", "c"]
    ids.write_text("a\nd\ne\n")
    with pytest.raises(DatasetError, match=r"2 of the 3 photos of .*elsewhere\.txt have no label, first d"):
        read_labels(path, ids)
    ids.write_text("\n")
    with pytest.raises(DatasetError, match="names no photo"):
        read_labels(path, ids)
    with pytest.raises(DatasetError, match=r"The list of photos .*gone\.txt cannot be read"):
        read_labels(path, tmp_path / "gone.txt")


def test_what_else_the_file_tells_of_a_photo(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "image_id,lesion_id,dx,dx_type,age,sex,localization,dataset\n"
        "a,L1,mel,histo,80.0,female,scalp,vidir_modern\n"
        "b,L2,nv,follow_up,19,unknown,lower extremity,rosendahl\n"
        "c,L3,df,a guess,,male,unknown,elsewhere\n",
    )
    first, second, third = (row.traits for row in read_labels(path, None).rows)
    assert first == {
        "sex": "female",
        "age": "80 years and over",
        "site": "head and neck",
        "confirmed_by": "histology",
        "source": "Vienna, newer cameras",
    }
    assert (second["sex"], second["age"], second["site"]) == ("not recorded", "0–19 years", "leg")
    assert (third["age"], third["site"]) == ("not recorded", "not recorded")
    assert (third["confirmed_by"], third["source"]) == ("not recorded", "not recorded")
    for row in (first, second, third):
        assert all(value in METADATA_FIELDS[trait] for trait, value in row.items())


def test_an_age_that_says_nothing_of_the_patient_is_in_no_group(tmp_path: Path) -> None:
    ages = ("0", "0.0", "-3", "150", "NaN", "60+", "")
    lines = "".join(f"p{number},nv,{age}\n" for number, age in enumerate(ages))
    rows = read_labels(written(tmp_path, f"image_id,dx,age\n{lines}q,nv,0.5\nr,nv,120\n"), None).rows
    groups = [row.traits["age"] for row in rows]
    assert groups == ["not recorded"] * len(ages) + ["0–19 years", "80 years and over"]


def test_a_file_that_tells_the_diagnosis_alone(tmp_path: Path) -> None:
    assert read_labels(written(tmp_path, "image_id,dx\na,mel\n"), None).rows[0].traits == {}


def test_ham10000_without_a_split_takes_the_projects(tmp_path: Path) -> None:
    path = written(tmp_path, "image_id,dx\nISIC_0024306,nv\nISIC_0024308,nv\n")
    assert [row.image_id for row in read_labels(path, "val").rows] == ["ISIC_0024308"]
    assert read_labels(path, "val").grouped_by == "photo"


def test_isic_ground_truth_in_any_order_of_columns(tmp_path: Path) -> None:
    path = written(tmp_path, ISIC + "x,0.0,1.0,0.0,0.0,0.0,0.0,0.0\ny,0,0,0,0,0,0,1\n")
    assert [(row.image_id, row.label) for row in read_labels(path, None).rows] == [
        ("x", INDEX["nv"]),
        ("y", INDEX["vasc"]),
    ]


def test_classes_that_are_not_ours_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "image,MEL,NV,SCC,UNK\nx,1,0,0,0\ny,0,0,1,0\n")
    result = read_labels(path, None)
    assert [row.image_id for row in result.rows] == ["x"]
    assert (result.other_classes, result.left_out) == (1, {"SCC": 1})


def test_isic_2019_calls_actinic_keratosis_ak() -> None:
    """``26_isic2019_ground_truth.csv``: A is a melanoma, B a nevus, C and D actinic keratoses."""
    result = read_labels(CASES / "26_isic2019_ground_truth.csv", None)
    assert [(row.image_id, row.label) for row in result.rows] == [
        ("A", INDEX["mel"]),
        ("B", INDEX["nv"]),
        ("C", INDEX["akiec"]),
        ("D", INDEX["akiec"]),
    ]
    assert (result.other_classes, result.left_out) == (0, {})


def test_what_is_left_out_is_named_and_counted(tmp_path: Path) -> None:
    lines = "a,1,0,0,0,0\nb,0,1,0,0,0\nc,0,1,0,0,0\nd,0,0,1,0,0\ne,0,0,0,1,7\nf,0,0,0,0,1\ng,0,0,0,0,\n"
    result = read_labels(written(tmp_path, "image,MEL,SCC,UNK,LENTIGO, score\n" + lines), None)
    assert [row.image_id for row in result.rows] == ["a"]
    assert result.left_out == {"": 1, "LENTIGO": 1, "SCC": 2, "UNK": 1, "score": 1}
    assert result.other_classes == 6
    assert left_out(result.left_out) == [
        "1 photo without a class",
        "1 photo of LENTIGO: no class of the model",
        "2 photos of SCC (squamous cell carcinoma): no class of the model",
        "1 photo of UNK (none of the others): no class of the model",
        "1 photo of score: no class of the model",
    ]


def test_what_is_said_of_a_patient_and_not_understood_is_counted(tmp_path: Path) -> None:
    lines = "a,mel,300,x,moon\nb,nv,45,female,back\nc,nv,,unknown,unknown\nd,nv,0,,moon\n"
    result = read_labels(written(tmp_path, "image_id,dx,age,sex,localization\n" + lines), None)
    assert result.not_understood == {"age 300": 1, "localization moon": 2, "sex x": 1}
    assert [row.context.known for row in result.rows] == [False, True, False, False]


def test_two_columns_of_one_class_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected one column for each class, found two for akiec"):
        read_labels(written(tmp_path, "image,MEL,AK,AKIEC\nx,1,0,0\n"), None)


@pytest.mark.parametrize(
    ("text", "split", "message"),
    [
        ("name,diagnosis\na,b\n", None, r"Expected the columns image_id,dx.*or image,AKIEC.*found name, diagnosis"),
        ("", None, "found none"),
        ("image_id,dx\na,melanoma\n", None, "line 2: expected dx to be one of"),
        ("image_id,dx,split\na,mel,train\n", "test", "has no photo of the part test: its column split has none"),
        ("image_id,dx\na,mel\n", "val", "has no photo of the part val: it has no column split"),
        ("image_id,dx\n", None, "has a line of columns and no photo below it"),
        ("image_id,dx\na,mel\nb,nv\na,mel\n", None, "line 4: a stands in line 2 already"),
        (ISIC + "x,1,0,0,0,0,0,0\nx,1,0,0,0,0,0,0\n", None, "line 3: x stands in line 2 already"),
        (ISIC + "x,1,1,0,0,0,0,0\n", None, "line 2: expected one class at most, found 2"),
        (ISIC + "x,yes,0,0,0,0,0,0\n", None, "line 2, column MEL: expected 0 or 1; found 'yes'"),
        (ISIC + "x,1,0,0,0,0,0,0\ny,0,0.9,0,0,0,0,0\n", None, r"line 3, column NV: expected 0 or 1; found '0\.9'"),
        (ISIC + "x,1,0,0,0,0,0,2\n", None, "line 2, column VASC: expected 0 or 1; found '2'"),
        (ISIC + "x,-1,0,0,0,0,0,0\n", None, "line 2, column MEL: expected 0 or 1; found '-1'"),
        (ISIC + "x,1,nan,0,0,0,0,0\n", None, "line 2, column NV: expected 0 or 1; found 'nan'"),
        (ISIC + "x,1,0,0,0,0,0,0\n", "test", "has no splits"),
        (ISIC + "x,0,0,0,0,0,0,0\n", None, "has no photo of a known class"),
    ],
)
def test_a_label_file_that_is_wrong_says_how(tmp_path: Path, text: str, split: str | None, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_labels(written(tmp_path, text), split)


def test_a_label_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_labels(tmp_path / "none.csv", None)
