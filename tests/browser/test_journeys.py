"""What an auditor does at the console, and what it finds out by itself."""

import re
import sqlite3
import webbrowser
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from clients.cli import console
from tests.browser.looking import Seen, Window, windows
from tests.browser.week import Lived
from tests.clients.console.serving import Served, desk_of, serving


def test_a_link_signs_in_once_and_leaves_no_code_behind(browser: Browser, kenya: Served) -> None:
    link = kenya.link()
    context = browser.new_context()
    page = context.new_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.goto(link)
    page.wait_for_selector("h1:text-is('Overview')")
    code = link.partition("=")[2]
    assert code not in page.url
    assert not [url for url in sent if code in url.partition("#")[0]], "a fragment is never sent"
    assert code not in str(page.evaluate("() => JSON.stringify({...localStorage})"))
    (cookie,) = context.cookies()
    flags = {name: cookie.get(name) for name in ("secure", "httpOnly", "sameSite", "path")}
    assert flags == {"secure": True, "httpOnly": True, "sameSite": "Strict", "path": "/"}
    assert cookie.get("name") == f"__Host-tearline-{kenya.port}"
    page.reload()
    page.wait_for_selector("h1:text-is('Overview')")
    other = browser.new_context()
    late = other.new_page()
    late.goto(link)
    late.wait_for_selector("h1:text-is('Sign in')")
    assert "used already" in late.inner_text("main")
    assert late.locator("nav").is_hidden()
    other.close()
    context.close()


