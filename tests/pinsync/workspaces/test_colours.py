"""WCAG 2.2 AA in both themes: text 4.5 to 1, edges of controls and the focus ring 3 to 1, reckoned from the tokens."""

import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings

CSS = Path(django_settings.BASE_DIR, "pinsync", "static", "css")
TOKENS = (CSS / "tokens.css").read_text()
PAIR = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
COLOURS = {name: {"light": light, "dark": dark} for name, light, dark in PAIR.findall(TOKENS)}
SURFACES = ("page", "surface", "raised", "sunken")
TONES = ("good", "warn", "bad", "info")
TEXT, EDGE = 4.5, 3.0

PAIRS = [
    *((text, ground, TEXT) for text in ("text", "muted", "accent", *TONES) for ground in SURFACES),
    *((tone, f"{tone}-soft", TEXT) for tone in TONES),
    *(("accent", ground, TEXT) for ground in ("accent-soft",)),
    *(("text", ground, TEXT) for ground in ("accent-soft", *(f"{tone}-soft" for tone in TONES))),
    *(("muted", ground, TEXT) for ground in ("accent-soft", *(f"{tone}-soft" for tone in TONES))),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-strong", TEXT),
    ("surface", "bad", TEXT),  # the button that destroys
    ("surface", "bad-strong", TEXT),
    *(("control", ground, EDGE) for ground in SURFACES),
    *(("accent", ground, EDGE) for ground in (*SURFACES, *(f"{tone}-soft" for tone in TONES))),  # the focus ring
]


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(one, other, share):
    """Return what `share` of one colour over another looks like."""
    pairs = [(int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


def test_contrast_is_reckoned_as_wcag_does():
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#767676", "#ffffff"), 2) == 4.54
    assert mixed("#000000", "#ffffff", 0.25) == "#bfbfbf"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("colour", "ground", "least"), PAIRS, ids=lambda value: str(value))
def test_colours_stand_out(theme, colour, ground, least):
    found = contrast(COLOURS[colour][theme], COLOURS[ground][theme])
    assert found >= least, f"{colour} on {ground} is {found:.2f}"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", SURFACES)
def test_mixed_colours_stand_out(theme, ground):
    colours = {name: values[theme] for name, values in COLOURS.items()}
    badge = mixed(colours["text"], colours[ground], 0.08)  # a badge without a tone
    assert contrast(colours["muted"], badge) >= TEXT
    hovered = mixed(colours["text"], colours[ground], 0.06)  # a menu item or quiet button under the pointer
    assert contrast(colours["text"], hovered) >= TEXT
    assert contrast(colours["muted"], hovered) >= TEXT
    danger = mixed(colours["bad"], colours["line"], 0.75)  # the edge of a button that destroys
    assert contrast(danger, colours[ground]) >= EDGE


def test_every_colour_has_both_themes_and_no_sheet_has_one_of_its_own():
    assert re.findall(r"--[\w-]+: #", TOKENS) == []
    assert {colour for colour, _ground, _least in PAIRS} <= set(COLOURS)
    for sheet in CSS.glob("*.css"):
        if sheet.name != "tokens.css":
            assert (
                re.findall(r"#[0-9a-fA-F]{3,8}\b(?![\w-]*\s*\{)", re.sub(r"url\(.*?\)", "", sheet.read_text())) == []
            ), sheet


def test_the_ring_of_the_focus_is_an_outline_everywhere():
    taken = {
        (sheet.name, rule.strip())
        for sheet in CSS.glob("*.css")
        for rule in re.findall(r"([^{};]*)\{[^{}]*outline:\s*(?:0|none)[^{}]*\}", sheet.read_text())
    }
    # A radio button inside a box that shows the ring itself
    assert taken == {("forms.css", "input:focus-visible")}
    assert "&:has(input:focus-visible) { outline: 2px solid var(--accent)" in (CSS / "forms.css").read_text()
    assert "outline: 2px solid var(--accent)" in (CSS / "base.css").read_text()
