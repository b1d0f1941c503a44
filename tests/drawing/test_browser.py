"""The page in headless Chromium: ``pytest -m browser``, with Debian's chromium and chromium-driver."""

import numpy as np
import pytest

import tinygrad_mlp as tg

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = "/usr/bin/chromium"
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, tmp_path):
    """The page of the document's network, loaded; its console must stay empty."""
    model = tg.nn.MLP(784, 128, 10, rng=0)
    x = np.random.default_rng(0).random((32, 784), np.float32)
    tg.draw(tg.cross_entropy(model(x), np.arange(32) % 10), path=tmp_path / "graph.html")
    browser.get((tmp_path / "graph.html").as_uri())
    yield browser
    assert browser.get_log("browser") == []


def one(page, selector):
    return page.find_element("css selector", selector)


def count(page, selector):
    return len(page.find_elements("css selector", selector))


def press(page, selector, *keys):
    one(page, selector).send_keys(*keys)


def part_in_view(page):
    return [float(x) for x in one(page, "#view svg").get_dom_attribute("viewBox").split()]


def test_the_slider_replays_the_backward_pass(page):
    """Each step of the keyboard shows the next op, its gradients, and which equation of the document they are."""
    from selenium.webdriver.common.keys import Keys

    told = []
    for step in range(1, 7):
        press(page, "#step", Keys.ARROW_RIGHT)
        told.append(one(page, "#told").text)
        assert one(page, "#step").get_attribute("value") == str(step)
        assert count(page, "g.node.now") == 1
        assert count(page, "g.edge.now") == len(told[-1].splitlines()) - 1
    words = " ".join(told)
    equations = ["δz = (P − Y) / N", "∇b₂ =", "δh = δz", "∇W₂ = hᵀ δz", "δa₁ = δh ⊙", "∇b₁ =", "∇W₁ = Xᵀ δa₁"]
    assert [words.index(equation) for equation in equations] == sorted(words.index(equation) for equation in equations)
    assert count(page, "g.edge.past") == 9
    assert "to a₁: δa₁ = δh ⊙" in words
    one(page, "#back").click()
    assert told[4] == one(page, "#told").text
    press(page, "#step", Keys.HOME)
    assert count(page, ".now, .past") == 0


def test_gradients_are_hidden_until_they_arrive(page):
    from selenium.webdriver.common.keys import Keys

    def shown():
        return sum(text.is_displayed() for text in page.find_elements("css selector", "text.gradient"))

    assert shown() == 14  # on nine edges, four parameters and the loss
    seen = []
    for _ in range(6):
        press(page, "#step", Keys.ARROW_RIGHT)
        seen.append(shown())
    assert seen == [2, 5, 8, 9, 12, 14]
    assert count(page, "g.node.waiting") == 0


