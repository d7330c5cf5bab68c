"""The page and its server: gone and back, errors, a token, what other sites may not do."""

import urllib.error
import urllib.request

import pytest
from on_page import CAPTIONS, Served, answered, panel, spot

SAID = ("ERR_CONNECTION_REFUSED", "WebSocket connection", "establish a connection", "401")  # the browser's own words


@pytest.fixture
def own(request):
    found = Served("serve", *getattr(request, "param", ()))
    yield found
    found.stop()


def test_the_server_goes_and_comes_back(opened, own):
    page = opened(own.url, expected=SAID)
    own.stop()
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('does not answer')")
    page.mouse.click(*spot(page, *panel(3)))  # asked while nobody answers
    own.start(own.port)
    assert answered(page, "Elephant")
    assert page.locator("#notice").is_hidden()
    page.mouse.click(*spot(page, *panel(4)))
    assert answered(page, "Rabbit")


def test_a_reload_begins_afresh(opened):
    """Browsers put back what stood in a form, which the page would not have drawn heads for."""
    page = opened()
    page.locator("input[name=arm][value=random]").check()
    page.reload()
    assert answered(page, "Frog") == CAPTIONS[0]
    assert page.locator("input[name=arm]:checked").input_value() == "gaze"


def test_an_error_is_told_and_the_next_answer_comes(opened):
    page = opened()
    page.locator("#question").fill("why " * 5000)
    page.locator("#ask button").click()
    page.wait_for_selector("#steered .status.wrong")
    assert "context" in page.locator("#steered .status").text_content()
    page.locator("#question").fill("What is happening in this panel of the comic strip?")
    page.locator("#ask button").click()
    assert answered(page, "Frog")
    assert page.locator("#steered .status.wrong").count() == 0


def test_an_answer_is_stopped(opened):
    page = opened()
    page.locator("#tokens").fill("4000")
    page.locator("input[name=arm][value=all]").check()
    page.wait_for_selector("#stop:not([hidden])")
    page.locator("#stop").click()
    page.wait_for_function("() => document.querySelector('#steered .status').textContent.includes('stopped')")
    page.locator("input[name=arm][value=gaze]").check()
    assert answered(page, "Frog")


TOKENS = ("a-secret-of-16", '(a,/secret"%41=+)')


@pytest.mark.parametrize(("own", "token"), [(("--token", each), each) for each in TOKENS], indirect=["own"])
def test_a_server_with_a_token(opened, own, token):
    page = opened(own.url, wait=False, expected=SAID)
    page.locator("#token").fill("wrong-one")
    page.locator("#door button").click()
    page.wait_for_selector("#door:not([hidden])")
    page.locator("#token").fill(token)
    page.locator("#door button").click()
    assert answered(page, "Frog")
    page.reload()
    assert answered(page, "Frog")
    for path in ("/page/facts.json", "/page/strip.png", "/page/photo", "/page/facts.py", "/page/..%2fapp.py"):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(own.url + path)
        with error.value as refused:
            assert refused.code == 401, path


def test_nothing_is_loaded_from_elsewhere(browser, served):
    context = browser.new_context(offline=False)
    asked = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served.url)
    answered(page, "Frog")
    assert {each.split("/")[2] for each in asked if not each.startswith("data:")} == {f"127.0.0.1:{served.port}"}
    context.close()


def test_the_policy_holds(opened, served):
    with urllib.request.urlopen(served.url) as answer:
        headers = answer.headers
    assert "unsafe" not in headers["content-security-policy"]
    page = opened(
        expected=("Content Security Policy", "TrustedHTML", "requires 'Trusted", "violates the following directive")
    )
    inserted = page.evaluate(
        """() => {
            const script = document.createElement('script');
            try { script.textContent = 'window.broken = true'; document.body.append(script); } catch {}
            try { document.body.innerHTML = '<b>'; } catch (error) { return [window.broken ?? false, error.name]; }
        }"""
    )
    assert inserted == [False, "TypeError"]


@pytest.mark.parametrize("name", ["files.py", "__init__.py", "nothing.js", "facts", "%2e%2e%2fapp.py"])
def test_only_the_page_is_served(served, name):
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{served.url}/page/{name}")
    with error.value as refused:
        assert refused.code == 404


def test_try_opens_an_image_and_ends_with_the_page(browser, photo):
    own = Served("try", str(photo), "--no-browser")
    try:
        context = browser.new_context()
        page = context.new_page()
        page.goto(own.url)
        page.wait_for_function("name => document.querySelector('#image').alt === name", arg=photo.name)
        page.wait_for_function("() => document.querySelector('#steered .status').textContent.includes('First word')")
        page.reload()
        page.wait_for_function("() => document.querySelector('#steered .status').textContent.includes('First word')")
        assert own.process.poll() is None
        context.close()
        assert own.process.wait(20) == 0
    finally:
        own.stop()
