"""lookhere.ray: the jobs of lookhere batch on a local cluster of two workers, one of which is killed."""

import contextlib
import inspect
import json
import os
import re
import signal
from pathlib import Path

import pytest

ray = pytest.importorskip("ray", reason="the extra ray is not installed")
pytest.importorskip("ray.data", reason="the extra ray is not installed")

import lookhere.ray
from lookhere import JobsError, OptionError
from lookhere.batch.failure import Failure
from lookhere.batch.jobs import Rows
from lookhere.batch.plan import Plan
from lookhere.comics import generate_strip
from lookhere.ray.opener import opener
from lookhere.ray.parts import Parts
from lookhere.ray.pipeline import _groups

STRIPS = 8
PACKAGE = str(Path(lookhere.__file__).parents[1])

pytestmark = [pytest.mark.filterwarnings("default")]  # Ray's own


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two processors, no more memory than it needs."""
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80 * 2**20,
        runtime_env={"env_vars": {"PYTHONPATH": PACKAGE, "OMP_NUM_THREADS": "1"}},
    )  # fmt: skip
    yield
    ray.shutdown()


@pytest.fixture
def jobs(tmp_path):
    """Six rows of each strip, and two that fail."""
    rows, captions = [], {}
    for k in range(STRIPS):
        strip = generate_strip(k)
        strip.image.save(tmp_path / f"{k}.png")
        for panel in range(1, 7):
            rows.append({"id": f"{k}/{panel}", "image": f"{k}.png", "regions": [f"{panel}/6"]})
            captions[f"{k}/{panel}"] = strip.captions[panel - 1]
    rows += [{"id": "none", "image": "none.png"}, {"id": "bad"}]
    path = tmp_path / "jobs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path, captions


def workers():
    """The processes that answer, of this user's clusters."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name = (folder / "cmdline").read_bytes()
            if name.startswith(b"ray::") and b"Worker" in name and b"IDLE" not in name:
                found.add(int(folder.name))
    return found


def lines(folder):
    return [json.loads(line) for part in sorted(Path(folder).glob("part-*")) for line in part.read_text().splitlines()]


class Stop(Exception):
    """A driver that ends."""


def test_a_worker_is_killed_and_the_driver_stopped(cluster, jobs, tmp_path):
    """Every answer is there once, in the order of the jobs; what was written is not answered again."""
    path, captions = jobs
    there, counts = tmp_path / "answers", []
    known = workers()

    def run(told):
        return lookhere.ray.answer_all(path, there, workers=2, rows=6, form="jsonl", told=told, threads=1)

    def stop(answered):
        counts.append(answered)
        if answered >= 12:
            raise Stop

    with pytest.raises(Stop):
        run(stop)
    written = lines(there)
    assert len(written) == counts[-1]
    assert 12 <= len(written) < len(captions)

    killed = []

    def kill(answered):
        counts.append(answered)
        if not killed:
            alive = workers() - known
            assert len(alive) == 2, alive
            killed.append(min(alive))
            os.kill(killed[0], signal.SIGKILL)

    told = run(kill)
    assert len(killed) == 1
    assert (told.rows, told.before, told.failed) == (len(captions) + 2, len(written), 2)
    assert told.before + told.answered == len(captions)
    found = lines(there)
    assert [each["id"] for each in found] == list(captions)
    assert found[: len(written)] == written
    assert sum(captions[each["id"]] == each["text"] for each in found) > 0.9 * len(captions)
    wrong = [json.loads(line) for line in (there / "_errors.jsonl").read_text().splitlines()]
    assert sorted((each["id"], each["error"]) for each in wrong) == [("bad", "JobsError"), ("none", "ImageError")]


def test_what_the_page_shows(cluster, jobs, tmp_path, capsys):
    """Its call, and a second one with other options, which is refused by name."""
    path, captions = jobs
    lines = path.read_text().splitlines()[:6]
    path.write_text("\n".join(lines))
    page = (Path(__file__).parents[2] / "docs/cluster.md").read_text().replace("s3://bucket", str(tmp_path))
    call, read = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(compile(call, "cluster.md", "exec"), {})
    assert "answered=6" in capsys.readouterr().out
    pytest.importorskip("pandas")
    names = {}
    exec(compile(read, "cluster.md", "exec"), names)
    assert names["table"]["id"].tolist() == list(captions)[:6]
    path.write_text("\n".join([*lines, '{"id": "more", "image": "0.png"}']))
    with pytest.raises(JobsError, match="made with another max tokens: '40', and a worker has '3'"):
        lookhere.ray.answer_all(path, tmp_path / "answers", options={"max_tokens": 3}, threads=1)
    assert len(list((tmp_path / "answers").glob("part-*"))) == 1


