"""The patch applier: what `git diff` writes applies exactly, anything else is refused."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "ggml_patches"))

import unified_diff
from unified_diff import PatchError

OLD = b"".join(b"line %d\n" % n for n in range(1, 13))
PATCH = b"""\
From 0123 Mon Sep 17 00:00:00 2001
Subject: [PATCH] A change

---
 a.txt | 2 +-

diff --git a/src/a.txt b/src/a.txt
index 1..2 100644
--- a/src/a.txt
+++ b/src/a.txt
@@ -2,3 +2,4 @@ context
 line 2
-line 3
+line three
+line three and a half
 line 4
@@ -10,2 +11,1 @@
 line 10
-line 11
--
2.39.5
"""


def apply(files: dict[str, bytes], patch: bytes) -> dict[str, bytes]:
    return unified_diff.apply(files, unified_diff.parse(patch, "p.patch"), "p.patch")


def test_a_change_with_two_hunks() -> None:
    files = {"src/a.txt": OLD, "b": b"x"}
    result = apply(files, PATCH)
    assert result["src/a.txt"] == OLD.replace(b"line 3\n", b"line three\nline three and a half\n").replace(
        b"line 11\n", b""
    )
    assert result["b"] == b"x"
    assert files["src/a.txt"] == OLD


def test_new_and_deleted_files() -> None:
    patch = b"""\
diff --git a/src/new.h b/src/new.h
new file mode 100644
index 000..111
--- /dev/null
+++ b/src/new.h
@@ -0,0 +1,2 @@
+one
+two
\\ No newline at end of file
diff --git a/old b/old
deleted file mode 100644
--- a/old
+++ /dev/null
@@ -1 +0,0 @@
-gone
"""
    assert apply({"old": b"gone\n"}, patch) == {"src/new.h": b"one\ntwo"}
    with pytest.raises(PatchError, match="to be made new, but it is already there"):
        apply({"old": b"gone\n", "src/new.h": b""}, patch)
    with pytest.raises(PatchError, match="no such file"):
        apply({}, PATCH)
    with pytest.raises(PatchError, match="leaves text in it"):
        apply({"old": b"gone\nnot gone\n"}, patch)


def test_missing_newline_at_the_end() -> None:
    patch = b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n"
    assert apply({"f": b"x"}, patch) == {"f": b"x\n"}
    with pytest.raises(PatchError):
        apply({"f": b"x\n"}, patch)


def test_context_must_match_where_the_hunk_says() -> None:
    with pytest.raises(PatchError, match=r"src/a.txt: hunk 1 \(line 2\): its lines are at line 3 of the source"):
        apply({"src/a.txt": b"line 0\n" + OLD}, PATCH)
    with pytest.raises(PatchError, match="line 4 is 'line four', the patch expects 'line 4'"):
        apply({"src/a.txt": OLD.replace(b"line 4", b"line four")}, PATCH)
    with pytest.raises(PatchError, match="hunk 2"):
        apply({"src/a.txt": OLD.replace(b"line 11", b"line eleven")}, PATCH)
    with pytest.raises(PatchError):  # white space counts
        apply({"src/a.txt": OLD.replace(b"line 4", b"line 4 ")}, PATCH)
    with pytest.raises(PatchError, match="end of file"):
        apply({"src/a.txt": b"line 1\nline 2\nline 3\n"}, PATCH)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (b"", "holds no diff"),
        (b"just text\n", "holds no diff"),
        (b"--- a/f\n+++ b/f\n", "no hunk"),
        (b"@@ -1 +1 @@\n-x\n+y\n", "a hunk without a file"),
        (b"--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n-x\n+y\n", "cut short"),
        (b"--- a/f\n+++ b/f\n@@ -1,2 +1,1 @@\n x\n y\n", "more lines than it says"),
        (b"--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n-x\n+y\nz\n", "not a line of a hunk"),
        (b"--- a/f\n+++ b/g\n@@ -1 +1 @@\n-x\n+y\n", "rename"),
        (b"--- a/../../f\n+++ b/../../f\n@@ -1 +1 @@\n-x\n+y\n", "not a path"),
        (b"--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-x\n+y\n", "not a path"),
        (b"diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n", "not supported|without a change"),
        (b"diff --git a/f b/f\nold mode 100644\nnew mode 100755\n", "not supported"),
        (b"diff --git a/f b/f\nindex 1..2\nGIT binary patch\n", "not supported"),
        (b"diff --git a/f b/f\nnew file mode 100644\nindex 000..111\n", "without a change"),
        (b"--- a/f\n+++ b/f\n@@ -1 +7 @@\n-x\n+y\n", "does not follow"),
        (b"--- a/f\n+++ b/f\n@@ -2 +2 @@\n-y\n+z\n@@ -1 +1 @@\n-x\n+y\n", "overlaps"),
    ],
)
def test_refused(patch: bytes, message: str) -> None:
    with pytest.raises(PatchError, match=message):
        apply({"f": b"x\ny\n"}, patch)


lines = st.lists(
    st.sampled_from(["a\n", "b\n", "c\r\n", "\n", " d\n", "-e\n", "+f\n", "@@ g\n", "h\rh\n"]), max_size=30
)


@given(lines, lines, st.integers(0, 4))
def test_whatever_difflib_writes(old: list[str], new: list[str], context: int) -> None:
    diff = list(difflib.unified_diff(old, new, "a/f", "b/f", n=context, lineterm="\n"))
    if not diff:
        return
    content = "".join(old).encode()
    assert apply({"f": content}, "".join(diff).encode()) == {"f": "".join(new).encode()}
