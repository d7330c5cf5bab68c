"""lookhere batch, killed, stopped and cut off at any place: the same command ends with the same file."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_engine as fake
import lookhere
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lookhere.batch.jobs import JobFile
from lookhere.batch.plan import Plan
from lookhere.batch.row import beside
from lookhere.batch.work import Batch, Files
from lookhere.comics import generate_strip
from PIL import Image

COUNT = 12


@pytest.fixture
def batch(model, tmp_path):
    """Runs the jobs of the folder, six questions each about two images by turns; -> what is told."""
    for k in range(2):
        Image.new("RGB", (96, 32), (k, 0, 0)).save(tmp_path / f"{k}.png")
    rows = [
        {"id": f"{k} é", "image": f"{k % 2}.png", "regions": [f"{k % 6 + 1}/6"], "prompt": "?" * k}
        for k in range(COUNT)
    ]
    (tmp_path / "jobs.jsonl").write_text("\n".join(map(json.dumps, [*rows, {"id": "none", "image": "none.png"}])))

    def run(**told):
        jobs = JobFile(tmp_path / "jobs.jsonl")
        try:
            files = Files(tmp_path / "answers.jsonl")
            return Batch(Plan(jobs, {"max_tokens": 9}), files, beside(str(tmp_path))).run(model, **told)
        finally:
            jobs.close()

    return run


class TestCut:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
    @given(data=st.data())
    def test_at_any_byte_it_ends_with_the_same_file(self, batch, tmp_path, data):
        answers, errors = tmp_path / "answers.jsonl", tmp_path / "answers.errors.jsonl"
        told = batch()
        whole, wrong = answers.read_bytes(), errors.read_bytes()
        cut = data.draw(st.integers(0, len(whole)), label="cut")
        mixed = data.draw(st.permutations(whole.splitlines(keepends=True)), label="as they ended")
        answers.write_bytes(b"".join(mixed)[:cut])
        kept = answers.read_bytes().count(b"\n")
        told = batch()
        assert (told.before, told.answered, told.failed) == (kept, COUNT - kept, 1)
        assert answers.read_bytes() == whole
        assert errors.read_bytes() == wrong

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
    @given(bytes_=st.binary(max_size=30).filter(lambda each: b"\n" not in each))
    def test_a_torn_line_of_anything_is_redone(self, batch, tmp_path, bytes_):
        """As after the power failed: a last line may hold anything."""
        batch()
        answers = tmp_path / "answers.jsonl"
        whole = answers.read_bytes()
        answers.write_bytes(whole + bytes_)
        assert batch().answered == 0
        assert answers.read_bytes() == whole

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
    @given(limit=st.integers(0, 3000))
    def test_a_full_disk_tears_nothing(self, batch, tmp_path, limit):
        """The limit of the process stands for the disk's."""
        answers = tmp_path / "answers.jsonl"
        answers.unlink(missing_ok=True)
        batch()
        whole = answers.read_bytes()
        answers.write_bytes(b"")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
            with pytest.raises(OSError, match="large"):
                batch()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        if answers.exists():
            assert answers.read_bytes()[-1:] in (b"", b"\n")
        batch()
        assert answers.read_bytes() == whole

    def test_nothing_is_asked_twice(self, batch, tmp_path, monkeypatch):
        batch()
        lines = (tmp_path / "answers.jsonl").read_bytes().splitlines(keepends=True)
        (tmp_path / "answers.jsonl").write_bytes(b"".join(lines[:5] + lines[6:]))
        asked, plain = [], lookhere.Model.run
        monkeypatch.setattr(
            lookhere.Model, "run", lambda model, ask, **given: asked.append(ask) or plain(model, ask, **given)
        )
        assert batch().answered == 1
        assert [ask.prompt for ask in asked if ask.prompt == "?" * 5] == ["?" * 5]
        assert len(asked) <= 2  # the other is the one without an image

    def test_an_error_that_is_of_no_row_ends_all_and_keeps_what_is_there(self, batch, tmp_path, monkeypatch):
        whole = batch() and (tmp_path / "answers.jsonl").read_bytes()
        (tmp_path / "answers.jsonl").unlink()
        plain = fake.Session.decode_texts

        def broken(session, pieces, **options):
            if len(session.batches) % 7 == 6:
                raise ZeroDivisionError
            return plain(session, pieces, **options)

        with monkeypatch.context() as patch:
            patch.setattr(fake.Session, "decode_texts", broken)
            with pytest.raises(ZeroDivisionError):
                batch()
        assert (tmp_path / "answers.jsonl").read_bytes()[-1:] in (b"", b"\n")
        batch()
        assert (tmp_path / "answers.jsonl").read_bytes() == whole


def started(folder, *args):
    code = "from lookhere.cli import main; main()"
    command = [sys.executable, "-c", code, "batch", "jobs.jsonl", "-o", "answers.jsonl", *args]
    return subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )


@pytest.mark.usefixtures("builtin")
def test_killed_and_stopped_as_a_person_does_it(tmp_path):
    """The built-in model: kill -9 once, Ctrl-C once, and then to the end; every answer is there once, and right."""
    strips = 60  # more than are answered while the test looks away
    rows = []
    for k in range(strips):
        generate_strip(k).image.save(tmp_path / f"{k}.png")
        rows += [{"id": 10 * k + panel, "image": f"{k}.png", "regions": [f"{panel}/6"]} for panel in range(1, 7)]
    (tmp_path / "jobs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    answers, counts = tmp_path / "answers.jsonl", [0]
    for number, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130)):
        process = started(tmp_path)
        until = time.monotonic() + 120
        while (answers.read_bytes().count(b"\n") if answers.exists() else 0) < counts[-1] + 3:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(number)
        told = process.communicate(timeout=120)[1]
        assert process.returncode == code, told
        counts.append(answers.read_bytes().count(b"\n"))
        if number is signal.SIGINT:
            assert "Stopped. What was finished is kept in answers.jsonl. The same command goes on" in told
            assert answers.read_bytes().endswith(b"\n")
    assert counts[2] > counts[1] > 0
    assert counts[2] < len(rows)
    before = {json.loads(line)["id"]: line for line in answers.read_text().splitlines()}
    process = started(tmp_path)
    told = process.communicate(timeout=300)[1]
    assert (process.returncode, f"{counts[2]} of {6 * strips} are answered already" in told) == (0, True), told
    lines = answers.read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in rows]
    assert all(line in lines for line in before.values())
    captions = {}
    for k in range(strips):
        captions |= {10 * k + panel: text for panel, text in enumerate(generate_strip(k).captions, 1)}
    right = sum(captions[each["id"]] == each["text"] for each in map(json.loads, lines))
    assert right > 0.8 * 6 * strips
    assert not Path(tmp_path / "answers.errors.jsonl").exists()
