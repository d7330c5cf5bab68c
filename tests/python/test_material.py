"""What heads are found on beside strips: scenes and labelled boxes, which objects can be asked about, and faults."""

import json
from collections import Counter
from dataclasses import replace

import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from lookhere import ImageError, LabelsError, OptionError, questions
from lookhere.cli import main
from lookhere.comics import generate_scene, generate_strip
from lookhere.lab import attention, material
from lookhere.lab.coco import read_coco
from lookhere.lab.discovery import Options, discover
from lookhere.lab.item import of_objects
from lookhere.lab.objects import askable, usable
from PIL import Image
from planted_engine import HEADS, LAYERS, PLANTED

SIZE = (100, 100)


@pytest.fixture
def model(planted, planted_files):
    with lookhere.load(planted_files[0]) as loaded:
        yield loaded


def labelled(folder, count=5, wrong=lambda data: None):
    """Generated scenes as a folder of images and labels in COCO's format; wrong: what is done to the labels."""
    folder.mkdir(exist_ok=True)
    data = {"images": [], "annotations": [], "categories": []}
    for index in range(count):
        scene = generate_scene(50 + index, objects=3)
        name = f"{index}.png"
        scene.image.save(folder / name)
        width, height = scene.image.size
        data["images"].append({"id": index, "file_name": name, "width": width, "height": height})
        for label, (x0, y0, x1, y1) in scene.objects:
            number = len(data["categories"]) + 1
            data["categories"].append({"id": number, "name": label})
            bbox = [x0, y0, x1 - x0, y1 - y0]
            data["annotations"].append({"image_id": index, "category_id": number, "bbox": bbox, "iscrowd": 0})
    wrong(data)
    path = folder / "labels.json"
    path.write_text(json.dumps(data))
    return path


def test_objects_that_their_labels_name():
    cat, dog, cup = ("cat", (0, 0, 20, 20)), ("dog", (50, 0, 80, 30)), ("cup", (0, 60, 25, 90))
    assert usable([cat, dog, cup], SIZE) == (cat, dog, cup)
    assert usable([cat, dog, ("cat", (60, 60, 90, 90))], SIZE) == (dog,)  # two cats
    assert usable([cat, dog, cup], SIZE, others=["dog"]) == (cat, cup)  # one dog more, too small for a box
    assert usable([cat, ("sofa", (0, 0, 100, 51)), cup], SIZE) == (cat, cup)  # most of the image
    assert usable([cat, dog, cup], SIZE, most=2) == (dog, cup)  # the largest ones
    over = ("hat", (10, 0, 40, 20))  # half of the cat is in it
    assert usable([cat, over, cup], SIZE) == (over, cup)
    assert usable([cat, ("hat", (15, 0, 45, 20)), cup], SIZE)[:2] == (cat, ("hat", (15, 0, 45, 20)))  # a quarter of it
    assert usable([], SIZE) == ()


def test_as_many_objects_as_all_wanted_images_have(tmp_path):
    path = labelled(tmp_path / "images", 5)
    data = json.loads(path.read_text())
    data["annotations"] = [each for each in data["annotations"] if each["image_id"] != 1 or each["category_id"] != 5]
    path.write_text(json.dumps(data))
    images = read_coco(path, path.parent)
    assert Counter(len(usable(each.objects, each.size)) for each in images) == {3: 4, 2: 1}
    assert [len(objects) for _, objects in askable(images, 4, "It has")] == [3] * 4
    assert [each.path.name for each, _ in askable(images, 4, "")] == ["0.png", "2.png", "3.png", "4.png"]
    assert [len(objects) for _, objects in askable(images, 5, "It has")] == [2] * 5
    assert [len(objects) for _, objects in askable(images, 99, "It has")] == [2] * 5


def test_an_item_of_objects_asks_by_label_and_forces_the_label():
    item = of_objects(Image.new("RGB", SIZE), [("Red car.", (0, 0, 20, 20)), ("dog", (50, 0, 80, 30))])
    assert item.questions == (
        "Look carefully at this image. Describe the red car. Answer briefly.",
        "Look carefully at this image. Describe the dog. Answer briefly.",
    )
    assert (item.answers, item.forced_after) == (("Red car.", "dog"), questions.OBJECT)


def test_where_attention_to_objects_is_read(model, planted):
    free = material.scenes(1, 0, 0)
    (item,) = free.items
    seen = attention.attend(item.look(model), item)
    assert seen.at_prompt.shape == seen.over_answer.shape == (LAYERS, HEADS, 3, 3)
    for head in PLANTED:
        at_prompt = seen.at_prompt[head]
        assert np.diagonal(at_prompt).min() > 0.5
        assert (at_prompt - np.diag(np.diagonal(at_prompt))).max() < 0.1
        over = seen.over_answer[head]
        assert over.argmax(axis=1).tolist() == [0, 1, 2]  # the first letters of a label may begin another one, too
        assert over.diagonal().min() > 0.2
    assert planted.images == 1
    assert seen.image.shape == seen.entropy.shape == (LAYERS, HEADS, 3)
    # the forced answers follow another question, which leaves what the first ones tell
    alone = attention.attend(item.look(model), replace(item, forced_after=None), answers=False)
    np.testing.assert_allclose(alone.at_prompt, seen.at_prompt)


