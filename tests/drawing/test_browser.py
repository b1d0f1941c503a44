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

    press(page, "#theme", Keys.TAB, Keys.TAB)
    page.switch_to.active_element.send_keys(Keys.TAB)
    assert page.switch_to.active_element.get_attribute("role") == "button"
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
