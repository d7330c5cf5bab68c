"""Images of one's own on the page: chosen, dropped, pasted, and what is none."""

import base64

import pytest
from on_page import BROWSER, answered

UNKNOWN = "knows only what lookhere draws"


def drop(page, path, kind="image/png", event="drop"):
    """As a browser tells of a file that is dropped or pasted."""
    data = base64.b64encode(path.read_bytes()).decode()
    page.evaluate(
        """async ({ data, name, kind, event }) => {
            const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type: kind }));
            if (event === 'paste') dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer }));
            else for (const each of ['dragenter', 'dragover', 'drop']) {
                const told = { dataTransfer: transfer, bubbles: true, cancelable: true };
                document.body.dispatchEvent(new DragEvent(each, told));
            }
        }""",
        {"data": data, "name": path.name, "kind": kind, "event": event},
    )


def shown(page, name):
    page.wait_for_function("name => document.querySelector('#image').alt === name", arg=name)


@pytest.mark.parametrize("how", ["choose", "photograph", "drop", "paste"])
def test_an_image_is_given(opened, photo, how):
    page = opened()
    if how in ("choose", "photograph"):
        page.locator("#file" if how == "choose" else "#camera").set_input_files(photo)
    elif how == "paste" and BROWSER == "firefox":
        pytest.skip("Firefox makes no paste event with a file")
    else:
        drop(page, photo, event=how)
    shown(page, photo.name)
    page.wait_for_function("() => document.querySelector('#steered .status').textContent.includes('First word')")
    assert page.locator("#place").text_content().startswith("Box 48, 48 to 80, 80")
    assert page.locator("input[name=tool]:checked").input_value() == "spot"
    assert UNKNOWN in page.locator("#notice").text_content()
    assert not page.locator("body").evaluate("body => body.classList.contains('dropping')")
    page.locator("#rows").fill("2")
    page.locator("#cols").fill("2")
    page.locator("input[name=tool][value=panel]").check()
    page.wait_for_function("() => document.querySelector('#place').textContent.startsWith('Row 2, column 2 of 2 × 2')")
    page.locator("#demo").click()
    shown(page, "strip.png")
    assert answered(page, "Frog")
    assert page.locator("#notice").is_hidden()


def test_what_is_no_image_is_said_to_be_none(opened, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not an image")
    page = opened()
    drop(page, path, kind="text/plain")
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('notes.txt is no image')")
    assert answered(page).startswith("Frog")  # what was there stays


def test_an_image_that_is_too_large_is_scaled_down(opened, photo, browser):
    page = opened()
    said = page.evaluate(
        """async () => {
            const { Picture } = await import('/page/picture.js');
            const canvas = document.createElement('canvas');
            canvas.width = 900; canvas.height = 300;
            const blob = await new Promise((resolve) => canvas.toBlob(resolve));
            const file = new File([blob], 'wide.png', { type: 'image/png' });
            const found = await Picture.of(file, { bytes: 1e6, pixels: 30000 });
            return [found.name, found.width, found.height, found.note, found.data.slice(0, 16)];
        }"""
    )
    assert said == [
        "wide-small.jpg",
        285,
        95,
        "Scaled down to 285 × 95, which is what this server takes.",
        "data:image/jpeg;",
    ]


FOREIGN = {
    "drawn.svg": ("image/svg+xml", ["drawn.jpg", 90, 60, "", "data:image/jpeg;"]),
    "photo.heic": ("image/heic", ["photo.jpg", 90, 60, "", "data:image/jpeg;"]),
    "large.heic": ("image/heic", ["large-small.jpg", 4729, 3547, "Scaled down", "data:image/jpeg;"]),
    "as it is.png": ("image/png", ["as it is.png", 90, 60, "", "data:image/png;b"]),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_the_browser_shows_the_server_can_read(opened, name):
    """Kinds of images that browsers show and servers need not read; only Safari shows HEIC, so that a PNG plays it."""
    kind, expected = FOREIGN[name]
    page = opened(wait=False)
    found = page.evaluate(
        """async ({ name, kind }) => {
            const { Picture } = await import('/page/picture.js');
            const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><path d="M0 0h9"/></svg>';
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = name.startsWith('large') ? [6000, 4500] : [90, 60];
            const png = await new Promise((resolve) => canvas.toBlob(resolve));
            const file = new File([name.endsWith('svg') ? svg : await png.arrayBuffer()], name, { type: kind });
            const { data, ...picture } = await Picture.of(file, { bytes: 1e8, pixels: 5e7 });
            return [picture.name, picture.width, picture.height, picture.note.slice(0, 11), data.slice(0, 16)];
        }""",
        {"name": name, "kind": kind},
    )
    assert found == expected
