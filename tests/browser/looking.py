"""What a test asks of a page: that it stands still, what axe finds in it, what sticks out, what it weighs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
# WCAG 2.2 AA holds everything before it.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OF_COLOUR = ["color-contrast", "link-in-text-block"]  # all that another theme can change
RUN_AXE = """async (only) => {
    const found = await axe.run(document, {runOnly: only, resultTypes: ["violations"]});
    return found.violations.map((one) => ({
        rule: one.id, help: one.help,
        nodes: one.nodes.slice(0, 4).map((node) => node.html.slice(0, 160) + " — " + (node.any[0] || node.all[0] || node.none[0] || {message: ""}).message),
    }));
}"""  # noqa: E501
STANDS_STILL = "() => document.readyState === 'complete' && !document.querySelector('.htmx-request, .htmx-settling')"
# What sticks out makes the page scroll sideways; what scrolls inside a box of its own does not.
STICKS_OUT = """() => {
    const wide = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= wide) return [];
    return [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > wide + 0.5)
        .slice(-4).map((one) => one.outerHTML.slice(0, 120));
}"""
WEIGHT = """() => performance.getEntriesByType("resource").map((one) => [one.name, one.encodedBodySize])"""


@dataclass(frozen=True)
class Weight:
    """Bytes over the wire, compressed as they were served."""

    script: int
    style: int


def settle(page: Page) -> None:
    """Wait until the page is there and nothing it asked for by itself is under way."""
    page.wait_for_function(STANDS_STILL)


def load_axe(page: Page) -> None:
    page.evaluate(AXE)  # not a <script>: the policy of our pages forbids one that they did not bring


def axe(page: Page, *, colours_alone: bool = False) -> list[str]:
    """Return a sentence for everything that axe finds, or for what it says of colours alone."""
    only = {"type": "rule", "values": OF_COLOUR} if colours_alone else {"type": "tag", "values": TAGS}
    found: list[dict[str, Any]] = page.evaluate(RUN_AXE, only)
    return [f"{one['rule']}: {one['help']}\n      " + "\n      ".join(one["nodes"]) for one in found]


def sticks_out(page: Page) -> list[str]:
    """Return what makes the page scroll sideways."""
    return [f"sticks out: {html}" for html in page.evaluate(STICKS_OUT)]


def weight(page: Page) -> Weight:
    sizes = [(name.split("?")[0], size) for name, size in page.evaluate(WEIGHT)]
    return Weight(
        script=sum(size for name, size in sizes if name.endswith(".js")),
        style=sum(size for name, size in sizes if name.endswith(".css")),
    )
