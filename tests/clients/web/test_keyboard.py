"""Every way to press a key, and to let it go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from ostinato.clients.web import FOLDER
from tests.clients.web.instrument import Instrument, opened
from tests.server.serving import serving

LOW_ON_A_KEY = {"x": 12, "y": 150}  # px, below the black keys

# a keyboard of MIDI that is plugged in: no machine of the tests has one
MIDI = """
window.midi = { id: 'one', name: 'Keys', state: 'connected', onmidimessage: null };
navigator.requestMIDIAccess = async () => ({ inputs: new Map([['one', midi]]), onstatechange: null });
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(page=FOLDER) as running:
        yield running.url


@pytest.fixture
def instrument(browser: Browser, address: str) -> Iterator[Instrument]:
    with opened(browser, address, has_touch=True) as found:
        found.until("playing live")
        yield found


def test_letters_play_and_move_by_octaves(instrument: Instrument) -> None:
    keyboard = instrument.page.keyboard
    keyboard.press("a")
    keyboard.press("x")
    keyboard.press("w")
    assert instrument.notes() == [("on", 60), ("off", 60), ("on", 73), ("off", 73)]
    expect(instrument.page.locator("#octave")).to_have_text("C 5")


def test_moving_by_an_octave_lets_go_of_what_is_held(instrument: Instrument) -> None:
    instrument.page.keyboard.down("a")
    instrument.page.get_by_role("button", name="An octave down").click()
    instrument.page.keyboard.up("a")
    assert instrument.notes() == [("on", 60), ("off", 60)]


def test_it_is_played_by_tab_arrows_and_space_alone(instrument: Instrument) -> None:
    page = instrument.page
    page.locator("#octave-up").focus()
    for _ in range(2):  # past the button for MIDI
        page.keyboard.press("Tab")
    expect(instrument.key(60)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.down(" ")
    expect(page.get_by_role("button", name="D 4", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.up(" ")
    expect(page.get_by_role("button", name="D 4", exact=True)).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert instrument.notes() == [("on", 62), ("off", 62), ("on", 74), ("off", 74)]
    assert page.locator("#piano [tabindex='0']").count() == 1


def test_a_pointer_glides_from_key_to_key_louder_towards_their_edge(instrument: Instrument) -> None:
    page = instrument.page
    instrument.key(60).hover(position={"x": 12, "y": 120})
    page.mouse.down()
    instrument.key(62).hover(position={"x": 22, "y": 180})
    page.mouse.up()
    assert instrument.notes() == [("on", 60), ("off", 60), ("on", 62), ("off", 62)]
    first, second = (message["velocity"] for message in instrument.said if message["type"] == "note.on")
    assert 0.35 <= first < second <= 1


def test_two_fingers_play_two_notes(instrument: Instrument) -> None:
    touches = instrument.page.context.new_cdp_session(instrument.page)
    first, second = finger(instrument, 60, 0), finger(instrument, 64, 1)
    for kind, fingers in (("Start", [first]), ("Start", [first, second]), ("Move", [second]), ("End", [])):
        touches.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": fingers})
    assert instrument.notes() == [("on", 60), ("on", 64), ("off", 60), ("off", 64)]


def finger(instrument: Instrument, note: int, number: int) -> dict[str, float]:
    box = instrument.key(note).bounding_box()
    return {"x": box["x"] + LOW_ON_A_KEY["x"], "y": box["y"] + LOW_ON_A_KEY["y"], "id": number}


def test_a_screen_readers_click_plays_a_short_note(instrument: Instrument) -> None:
    instrument.key(67).evaluate("key => key.click()")
    expect(instrument.key(67)).to_have_attribute("aria-pressed", "true")
    expect(instrument.key(67)).to_have_attribute("aria-pressed", "false")
    assert instrument.notes() == [("on", 67), ("off", 67)]


def test_a_note_that_two_hold_sounds_until_both_let_go(instrument: Instrument) -> None:
    page = instrument.page
    page.keyboard.down("a")
    instrument.key(60).hover(position=LOW_ON_A_KEY)
    page.mouse.down()
    page.keyboard.up("a")
    assert instrument.notes() == [("on", 60)]
    page.mouse.up()
    assert instrument.notes() == [("on", 60), ("off", 60)]


def test_who_looks_elsewhere_holds_nothing(instrument: Instrument) -> None:
    instrument.page.keyboard.down("a")
    instrument.page.evaluate("() => dispatchEvent(new Event('blur'))")
    assert instrument.notes() == [("on", 60), ("off", 60)]


def test_shortcuts_of_the_browser_play_nothing(instrument: Instrument) -> None:
    instrument.page.keyboard.press("Control+d")
    instrument.page.keyboard.press("Alt+f")
    assert instrument.notes() == []


def test_a_bend_springs_back_once_its_key_is_let_go_and_not_by_letters(instrument: Instrument) -> None:
    page, bend = instrument.page, instrument.page.locator("[name=bend]")
    bend.focus()
    page.keyboard.down("ArrowRight")
    expect(bend).to_have_attribute("aria-valuetext", "5 cents")
    page.keyboard.press("a")
    expect(bend).to_have_attribute("aria-valuetext", "5 cents")
    page.keyboard.up("ArrowRight")
    expect(bend).to_have_attribute("aria-valuetext", "0 cents")


def test_a_midi_keyboard_plays_bends_and_sustains(browser: Browser, address: str) -> None:
    with opened(browser, address) as instrument:
        page = instrument.page
        page.add_init_script(MIDI)
        page.reload()
        instrument.until("playing live")
        page.click("text=Connect MIDI")
        expect(page.locator("#midi")).to_have_text("MIDI: Keys")
        for message in ([0x90, 60, 64], [0x90, 60, 0], [0xE0, 0, 0], [0xB0, 64, 127], [0x91, 61, 127], [0x81, 61, 0]):
            page.evaluate("data => midi.onmidimessage({ data: Uint8Array.from(data) })", message)
        assert instrument.notes() == [("on", 60), ("off", 60), ("on", 61), ("off", 61)]
        assert steered(instrument)["bend"] == -200
        assert steered(instrument)["sustain"] == 1
        played = [message["velocity"] for message in instrument.said if message["type"] == "note.on"]
        assert played == [64 / 127, 1]


def steered(instrument: Instrument) -> dict[str, Any]:
    """What the controls were set to, last."""
    values: dict[str, Any] = {}
    for message in instrument.said:
        values |= message.get("params", {})
    return values