def test_scenes(model):
    found = discover(model, Options(strips=2, calibration=1, scenes=True))
    assert set(found.ranking.heads[:3]) == set(PLANTED)
    assert found.heads.prompt == questions.OBJECT
    assert found.heads.source == "lookhere discover, 2 generated scenes, seed 0"
    assert (found.heads.evidence["panels"], found.heads.evidence["corpus"]) == (3, "generated scenes")
    assert found.choice.measured.accuracy == 1
    assert found.choice.measured.moves is None


def test_labelled_boxes(model, planted, tmp_path):
    path = labelled(tmp_path / "images", 3)
    for each in read_coco(path, path.parent):
        labels, boxes = zip(*each.objects, strict=True)
        planted.strips[np.asarray(Image.open(each.path)).tobytes()] = (labels, boxes)
    found = discover(model, Options(strips=2, calibration=1, coco=path))
    assert set(found.ranking.heads[:3]) == set(PLANTED)
    assert found.heads.source == "lookhere discover, 2 images in images, seed 0"
    assert found.heads.evidence["calibration_strips"] == 1
    assert found.choice.measured.accuracy == 1


def test_too_few_images_are_shared_out(tmp_path):
    path = labelled(tmp_path / "images", 3)
    stuff = material.coco(path, path.parent, 24, 12)
    assert (stuff.count, len(stuff.pictures), stuff.places) == (2, 1, 2)
    stuff = material.coco(path, path.parent, 3, 0)
    assert (stuff.count, len(stuff.pictures), stuff.places) == (3, 0, 3)


def one_label(data):
    for each in data["annotations"]:
        each["category_id"] = 1


def one_object(data):
    data["annotations"] = data["annotations"][::3]


def missing(data):
    data["images"][1]["file_name"] = "none.png"


def one_image(data):
    data["annotations"] = data["annotations"][:3]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (one_label, "have 0 of 3 images with 2 objects"),
        (one_object, "have 0 of 3 images with 2 objects"),
        (one_image, "have 1 of 1 images with 2 objects"),
        (missing, "none.png"),
        (lambda data: data.pop("categories"), "COCO's format"),
        (lambda data: data["annotations"].clear(), "no box"),
    ],
)
def test_labels_that_are_wrong(tmp_path, wrong, says):
    path = labelled(tmp_path / "images", 3, wrong)
    with pytest.raises(LabelsError, match=says):
        material.coco(path, path.parent, 2, 1)


def test_images_that_are_wrong(model, tmp_path):
    path = labelled(tmp_path / "images", 2)
    first, second = material.coco(path, path.parent, 2, 0).items
    Image.open(first.image).resize((80, 72)).save(first.image)
    with pytest.raises(LabelsError, match=r"0\.png.* is 80 x 72 pixels, but its labels are for 160 x 144"):
        first.look(model)
    second.image.write_bytes(b"not an image")
    with pytest.raises(ImageError, match=r"1\.png"):
        second.look(model)
    source = material.coco(labelled(tmp_path / "images", 3), path.parent, 2, 1).pictures[0]
    Image.open(path.parent / "2.png").resize((80, 72)).save(path.parent / "2.png")
    with pytest.raises(LabelsError, match="80 x 72"):
        source(model, 0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"scenes": True, "coco": "x"}, "scenes and coco are given"),
        ({"comics": "x", "coco": "x"}, "comics and coco"),
        ({"images": "x"}, "without coco"),
    ],
)
def test_options_that_are_wrong(given, says):
    with pytest.raises(OptionError, match=says):
        Options(**given)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--scenes", "--comics", "."], 2, "Give one of"),
        (["--images", "."], 2, "--images needs --coco"),
        (["--coco", "none.json"], 1, "cannot be read"),
    ],
)
def test_wrong_use(planted, planted_files, arguments, code, says):
    result = CliRunner().invoke(main, ["discover", str(planted_files[0]), *arguments])
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr


def test_a_changed_picture_is_other_work(tmp_path):
    """What was kept of a discovery is not taken up for it, though the names and the labels are the same."""
    path = labelled(tmp_path / "images", 3)
    before = material.coco(path, path.parent, 2, 1).content
    assert material.coco(path, path.parent, 2, 1).content == before
    changed = path.parent / "1.png"
    Image.effect_noise((64, 64), 50).save(changed)
    assert material.coco(path, path.parent, 2, 1).content != before

    for number in (1, 2):
        strip = generate_strip(number)
        folder = tmp_path / f"comics/comic{number}"
        folder.mkdir(parents=True)
        for k, box in enumerate(strip.boxes, start=1):
            strip.image.crop(box).save(folder / f"p{k}.png")
    contents = [material.comics(tmp_path / "comics", 2, 0).content]
    strip.image.crop(strip.boxes[0]).save(folder / "p3.png")
    contents.append(material.comics(tmp_path / "comics", 2, 0).content)
    (folder / "captions.txt").write_text("one\ntwo\nthree\nfour\nfive\nsix")
    contents.append(material.comics(tmp_path / "comics", 2, 0).content)
    assert len(set(contents)) == 3
