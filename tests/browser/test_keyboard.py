"""The same way without a mouse: everything is reached by Tab, seen when it is, and focus is never lost."""

from playwright.sync_api import Locator, Page, expect

from tests.guide.conftest import profile

MOST_TABS = 80
# A shadow is no ring: many have one without the focus, and high contrast takes it away.
FOCUSED = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return {where: "nowhere"};
    const box = one.getBoundingClientRect();
    const ringed = (one, style = getComputedStyle(one)) =>
        style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const middle = [box.left + box.width / 2, box.top + box.height / 2];
    const at = document.elementFromPoint(...middle);
    return {
        where: one.outerHTML.slice(0, 140),
        visible: box.width > 0 && box.height > 0 && middle[0] >= 0 && middle[1] >= 0
            && middle[0] <= innerWidth && middle[1] <= innerHeight,
        covered: !(at && (one.contains(at) || at.contains(one) || one.closest("label")?.contains(at))),
        ring: ringed(one) || ringed(one.closest(".choice") || one), // a choice may be ringed as a whole
    };
}"""


class Keyboard:
    """A person who has only a keyboard."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def look(self) -> None:
        """The focus is somewhere, can be seen, and nothing lies over it."""
        found = self.page.evaluate(FOCUSED)
        assert found["where"] != "nowhere", "the focus is lost"
        assert found["visible"], f"out of sight: {found['where']}"
        assert not found["covered"], f"covered: {found['where']}"
        assert found["ring"], f"no ring: {found['where']}"

    def tab_to(self, target: Locator) -> None:
        expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("() => document.activeElement === document.body"):
                continue  # past the last element, the focus visits the browser's own bar
            self.look()
            if target.evaluate("one => one === document.activeElement"):
                return
        raise AssertionError(f"{target} is not reached by Tab")

    def press(self, target: Locator, key: str = "Enter") -> None:
        self.tab_to(target)
        self.page.keyboard.press(key)

    def type(self, target: Locator, text: str) -> None:
        self.tab_to(target)
        self.page.keyboard.type(text)


def test_from_nothing_to_a_launch_by_keyboard_alone(window, shop, alice):
    profile(shop, "ann", email=f"ann@{shop.slug}.example.com")
    page: Page = window(alice)
    page.on("dialog", lambda dialog: dialog.accept())
    keys = Keyboard(page)

    page.goto(f"/w/{shop.slug}/")
    keys.tab_to(page.get_by_role("link", name="Skip to content"))
    keys.press(page.get_by_role("link", name="Partner Integrations"))
    keys.press(page.get_by_role("main").get_by_role("link", name="Pinterest"))
    keys.press(page.get_by_role("main").get_by_role("checkbox"), "Space")
    keys.press(page.get_by_role("button", name="Connect Pinterest"))
    keys.press(page.get_by_role("button", name="Give access"))
    keys.press(page.get_by_label("Maple & Moss US"), "Space")
    keys.press(page.get_by_role("button", name="Confirm"))
    expect(page.get_by_text("You successfully connected 1 Pinterest ad account")).to_be_visible()

    keys.press(page.get_by_role("navigation", name="Workspace").get_by_role("link", name="Canvas"))
    keys.press(page.get_by_role("link", name="Create Canvas").first)
    keys.type(page.get_by_label("Name", exact=True), "By keyboard")
    keys.press(page.get_by_role("button", name="Create Canvas"))
    for section in ("Entry Schedule", "Target Audience", "Send Settings"):
        expect(page.get_by_role("heading", name=section, level=2)).to_be_visible()
        keys.press(page.get_by_role("button", name="Save and continue"))
    keys.press(page.locator(".journey-add > summary"))
    keys.press(page.locator(".journey-add button").first)

    keys.press(page.get_by_role("link", name="Custom Audience"))
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(":focus")).to_have_count(1)
    keys.look()
    field = dialog.locator("input[role=combobox]")
    keys.type(field, f"Keys {shop.slug}")
    offer = dialog.locator("[role=listbox] [role=option].create")
    expect(offer).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(field).to_have_attribute("aria-activedescendant", offer.get_attribute("id") or "")
    page.keyboard.press("Enter")
    expect(offer).to_be_hidden()
    keys.look()
    keys.press(dialog.get_by_role("button", name="Create Audience"))
    expect(dialog.get_by_role("alert")).to_contain_text("was created (id ")
    expect(dialog.locator(":focus")).to_have_count(1)  # the button is gone with the swap, the focus is not
    keys.look()
    keys.press(dialog.get_by_label("Email"), "Space")
    keys.press(dialog.get_by_role("button", name="Done"))
    expect(page.get_by_text(f"Keys {shop.slug} (")).to_be_visible()
    keys.press(page.get_by_role("button", name="Launch Canvas"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Active")


def test_arrow_keys_choose_in_the_editor_and_the_focus_stays(window, scene):
    page: Page = window(scene.admin)
    page.goto(f"/w/demo/canvas/{scene.ids['canvas']['draft']}/")
    keys = Keyboard(page)
    keys.press(page.get_by_role("link", name="Custom Audience").first)
    dialog = page.get_by_role("dialog")
    keys.tab_to(dialog.get_by_label("Ad account", exact=True))
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.keyboard.press("ArrowUp")  # another ad account: the editor is swapped under the focus
    expect(dialog.locator(".htmx-request, .htmx-settling")).to_have_count(0)
    expect(dialog.locator("[name=ad_account]")).to_be_focused()
    keys.look()
    keys.tab_to(dialog.get_by_label("Add Users to Audience"))
    page.keyboard.press("ArrowDown")
    expect(dialog.get_by_label("Remove Users from Audience")).to_be_checked()
    keys.look()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    keys.look()  # back on what opened it


def test_menus_open_and_close_by_keyboard(window, scene):
    page: Page = window(scene.admin)
    page.goto("/w/demo/")
    keys = Keyboard(page)
    keys.press(page.locator(".sidebar .switcher > summary"))
    keys.tab_to(page.locator(".sidebar .switcher").get_by_role("link", name="Fresh"))
    page.keyboard.press("Escape")
    expect(page.locator(".sidebar .switcher")).not_to_have_attribute("open", "")
    expect(page.locator(".sidebar .switcher > summary")).to_be_focused()
    keys.look()