def test_the_file_that_the_command_opens_leads_to_the_console(
    browser: Browser, kenya: Served, week: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, opened = browser.new_page(), list[str]()
    monkeypatch.setattr(webbrowser, "open", opened.append)
    with console._opened(week.auditors["KEN"], kenya.link(), wanted=True):
        page.goto(opened[0], wait_until="commit")
        page.wait_for_selector("h1:text-is('Overview')")
    page.close()


def test_a_browser_that_keeps_no_cookie_is_told_why(browser: Browser, kenya: Served) -> None:
    page = browser.new_page()
    said = {"content-type": "application/json"}
    page.route("**/console/session", lambda route: route.fulfill(body='{"page":"x"}', headers=said))
    page.goto(kenya.link())
    page.wait_for_selector("h1:text-is('Sign in')")
    assert "did not keep the session's cookie" in page.inner_text("main")
    page.close()


def test_localhost_is_as_good_a_name(browser: Browser, kenya: Served) -> None:
    page = browser.new_page()
    page.goto(kenya.link().replace("127.0.0.1", "localhost"))
    page.wait_for_selector("h1:text-is('Overview')")
    page.close()


def test_who_received_a_report_and_what_proves_it(window: Window, week: Lived) -> None:
    """From the first screen to a proof, by what is on the screen."""
    page = window.page
    page.get_by_role("link", name="Reports", exact=True).click()
    page.wait_for_selector("h1:text-is('Reports')")
    page.get_by_label("Find by identity or nation").fill(week.recalled[:10])
    page.get_by_role("link", name=week.recalled[:16]).click()
    page.wait_for_selector(f"h1:text-is('Report {week.recalled[:16]}')")
    receivers = page.inner_text("#receivers").split(", ")
    assert {"GBR", "KEN"} <= set(receivers)
    assert page.inner_text(".verdict .headline") == "Recalled"
    step = page.locator(".life li", has_text="Released to GBR").first
    step.get_by_role("link").first.click()
    page.wait_for_selector("h1:has-text('Entry')")
    window.settled()
    assert window.verdict[0] == "good"
    assert "Proven in this browser" in window.verdict[1]
    states = page.eval_on_selector_all(".steps li", "all => all.map((one) => one.className)")
    assert states == ["good"] * 7
    assert week.recalled[:16] in window.text
    page.go_back()
    page.wait_for_selector(f"h1:text-is('Report {week.recalled[:16]}')")


def test_an_entry_that_was_edited_on_the_disk_is_red(
    browser: Browser, window: Window, week: Lived
) -> None:
    """The page finds out by itself, and says which words do not hold."""
    index = window.told("entries?type=release&originator=KEN&to=GBR")["entries"][-1]["index"]
    path = week.auditors["KEN"].state / "evidence.sqlite3"
    view = read_view(path, index)
    write_view(path, index, '{"report":"00","to":"KEN","originator":"KEN"}')
    try:
        window.to(f"entry/{index}")
        colour, words = window.verdict
        assert colour == "bad"
        assert "It says what is shown: the view is not what the link commits to" in words
        assert "Nothing of it is proven." in window.text
        assert window.page.locator(".steps li.bad").get_attribute("data-step") == "view"
        for step in ("index", "cosigned"):  # what rests on it is shown as not reached
            assert window.page.locator(f".steps li.skip[data-step={step}]").is_visible()
            expect(window.page.locator(f".steps li[data-step={step}]")).to_be_in_viewport()
        with (
            serving(desk_of(week.auditors["KEN"])) as console,
            windows(browser, console) as fresh,
        ):
            assert fresh.verdict[0] == "bad"
            fresh.page.get_by_role("link", name=re.compile(f"^Entry {index} ")).first.click()
            fresh.page.wait_for_selector(f"h1:text-is('Entry {index}')")
            assert fresh.verdict[0] == "bad"
    finally:
        write_view(path, index, view)
    window.to("overview").to(f"entry/{index}")
    assert window.verdict[0] == "good"


def test_the_page_checks_every_cosignature_itself(window: Window) -> None:
    """Ed25519 and ML-DSA-44, of witnesses one of which has other keys than the charter says."""
    index = confirmed_release(window)
    window.to(f"entry/{index}")
    assert window.verdict[0] == "good"
    step = window.page.locator(".steps li[data-step=cosigned]")
    assert step.get_attribute("class") == "good"
    assert "Ed25519 and ML-DSA-44" in step.inner_text()


@pytest.mark.parametrize("kind", ["ML-DSA-44", "Ed25519"])
def test_a_tampered_cosignature_is_red(window: Window, week: Lived, kind: str) -> None:
    """One bit of one line; whoever serves the page could not hide it."""
    index = confirmed_release(window)
    path = week.auditors["KEN"].state / "evidence.sqlite3"
    with sqlite3.connect(path) as database:
        kept = list(database.execute("SELECT tree, size, note FROM confirmed"))
        put = "UPDATE confirmed SET note = ? WHERE tree = ? AND size = ?"
        database.executemany(put, [(tampered(note, kind), t, s) for t, s, note in kept])
    try:
        window.to(f"entry/{index}")
        assert window.verdict[0] == "bad"
        step = window.page.locator(".steps li[data-step=cosigned]")
        assert step.get_attribute("class") == "bad"
        assert "the cosignature of" in step.inner_text()
        assert window.page.locator(".steps li.good").count() == 6, "the rest of it holds"
    finally:
        with sqlite3.connect(path) as database:
            database.executemany(put, [(note, t, s) for t, s, note in kept])
        database.close()
    window.to("overview").to(f"entry/{index}")
    assert window.verdict[0] == "good"


def confirmed_release(window: Window) -> int:
    found = window.told("entries?type=release&originator=KEN")["entries"]
    return int(found[-1]["index"])


def tampered(note: str, kind: str) -> str:
    """The last line of this kind of key, with one bit changed in its middle."""
    lines = note.split("\n")
    is_pq = [len(line) > 3_000 for line in lines]
    own = [i for i, line in enumerate(lines) if line.startswith("\u2014")][1:]
    which = [i for i in own if is_pq[i] == (kind == "ML-DSA-44")][-1]
    start, name, material = lines[which].split(" ")
    data = bytearray(b64decode(material))
    data[len(data) // 2] ^= 1
    lines[which] = f"{start} {name} {b64encode(data).decode()}"
    return "\n".join(lines)


NUMBER = "(SELECT line FROM fact WHERE channel = 'KEN' AND idx = ?)"


def read_view(path: Path, index: int) -> str:
    with sqlite3.connect(path) as database:
        sql = f"SELECT view FROM line WHERE number = {NUMBER}"
        (view,) = database.execute(sql, (index,)).fetchone()
    database.close()
    return str(view)


def write_view(path: Path, index: int, view: str) -> None:
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE line SET view = ? WHERE number = {NUMBER}", (view, index))
    database.close()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("recipient", 'the index says recipient "XXX", the proven entry says "GBR"'),
        ("signature", "the log's signature under the checkpoint is wrong"),
        ("charter", "the charter is not the one that was pinned"),
    ],
)
def test_an_answer_that_was_altered_is_red(window: Window, change: str, says: str) -> None:
    """Whatever lies between the evidence and the page: what it shows, it has proven."""
    index = window.told("entries?type=release&originator=KEN&to=GBR")["entries"][0]["index"]

    def altered(route: Route) -> None:
        told = route.fetch().json()
        shown = told["shown"][0]
        if change == "recipient":
            shown["facts"]["recipient"] = "XXX"
        elif change == "signature":
            shown["checkpoint"] = shown["checkpoint"].replace("\n\n\u2014", "\nmore\n\n\u2014")
        else:
            told["pinned"] = "ab" * 32
        route.fulfill(json=told)

    window.page.route("**/console/api/entry/*", altered)
    window.to(f"entry/{index}")
    colour, words = window.verdict
    assert (colour, says in words) == ("bad", True), words


