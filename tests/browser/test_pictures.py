"""docs/pages.md shows what bin/screenshots makes: no picture is missing, and none is left over."""

import re

from tests.browser.pictures import DOCS, PICTURES


def test_every_picture_is_made_and_shown_with_a_sentence():
    made = {f"{picture.name}.png" for picture in PICTURES}
    shown = re.findall(r"^!\[[^\]]{10,}\]\(([\w.-]+)\)$", (DOCS / "pages.md").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(made)
    assert {path.name for path in DOCS.glob("*.png")} == made
    assert all(picture.shows for picture in PICTURES)


def test_pictures_are_1440_wide_and_small():
    for path in DOCS.glob("*.png"):
        assert int.from_bytes(path.read_bytes()[16:20]) == 1440, path.name
        assert path.stat().st_size < 300_000, path.name
