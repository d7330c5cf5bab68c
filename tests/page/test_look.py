"""How the page looks: for everyone, on every screen."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from on_page import answered, panel, spot

SIZES = {"desktop": (1280, 900), "tablet": (820, 1180), "phone": (390, 844), "small phone": (320, 568)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_nobody_is_left_out(opened, scheme, size):
    """axe-core finds nothing, contrast included, with everything open."""
    if not find_spec("axe_playwright_python"):
        pytest.skip("axe_playwright_python is not installed")
    import axe_playwright_python

    width, height = SIZES[size]
    page = opened(viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce")
    page.mouse.click(*spot(page, *panel(3)))
    answered(page, "Elephant")
    page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.wait_for_timeout(200)
    page.evaluate(Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text() + "\n;0")
    found = page.evaluate("() => axe.run()")["violations"]
    assert [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found] == []


@pytest.mark.parametrize("size", SIZES)
def test_it_fits(opened, size):
    width, height = SIZES[size]
    page = opened(viewport={"width": width, "height": height}, is_mobile="phone" in size, has_touch="phone" in size)
    page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    for button in page.locator("button:visible, .button:visible").all():
        box = button.bounding_box()
        assert box["x"] >= 0, button.text_content()
        assert box["x"] + box["width"] <= width, button.text_content()


def test_motion_is_reduced(opened):
    page = opened(reduced_motion="reduce")
    moving = """() => [...document.querySelectorAll('*')]
        .some((each) => parseFloat(getComputedStyle(each).transitionDuration))"""
    assert not page.evaluate(moving)
    assert opened().evaluate(moving)