def test_another_nations_auditor_sees_nothing_of_it(
    browser: Browser, window: Window, week: Lived, tours: dict[str, dict[str, Seen]]
) -> None:
    """No entry, count or name: Britain's report to France is in no view of Kenya's."""
    for name, seen in tours["wide and light"].items():
        assert week.apart[:12] not in seen.text, name
    pairs = window.told("sharing")["pairs"]
    assert ("GBR", "FRA") not in {(p["originator"], p["recipient"]) for p in pairs}
    window.to(f"report/{week.apart}")
    strange = window.text
    window.to(f"report/{'ab' * 32}")
    assert window.text == strange, "it is like a report that never was"
    window.complaints.clear()  # Chromium notes each 404
    with serving(desk_of(week.auditors["FRA"])) as console, windows(browser, console) as france:
        assert week.apart[:16] in france.to("reports").text
        for view in ("overview", "sharing", "reports", "entries"):
            assert week.derived[:12] not in france.to(view).text


def test_a_deep_link_survives_a_reload(window: Window, week: Lived) -> None:
    for view in (f"report/{week.source}", "sharing?by=threat", "entries?type=release&to=GBR"):
        heading = window.to(view).heading
        text = window.text
        window.page.reload()
        assert window.settled().heading == heading
        assert window.text == text


def test_signing_out_leaves_nothing_to_see(window: Window) -> None:
    window.page.get_by_role("button", name="Sign out").click()
    window.page.wait_for_selector("h1:text-is('Sign in')")
    window.page.goto(f"{window.served.url}#/entries")
    window.page.wait_for_selector("h1:text-is('Sign in')")
    assert window.page.evaluate("() => localStorage.getItem('tearline-page')") is None
    window.complaints.clear()  # Chromium notes each 403


def test_everything_can_be_done_with_the_keyboard(window: Window) -> None:
    """Skip link, navigation, a field of the matrix, an entry, its proof."""
    page = window.page
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    page.locator("#skip").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.get_by_role("link", name="Sharing").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:text-is('Who shared what with whom')")
    expect(page.locator("h1")).to_be_focused()
    reached = ""
    for _ in range(12):
        page.keyboard.press("Tab")
        reached = str(page.evaluate("() => document.activeElement.getAttribute('aria-label')"))
        if reached.endswith("from KEN to GBR"):
            break
    assert re.fullmatch(r"\d+ reports from KEN to GBR", reached)
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:text-is('Entries')")
    first = page.locator("td a.entry").first
    first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".verdict.good")


def test_a_mark_in_a_picture_leads_to_its_entry(window: Window) -> None:
    """Found on the canvas where the library says that it is."""
    found = window.told("timeline")
    change = next(m for m in found["marks"] if m["version"] == 2)
    window.to("timeline")
    script = """async (time) => {
      const echarts = await import('/console/static/vendor/echarts.esm.min.mjs');
      const plot = document.querySelector('.plot');
      const x = echarts.getInstanceByDom(plot).convertToPixel({ xAxisIndex: 0 }, time);
      const box = plot.getBoundingClientRect();
      return [box.x + x, box.y + box.height / 4];
    }"""
    x, y = window.page.evaluate(script, change["time"])
    window.page.mouse.click(x, y)
    window.page.wait_for_selector(f"h1:text-is('Entry {change['index']}')")
    window.settled()
    assert window.verdict[0] == "good"


def test_every_picture_has_a_table_whose_rows_lead_on(window: Window, week: Lived) -> None:
    for view in ("sharing", "timeline", "watchers", f"report/{week.source}"):
        window.to(view)
        for figure in window.page.locator("figure").all():
            figure.locator("summary").click()
            assert figure.locator("tbody tr").count() > 0
        assert window.page.locator("figure table a[href^='#/']").count() > 0 or view == "watchers"


def test_the_theme_is_remembered(window: Window) -> None:
    page = window.page
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("button", name="Theme").click()
    assert page.inner_text("#theme") == "Theme: dark"
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    window.settled()
    assert page.evaluate(ground) == dark