def test_the_panel_keeps_a_gradient_back_until_it_has_arrived(page):
    from selenium.webdriver.common.keys import Keys

    press(page, "#step", Keys.ARROW_RIGHT)
    (weight,) = [g for g in page.find_elements("css selector", "g.node") if "fc2.weight" in g.text]
    weight.find_element("css selector", "text").click()
    assert "gradient: not here yet" in one(page, "#panel").text
    assert "norm" not in one(page, "#panel").text.split("not here yet")[1]
    press(page, "#step", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert "gradient: norm" in one(page, "#panel").text


def test_arrowheads_run_with_the_gradient(page):
    """Where it has come by, the arrow points back; elsewhere it points with the values, or is hidden by neither."""
    from selenium.webdriver.common.keys import Keys

    def heads(edge):
        return page.execute_script(
            "const shown = e => getComputedStyle(e).visibility === 'visible';"
            "return [getComputedStyle(arguments[0].querySelector('path')).markerStart !== 'none',"
            " shown(arguments[0].querySelector('polygon'))]",
            edge,
        )

    press(page, "#step", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    edges = page.find_elements("css selector", "g.edge")
    past = [edge for edge in edges if "past" in edge.get_attribute("class").split()]
    assert len(past) == 3
    assert [heads(edge) == [edge in past, edge not in past] for edge in edges] == [True] * len(edges)


def test_a_click_opens_the_panel_and_escape_closes_it(page):
    from selenium.webdriver.common.keys import Keys

    (relu,) = [g for g in page.find_elements("css selector", "g.node") if "relu" in g.text]
    relu.find_element("css selector", "text").click()
    panel = one(page, "#panel")
    assert "derivative(relu," in panel.text
    assert "kept for backward" in panel.text
    assert count(page, "#panel svg.histogram") == 2
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not panel.is_displayed()


def test_the_keyboard_alone_reaches_a_box(page):
    from selenium.webdriver.common.keys import Keys

    press(page, "#theme", Keys.TAB)
    while "node" not in (page.switch_to.active_element.get_attribute("class") or "").split():
        page.switch_to.active_element.send_keys(Keys.TAB)
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert one(page, "#panel").is_displayed()
    assert count(page, "svg.path g.node.on") > 1


def test_resting_on_a_box_highlights_its_way_to_the_loss(page):
    from selenium.webdriver import ActionChains

    (weight,) = [g for g in page.find_elements("css selector", "g.node") if "fc2.weight" in g.text]
    ActionChains(page).move_to_element(weight.find_element("css selector", "text")).perform()
    on = [g.text.splitlines()[0] for g in page.find_elements("css selector", "g.node.on")]
    assert sorted(on) == ["cross_entropy", "fc2.weight", "matmul", "z = add"]


def test_search_dims_what_it_does_not_find(page):
    from selenium.webdriver.common.keys import Keys

    press(page, "#search", "fc2")
    assert one(page, "#found").text == "4 found"
    assert count(page, "svg.searched g.node.hit") == 4
    press(page, "#search", Keys.ENTER)
    assert one(page, "#panel h2").text in ("fc2.weight", "matmul")


def test_pan_zoom_and_fit(page):
    from selenium.webdriver import ActionChains

    whole = part_in_view(page)
    press(page, "#view", "+")
    assert part_in_view(page)[2] == pytest.approx(0.8 * whole[2])
    press(page, "#view", "0")
    assert part_in_view(page) == whole
    ActionChains(page).drag_and_drop_by_offset(one(page, "#view"), 50, 20).perform()
    assert part_in_view(page)[0] < whole[0]
    assert not one(page, "#panel").is_displayed()
    one(page, "#fit").click()
    assert part_in_view(page) == whole


def test_the_theme_changes_every_colour(page):
    def colours():
        return page.execute_script(
            "const box = document.querySelector('g.node ellipse');"
            "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(box).fill]"
        )

    light = colours()
    one(page, "#theme").click()
    assert all(a != b for a, b in zip(light, colours(), strict=True))
    one(page, "#theme").click()
    assert colours() == light


def titles(page):
    firsts = page.find_elements("css selector", "g.node text:first-of-type")
    return [text.get_attribute("textContent") for text in firsts]


def test_modules_open_and_fold_in_the_page(page):
    """By the frame's title, by a double click, from the panel, and by levels."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    whole = titles(page)
    (title,) = [text for text in page.find_elements("css selector", "text.folds") if "fc1" in text.text]
    title.click()
    assert "fc1: Linear(784 -> 128)" in titles(page)
    assert "matmul" in titles(page)
    (box,) = [g for g in page.find_elements("css selector", "g.node.opens") if "fc1" in g.text]
    ActionChains(page).double_click(box.find_element("css selector", "text")).perform()
    assert "fc1.weight" in titles(page)
    press(page, "#level", Keys.HOME)
    assert "cross_entropy" in titles(page)
    assert count(page, "g.node") == 4
    one(page, "g.node.opens text").click()
    one(page, "#unfold").click()
    assert {"fc1: Linear(784 -> 128)", "fc2: Linear(128 -> 10)"} <= set(titles(page))
    press(page, "#level", Keys.END)
    assert titles(page) == whole


def test_search_finds_what_is_folded_and_zooms_to_it(page):
    from selenium.webdriver.common.keys import Keys

    press(page, "#level", Keys.HOME)
    wide = part_in_view(page)
    press(page, "#search", "fc2.bias", Keys.ENTER)
    assert "fc2.bias" in titles(page)
    assert one(page, "#panel h2").text == "fc2.bias"
    assert part_in_view(page) != wide
    box = page.find_element("css selector", "g.node.picked").rect
    frame = one(page, "#view").rect
    assert abs(box["x"] + box["width"] / 2 - frame["x"] - frame["width"] / 2) < 200
    assert frame["y"] < box["y"] < frame["y"] + frame["height"]


def test_the_page_begins_with_the_deepest_level_that_fits_the_screen(browser, tmp_path):
    model = tg.nn.Sequential(
        *(tg.nn.MLP(5, 4, 3, 5, rng=i) for i in range(2)), *(tg.nn.MLP(5, 5, rng=i) for i in range(6))
    )
    tg.draw(model(np.ones((2, 5), np.float32)).sum(), path=tmp_path / "graph.html")
    shown = {}
    for height in (500, 900, 4000):
        browser.set_window_size(1200, height)
        browser.get((tmp_path / "graph.html").as_uri())
        shown[height] = count(browser, "g.node")
    browser.set_window_size(1200, 900)
    assert shown[500] <= shown[900] < shown[4000]
