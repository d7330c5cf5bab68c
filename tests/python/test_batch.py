"""lookhere batch: what a job is, where jobs come from, what is told of each, and whose files are whose."""

import base64
import json
import socket
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from lookhere import JobsError, Panel, Scene
from lookhere.batch import jobs as jobs_module
from lookhere.batch.jobs import JobFile
from lookhere.batch.plan import Plan
from lookhere.batch.row import beside
from lookhere.batch.work import Batch, Files
from lookhere.images.image_cache import ImageCache
from lookhere.loading import load
from lookhere.wire.answer import read_answer
from PIL import Image

PANEL = {"kind": "panel", "row": 1, "col": 2, "rows": 1, "cols": 6}


def picture(path, number=0, size=(96, 32)):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (number % 256, number // 256, 7)).save(path)


def write(rows, path="jobs.jsonl"):
    """Rows, or lines as they are."""
    lines = [each if isinstance(each, (str, bytes)) else json.dumps(each) for each in rows]
    Path(path).write_bytes(b"\n".join(each if isinstance(each, bytes) else each.encode() for each in lines) + b"\n")


def read(path="answers.jsonl"):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def failed(path="answers.errors.jsonl"):
    return [(each["id"], each["error"], each["message"]) for each in read(path)]


def test_a_row_is_answered_as_describe_would(run):
    write(
        [
            {"id": "a", "image": "strip.png"},
            {"id": 7, "image": "strip.png", "regions": [PANEL], "prompt": "What?"},
            {"id": "c", "image": "strip.png", "regions": ["3/6", "panel:6/6"], "max_tokens": 4, "system": "Be brief."},
            {"id": "d", "at": [PANEL], "messages": [
                {"role": "user", "content": [{"type": "image", "image": "strip.png"}, {"type": "text", "text": "?"}]},
            ]},
        ]
    )  # fmt: skip
    result = run("batch", "jobs.jsonl", "-o", "answers.jsonl")
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    assert "4 of 4 answered." in result.stderr
    found = read()
    assert [each["id"] for each in found] == ["a", 7, "c", "d"]
    with lookhere.load() as model:
        scene = model.look("strip.png")
        expected = [
            scene.describe(),
            scene.describe("What?", at=Panel(2, 6)),
            scene.describe(at=[Panel(3, 6), Panel(6, 6)], max_tokens=4, system="Be brief."),
            scene.describe("?", at=Panel(2, 6)),
        ]
    for line, answer in zip(found, expected, strict=True):
        assert (line["text"], line["finish"], line["prompt"]) == (answer.text, answer.finish, answer.prompt)
        assert line["tokens"] == {"prompt": answer.prompt_tokens, "answer": len(answer.steps)}
        assert line["where"] == answer.where().as_json()
    assert [each["image"] for each in found] == ["strip.png"] * 3 + [None]
    assert found[1]["regions"] == [PANEL]
    assert not Path("answers.errors.jsonl").exists()


def test_a_text_is_looked_at(run):
    content = [{"type": "document", "document": "One.\n\nTwo."}, {"type": "text", "text": "What?"}]
    row = {"id": 1, "messages": [{"role": "user", "content": content}], "at": [{"kind": "paragraph", "number": 2}]}
    write([row, {**row, "id": 2, "at": [{"kind": "paragraph", "number": 3}]}])
    assert run("batch", "jobs.jsonl", "-o", "answers.jsonl").exit_code == 3
    (line,) = read()
    assert (line["id"], line["image"], line["regions"]) == (1, None, row["at"])
    assert line["where"]["span"]
    assert [each[:2] for each in failed()] == [(2, "RegionError")]


def test_all_of_an_answer_is_kept_where_that_is_asked(run):
    write([{"id": "a", "image": "strip.png", "regions": ["2/6"]}])
    assert run("batch", "jobs.jsonl", "-o", "answers.jsonl", "--full").exit_code == 0
    (line,) = read()
    record = read_answer(line["answer"])
    assert (record.text, record.frames[0].width) == (line["text"], 96)
    assert record.steering["regions"] == [PANEL]


WRONG = {
    "{": "it is not JSON (Expecting property name enclosed in double quotes: column 2)",
    "[1]": "it is [1]; expected an object",
    "null": "expected an object",
    "[" * 100_000: "it is not JSON",
    b'{"id": "\xff"}': "byte 9 is not UTF-8",
    '{"image": "strip.png"}': "id is missing",
    '{"id": "", "image": "strip.png"}': "id is ''",
    '{"id": true, "image": "strip.png"}': "id is True",
    '{"id": 1.5, "image": "strip.png"}': "id is 1.5",
    '{"id": "\\ud800", "image": "strip.png"}': "valid Unicode",
    '{"id": "a"}': "image is missing",
    '{"id": "a", "image": 5}': "image is 5; expected text",
    '{"id": "a", "image": "strip.png", "regio": []}': "unknown key regio",
    '{"id": "a", "image": "strip.png", "regions": []}': "regions is empty",
    '{"id": "a", "image": "strip.png", "regions": 5}': "regions is 5; expected a list",
    '{"id": "a", "image": "strip.png", "regions": ["9/6"]}': "Line 2",
    '{"id": "a", "image": "strip.png", "regions": ["somewhere"]}': "regions[0] is 'somewhere'; expected a region",
    '{"id": "a", "image": "strip.png", "regions": [{"kind": "box", "x0": 1}]}': "Line 2: regions[0].x1 is missing",
    '{"id": "a", "image": "strip.png", "regions": ["box:0,0,500,20"]}': "leaves the image",
    '{"id": "a", "image": "strip.png", "regions": [{"kind": "mask", "file": "none.png"}]}': "none.png",
    '{"id": "a", "image": "strip.png", "max_tokens": 0}': "Line 2: max_tokens=0",
    '{"id": "a", "image": "strip.png", "prompt": 7}': "prompt is 7; expected text",
    '{"id": "a", "image": "none.png"}': "There is no file 'none.png'",
    '{"id": "a", "image": "jobs.jsonl"}': "jobs.jsonl",
    '{"id": "a", "messages": []}': "Line 2",
    '{"id": "a", "messages": [{"role": "user", "content": []}], "image": "x"}': "unknown key image",
    '{"id": "first", "image": "strip.png"}': "the id 'first' is that of line 1 too",
}


@pytest.mark.parametrize("line", WRONG, ids=lambda line: str(line[:70]))
def test_a_wrong_row_is_told_and_the_others_are_answered(run, line):
    good = [{"id": name, "image": "strip.png"} for name in ("first", "last")]
    write([good[0], line, good[1]])
    result = run("batch", "jobs.jsonl", "-o", "answers.jsonl")
    assert (result.exit_code, result.stdout) == (3, ""), result.stderr
    assert [each["id"] for each in read()] == ["first", "last"]
    ((_, _, message),) = failed()
    assert WRONG[line] in message
    assert message.startswith("Line 2")
    assert "2 of 3 answered. 1 failed: 'answers.errors.jsonl' says why." in result.stderr
    assert message[:60] in result.stderr


def test_what_failed_is_tried_again_by_the_same_command_and_comes_to_its_place(run):
    write([{"id": k, "image": f"{k}.png"} for k in range(4)])
    for k in (0, 2, 3):
        picture(f"{k}.png", k)
    assert run("batch", "jobs.jsonl", "-o", "answers.jsonl").exit_code == 3
    assert [each[0] for each in failed()] == [1]
    picture("1.png", 1)
    result = run("batch", "jobs.jsonl", "-o", "answers.jsonl")
    assert (result.exit_code, "3 of 4 are answered already." in result.stderr) == (0, True)
    assert [each["id"] for each in read()] == [0, 1, 2, 3]
    assert not Path("answers.errors.jsonl").exists()


def test_no_row_can_be_asked(run):
    write(["{"] * 30)
    result = run("batch", "jobs.jsonl", "-o", "answers.jsonl")
    assert (result.exit_code, len(failed())) == (3, 30)
    assert len(result.stderr.splitlines()) < 15
    assert not Path("answers.jsonl").exists()


@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf", b"\n \n", b"\xef\xbb\xbf\r\n"])
@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"\n\n\t\n"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\r\n"])
def test_lines_as_editors_write_them(run, begin, between, end):
    lines = [json.dumps({"id": k, "image": "strip.png"}).encode() for k in range(3)]
    Path("jobs.jsonl").write_bytes(begin + between.join(lines) + end)
    assert run("batch", "jobs.jsonl", "-o", "answers.jsonl").exit_code == 0
    assert [each["id"] for each in read()] == [0, 1, 2]


def test_lines_are_counted_as_editors_count(run):
    Path("jobs.jsonl").write_text('\n{"id": 1, "image": "strip.png"}\n\n{\n')
    run("batch", "jobs.jsonl", "-o", "answers.jsonl")
    assert failed()[0][2].startswith("Line 4: ")


def test_a_line_may_be_large_but_not_without_bound(run, monkeypatch):
    monkeypatch.setattr(jobs_module, "LONGEST", 5000)
    monkeypatch.setattr(jobs_module, "_BLOCK", 64)
    row = {"id": 1, "image": "strip.png"}
    write([{**row, "prompt": "?" * 3000}, {**row, "id": 2, "prompt": "?" * 6000}, {**row, "id": 3}])
    assert run("batch", "jobs.jsonl", "-o", "answers.jsonl").exit_code == 3
    assert [each["id"] for each in read()] == [1, 3]
    assert "bytes; expected" in failed()[0][2]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_jobs(run, content):
    Path("jobs.jsonl").write_bytes(content)
    result = run("batch", "jobs.jsonl", "-o", "answers.jsonl")
    assert (result.exit_code, "is empty" in result.stderr) == (1, True)
    Path("jobs.jsonl").write_text('{"id": 1}', encoding="utf-16")
    assert "UTF-16" in run("batch", "jobs.jsonl", "-o", "answers.jsonl").stderr
    assert "cannot be read" in run("batch", "none.jsonl", "-o", "answers.jsonl").stderr
    assert not Path("answers.jsonl").exists()


def test_rows_of_an_image_are_answered_together_and_told_as_they_were_given(run, monkeypatch):
    """However they are mixed: the projector sees each image once, although the cache holds none."""
    for k in range(20):
        picture(f"{k}.png", k)
    write(
        [
            {"id": f"{k}/{panel}", "image": f"{k}.png", "regions": [f"{panel}/6"]}
            for panel in (1, 2, 3)
            for k in range(20)
        ]
    )
    encoded, plain = [], fake.Projector.encode
    monkeypatch.setattr(load, "ImageCache", lambda budget: ImageCache(0))
    monkeypatch.setattr(fake.Projector, "encode", lambda *given: encoded.append(1) or plain(*given))
    assert run("batch", "jobs.jsonl", "-o", "answers.jsonl").exit_code == 0
    assert [each["id"] for each in read()] == [f"{k}/{panel}" for panel in (1, 2, 3) for k in range(20)]
    assert [each["text"] for each in read()] == [
        fake.steered_text(0, panel - 1) for panel in (1, 2, 3) for _ in range(20)
    ]
    assert len(encoded) == 20


def test_many_are_answered_in_the_same_batches(model, tmp_path):
    picture(tmp_path / "a.png")
    write([{"id": k, "image": "a.png", "regions": [f"{k % 6 + 1}/6"], "prompt": "?" * k} for k in range(32)],
          tmp_path / "jobs.jsonl")  # fmt: skip
    jobs = JobFile(tmp_path / "jobs.jsonl")
    model.look(tmp_path / "a.png").describe()
    before = len(model.session.native.batches)
    told = Batch(Plan(jobs, {}), Files(tmp_path / "x.jsonl"), beside(str(tmp_path))).run(model)
    jobs.close()
    assert (told.rows, told.before, told.answered, told.failed) == (32, 0, 32, 0)
    widths = [len(each) for kind, each, _ in model.session.native.batches[before:] if kind == "text"]
    assert sum(widths) / len(widths) > 4


def test_memory_does_not_grow_with_the_number_of_images(model, tmp_path, monkeypatch):
    """However many there are, those of the answers that go on and a few more are held."""
    plain, alive, counts = Scene.__init__, weakref.WeakSet(), []

    def init(scene, *given, **named):
        plain(scene, *given, **named)
        alive.add(scene)

    monkeypatch.setattr(Scene, "__init__", init)
    for k in range(200):
        picture(tmp_path / f"{k}.png", k, (32, 32))
    write([{"id": k, "image": f"{k}.png", "max_tokens": 1} for k in range(200)], tmp_path / "jobs.jsonl")
    jobs = JobFile(tmp_path / "jobs.jsonl")
    batch = Batch(Plan(jobs, {}), Files(tmp_path / "answers.jsonl"), beside(str(tmp_path)))
    batch.run(model, step=lambda: counts.append(len(alive)))
    jobs.close()
    assert len(counts) == 200
    assert 0 < max(counts) < 60


class TestFromTheCommandLine:
    """Images x regions x prompts, folders, grids and boxes."""

    def test_images_regions_and_prompts(self, run):
        picture("other.png", 9)
        regions = ("--panel", "1/6", "--box", "0,0,16,16", "--panel", "2/6")
        args = (*regions, "--prompt", "What?", "--prompt", "Why?")
        result = run("batch", "strip.png", "other.png", *args, "-o", "answers.jsonl")
        assert result.exit_code == 0, result.stderr
        ends = [f"#{region}?{prompt}" for region in (1, 2, 3) for prompt in (1, 2)]
        assert [each["id"] for each in read()] == [name + end for name in ("strip.png", "other.png") for end in ends]
        kinds = ["panel", "box", "panel"]  # as they are given
        assert [[region["kind"] for region in each["regions"]] for each in read()[:6:2]] == [[kind] for kind in kinds]
        assert [each["prompt"] for each in read()[:6]] == ["What?", "Why?"] * 3
        assert "Each region is a job of its own" in " ".join(run("batch", "--help").stdout.split())

    def test_a_folder_and_a_grid(self, run):
        for name in ("photos/b.png", "photos/a/c.PNG", "photos/a.bmp"):
            picture(name, len(name))
        Path("photos/notes.txt").write_text("no image")
        assert run("batch", "photos", "--grid", "2x3", "-o", "answers.jsonl").exit_code == 0
        found = read()
        assert [each["image"] for each in found[::6]] == ["photos/a.bmp", "photos/a/c.PNG", "photos/b.png"]
        assert found[0]["id"] == "photos/a.bmp#1"
        assert [(each["regions"][0]["row"], each["regions"][0]["col"]) for each in found[:6]] == [
            (row, col) for row in (1, 2) for col in (1, 2, 3)
        ]
        assert run("batch", "photos", "-o", "photos/whole.jsonl").exit_code == 0
        assert [each["id"] for each in read("photos/whole.jsonl")] == [each["image"] for each in found[::6]]
        assert run("batch", "photos", "-o", "photos/whole.jsonl").exit_code == 0  # it may lie among the images

    def test_images_that_our_own_model_does_not_know(self, run):
        """That is said once, and early."""
        told = "knows only the comic strips and scenes that lookhere draws"
        picture("flat.png", 9)
        assert told not in run("batch", "flat.png", "-o", "flat.jsonl").stderr
        for name in ("a.png", "b.png"):
            noise = np.random.default_rng(ord(name[0])).integers(0, 255, (32, 96, 3), np.uint8)
            Image.fromarray(noise).save(name)
        result = run("batch", "flat.png", "a.png", "b.png", "--grid", "1x2", "-o", "answers.jsonl")
        assert (result.exit_code, result.stderr.count(told)) == (0, 1)
        assert result.stderr.index(told) < result.stderr.index("6 of 6 answered")

    def test_a_folder_without_images(self, run):
        Path("photos").mkdir()
        result = run("batch", "photos", "-o", "answers.jsonl")
        assert (result.exit_code, "There is no image in the folder" in result.stderr) == (1, True)

    @pytest.mark.parametrize("name", ["photo", "photo/", "photo.png", "nowhere/photo.png"])
    def test_a_name_of_nothing(self, run, name):
        """Of what is named, all is there, or nothing is begun."""
        result = run("batch", "strip.png", name, "-o", "answers.jsonl")
        assert (result.exit_code, "There is no file and no folder" in result.stderr) == (1, True)
        assert not Path("answers.jsonl").exists()

    def test_addresses(self, run):
        """They are read as they are written."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"http://127.0.0.1:{server.getsockname()[1]}/a.png"
        data = "data:image/png;base64," + base64.b64encode(Path("strip.png").read_bytes()).decode()
        uri = Path("strip.png").resolve().as_uri()
        assert run("batch", address, data, uri, "-o", "answers.jsonl").exit_code == 3
        assert [each["id"] for each in read()] == [data, uri]
        assert [each[:2] for each in failed()] == [(address, "ImageError")]

    def test_boxes(self, run):
        for name in ("a.png", "b.png"):
            picture(f"photos/{name}", ord(name[0]))
        sizes = {"width": 96, "height": 32}
        labels = {
            "images": [{"id": 5, "file_name": "b.png", **sizes}, {"id": 4, "file_name": "a.png", **sizes}],
            "annotations": [
                {"id": 30, "image_id": 4, "category_id": 1, "bbox": [0, 0, 16, 16]},
                {"id": 10, "image_id": 5, "category_id": 1, "bbox": [80, 16, 40, 40]},
                {"id": 11, "image_id": 5, "category_id": 1, "bbox": [0, 0, 96, 32], "iscrowd": 1},
                {"id": 12, "image_id": 5, "category_id": 1, "bbox": [200, 0, 5, 5]},
            ],
            "categories": [{"id": 1, "name": "dog"}],
        }
        Path("boxes.json").write_text(json.dumps(labels))
        result = run("batch", "--coco", "boxes.json", "--images", "photos", "-o", "answers.jsonl")
        assert result.exit_code == 3, result.stderr
        assert [(each["id"], each["text"]) for each in read()] == [
            (10, fake.steered_text(1, 5)), (30, fake.steered_text(0, 0)),
        ]  # fmt: skip
        assert [each[:2] for each in failed()] == [(12, "RegionError")]
        labels["annotations"][0]["bbox"] = [0, 0, "wide", 3]
        Path("boxes.json").write_text(json.dumps(labels))
        assert "not in COCO's format" in run("batch", "--coco", "boxes.json", "-o", "x.jsonl").stderr

    @pytest.mark.parametrize(
        ("args", "told"),
        [
            ((), "Missing JOBS"),
            (("-",), "standard input"),
            (("jobs.jsonl", "--panel", "1/6"), "name their regions"),
            (("jobs.jsonl", "--prompt", "a", "--prompt", "b"), "have their prompts"),
            (("strip.png", "--coco", "boxes.json"), "leave out"),
            (("strip.png", "--images", "."), "--images is for"),
            (("strip.png", "-o", "answers.txt"), "expected a name that ends in"),
            (("strip.png", "jobs.jsonl"), "'jobs.jsonl' is a file of jobs, which stands alone"),
        ],
    )
    def test_wrong_use(self, run, args, told):
        write([{"id": 1, "image": "strip.png"}])
        result = run("batch", "-o", "answers.jsonl", *args)
        assert (result.exit_code, told in " ".join(result.stderr.split())) == (2, True), result.stderr

    def test_options_hold_for_rows_that_do_not_say_otherwise(self, run):
        write([{"id": 1, "image": "strip.png"}, {"id": 2, "image": "strip.png", "max_tokens": 3, "prompt": "?"}])
        assert run("batch", "jobs.jsonl", "-o", "a.jsonl", "--max-tokens", 5, "--prompt", "Hm?").exit_code == 0
        assert [each["text"] for each in read("a.jsonl")] == [fake.UNSTEERED[:5], fake.UNSTEERED[:3]]
        assert [each["prompt"] for each in read("a.jsonl")] == ["Hm?", "?"]

    def test_images_lie_beside_the_jobs_or_where_it_is_said(self, run):
        picture("deep/photos/a.png")
        write([{"id": 1, "image": "photos/a.png"}], "deep/jobs.jsonl")
        assert run("batch", "deep/jobs.jsonl", "-o", "a.jsonl").exit_code == 0
        write([{"id": 1, "image": "a.png", "regions": [{"kind": "mask", "file": "m.png"}]}])
        Image.fromarray(np.full((32, 96), 255, np.uint8)).save("deep/photos/m.png")
        result = run("batch", "jobs.jsonl", "--images", "deep/photos", "-o", "b.jsonl")
        assert result.exit_code == 0, failed("b.errors.jsonl")


class TestFiles:
    """What is there already."""

    JOBS = ({"id": 1, "image": "strip.png"}, {"id": 2, "image": "strip.png", "prompt": "?"})

    @pytest.fixture(autouse=True)
    def _jobs(self, run):
        write(self.JOBS)
        self.run = lambda *args: run("batch", "jobs.jsonl", "-o", "answers.jsonl", *args)

    def refused(self, *args):
        before = Path("answers.jsonl").read_bytes()
        result = self.run(*args)
        assert result.exit_code == 1, result.stderr
        assert Path("answers.jsonl").read_bytes() == before
        return " ".join(result.stderr.split())

    def test_no_input_is_replaced(self, run):
        before = Path("jobs.jsonl").read_bytes()
        for output in ("jobs.jsonl", "./jobs.jsonl"):
            result = run("batch", "jobs.jsonl", "-o", output, "--force")
            assert (result.exit_code, "would be lost; name another file" in result.stderr) == (1, True)
        write(self.JOBS, "a.errors.jsonl")
        assert run("batch", "a.errors.jsonl", "-o", "a.jsonl").exit_code == 1
        assert Path("jobs.jsonl").read_bytes() == before

    def test_a_file_of_somebody_else_stays(self):
        Path("answers.jsonl").write_text('{"id": 1}\n')
        assert "lookhere batch did not write it" in self.refused()
        assert self.run("--force").exit_code == 0
        assert len(read()) == 2

    def test_a_file_of_errors_of_somebody_else_stays(self):
        for content in ("my notes\n", '{"id": 1}\n', "[]\n"):
            Path("answers.errors.jsonl").write_text(content)
            result = self.run("--force")
            assert (result.exit_code, "Move it, or name the answers otherwise" in result.stderr) == (1, True)
            assert Path("answers.errors.jsonl").read_text() == content
        Path("answers.errors.jsonl").write_text("")
        assert self.run().exit_code == 0

    def test_changed_rows_are_refused_by_name(self):
        assert self.run().exit_code == 0
        write([self.JOBS[0], {**self.JOBS[1], "prompt": "!"}])
        assert "answers the job '2', which has been changed since" in self.refused()
        write([self.JOBS[0]])
        assert "answers the job '2', which is not among the jobs any more" in self.refused()

    def test_rows_may_be_added_moved_and_mended(self):
        write([*self.JOBS, {"id": 3}])
        assert self.run().exit_code == 3
        write([{"id": 0, "image": "strip.png"}, {"id": 3, "image": "strip.png"}, *self.JOBS[::-1]])
        assert self.run().exit_code == 0
        assert [each["id"] for each in read()] == [0, 3, 2, 1]

    @pytest.mark.parametrize(
        ("args", "name"),
        [
            (("--max-tokens", 5), "max tokens: 'the default', and it is '5' now"),
            (("--strength", 3), "strength"),
            (("--prompt", "Hm?"), "question"),
            (("--full",), "detail: 'short', and it is 'full' now"),
            (("--model", "other.gguf", "--mmproj", "mmproj-model.gguf", "--heads", "heads.json"), "model: 'Fake, "),
            (("--heads", "heads.json"), "head set"),
        ],
    )
    def test_another_model_or_option_is_refused_by_name(self, head_set, args, name):
        fake.write_gguf("other.gguf", name="Other")
        head_set.top(1).write("heads.json")
        assert self.run().exit_code == 0
        assert f"were made with another {name}" in self.refused(*args)
        assert self.run().exit_code == 0
        assert self.run(*args, "--force").exit_code == 0

    def test_lines_that_are_not_ours(self):
        assert self.run().exit_code == 0
        whole = Path("answers.jsonl").read_text()
        Path("answers.jsonl").write_text("{}\n" + whole)
        assert "Line 1 of 'answers.jsonl' is no answer of lookhere batch" in self.refused()
        Path("answers.jsonl").write_text(whole + whole)
        assert "which an earlier line answers too" in self.refused()
        Path(".answers.jsonl.batch").unlink()
        assert "lookhere batch did not write it" in self.refused()

    def test_two_at_a_time(self, model, tmp_path):
        """The second is refused, while the first goes on."""
        entered = threading.Event()
        jobs = JobFile(tmp_path / "jobs.jsonl")
        batch = Batch(Plan(jobs, {}), Files(tmp_path / "answers.jsonl"), beside(str(tmp_path)))

        def begun(before, left):
            for each in (batch, replace(batch, force=True)):
                with pytest.raises(JobsError, match="Another lookhere batch writes"):
                    each.run(model)
            entered.set()

        batch.run(model, begun=begun)
        jobs.close()
        assert entered.is_set()
        assert len(read(tmp_path / "answers.jsonl")) == 2

    def test_regions_without_a_head_set(self, model, tmp_path):
        write([{"id": 1, "image": "strip.png", "regions": ["1/6"]}])
        model.head_set = None
        jobs = JobFile(tmp_path / "jobs.jsonl")
        with pytest.raises(lookhere.HeadSetMissingError, match="Rows name regions"):
            Batch(Plan(jobs, {}), Files(tmp_path / "answers.jsonl"), beside("")).run(model)
        jobs.close()


class TestParquet:
    """A table in place of lines."""

    @pytest.fixture(autouse=True)
    def _pyarrow(self):
        pytest.importorskip("pyarrow")

    def test_the_table(self, run):
        from pyarrow import parquet

        write([{"id": k, "image": "strip.png", "regions": [f"{k}/6"]} for k in (3, 1, 2)])
        assert run("batch", "jobs.jsonl", "-o", "answers.jsonl").exit_code == 0
        assert run("batch", "jobs.jsonl", "-o", "answers.parquet").exit_code == 0
        rows = parquet.read_table("answers.parquet").to_pylist()
        lines = read()
        assert [each["id"] for each in rows] == ["3", "1", "2"]
        for name in ("image", "prompt", "text", "finish", "ask"):
            assert [each[name] for each in rows] == [each[name] for each in lines]
        assert [json.loads(each["regions"]) for each in rows] == [each["regions"] for each in lines]
        assert [each["where"] for each in rows] == [each["where"]["box"] for each in lines]
        assert [each["answer_tokens"] for each in rows] == [each["tokens"]["answer"] for each in lines]
        assert rows[0]["answer"] is None

    def test_it_goes_on_and_replaces_no_table_of_somebody_else(self, run):
        from pyarrow import parquet

        Path("answers.parquet").write_bytes(b"mine")
        write([{"id": 1, "image": "strip.png"}, {"id": 2, "image": "late.png"}])
        command = ("batch", "jobs.jsonl", "-o", "answers.parquet", "--full")
        assert run(*command).exit_code == 1
        assert Path("answers.parquet").read_bytes() == b"mine"
        assert run(*command, "--force").exit_code == 3
        picture("late.png", 3)
        result = run(*command)
        assert (result.exit_code, "1 of 2 are answered already" in result.stderr) == (0, True)
        rows = parquet.read_table("answers.parquet").to_pylist()
        assert [each["id"] for each in rows] == ["1", "2"]
        assert read_answer(json.loads(rows[1]["answer"])).text == rows[1]["text"]


def test_without_pyarrow(run, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    write([{"id": 1, "image": "strip.png"}])
    result = run("batch", "jobs.jsonl", "-o", "answers.parquet")
    assert (result.exit_code, "pip install 'lookhere[batch]'" in result.stderr) == (1, True)
    assert not Path("answers.parquet").exists()