def test_the_page_names_every_argument():
    page = (Path(__file__).parents[2] / "docs/cluster.md").read_text()
    table = re.search(r"^\| argument \|.*?\n\n", page, re.MULTILINE | re.DOTALL)[0]
    named = re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in table.splitlines()[2:] if line))
    assert sorted(named) == sorted(inspect.signature(lookhere.ray.answer_all).parameters.keys() - {"loading"})


class TestParts:
    """A folder, here and in a store."""

    ROWS = tuple({"id": k, "image": f"{k // 2}.png"} for k in range(10))

    @pytest.fixture(params=["local", "memory"])
    def address(self, request, tmp_path):
        import fsspec

        if request.param == "local":
            yield str(tmp_path / "answers")
        else:
            yield "memory://bucket/answers"
            fsspec.filesystem("memory").rm("/bucket", recursive=True)

    @staticmethod
    def line(plan, number):
        line = {"id": number, "image": None, "regions": [], "prompt": "?", "text": "é", "finish": "end",
                "tokens": {"prompt": 1, "answer": 1}, "where": None, "ask": plan.digest(number)}  # fmt: skip
        return number, json.dumps(line) + "\n"

    @pytest.mark.parametrize("form", ["jsonl", "parquet"])
    def test_what_is_written_is_known_again(self, address, form):
        import fsspec

        plan = Plan(Rows(self.ROWS), {})
        parts = Parts(address, plan, form, force=False)
        parts.check({"model": "a"})
        parts.add([self.line(plan, k) for k in (0, 1, 2)])
        parts.add([self.line(plan, k) for k in (5, 3)])
        again = Parts(address, plan, form, force=False)
        assert again.done == {0, 1, 2, 3, 5}
        again.check({"model": "a"})
        with pytest.raises(JobsError, match="another model: 'a', and a worker has 'b'"):
            again.check({"model": "b"})
        again.failed([Failure(7, "7", "ImageError", "none")])
        names = sorted(path.rsplit("/", 1)[1] for path in fsspec.core.url_to_fs(address)[0].ls(address, detail=False))
        assert names == ["_errors.jsonl", "_settings.json", f"part-000000000000.{form}", f"part-000000000005.{form}"]
        changed = Plan(Rows([{**self.ROWS[0], "prompt": "!"}, *self.ROWS[1:]]), {})
        with pytest.raises(JobsError, match="answers the job '0', which has been changed since"):
            Parts(address, changed, form, force=False)
        with pytest.raises(JobsError, match="not among the jobs any more"):
            Parts(address, Plan(Rows(self.ROWS[:2]), {}), form, force=False)
        assert Parts(address, changed, form, force=True).done == set()

    def test_a_part_of_somebody_else(self, tmp_path):
        (tmp_path / "part-1.parquet").write_bytes(b"x")
        with pytest.raises(JobsError, match="is no part of answers"):
            Parts(str(tmp_path), Plan(Rows(self.ROWS), {}), "parquet", force=False)

    def test_groups_are_cut_between_images(self):
        plan = Plan(Rows(self.ROWS), {})
        groups = [[number for number, _, _ in json.loads(each)] for each in _groups(plan, {4}, 3)]
        assert groups == [[0, 1, 2, 3], [5, 6, 7], [8, 9]]


def test_images_of_a_store():
    import fsspec

    with fsspec.open("memory://bucket/a.png", "wb") as file:
        generate_strip(1).image.save(file, "PNG")
    whole, beside = opener("memory://bucket"), opener("/photos")
    assert whole("a.png") == beside("memory://bucket/a.png")
    assert whole("a.png").startswith("data:")
    assert whole("https://example.com/a.png") == "https://example.com/a.png"
    assert beside("a.png") == "/photos/a.png"
    with pytest.raises(lookhere.ImageError, match=r"memory://bucket/b\.png cannot be read"):
        whole("b.png")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"workers": 0}, "workers=0"), ({"rows": 0}, "rows=0"), ({"form": "csv"}, "form='csv'"),
        ({"jobs": 5}, "jobs=5"), ({"jobs": []}, "is empty"), ({"jobs": "none.jsonl"}, "cannot be read"),
        ({"jobs": "memory://none.jsonl"}, "cannot be read"),
    ],
)  # fmt: skip
def test_wrong_values(tmp_path, wrong, told):
    with pytest.raises((JobsError, OptionError), match=told):
        lookhere.ray.answer_all(**{"jobs": [{"id": 1, "image": "x"}], "output": tmp_path / "x", **wrong})


def test_without_ray(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionError, match=r"pip install 'lookhere\[ray\]'"):
        lookhere.ray.answer_all([{"id": 1, "image": "x"}], tmp_path / "x")
