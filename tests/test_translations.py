"""Every string of the product is marked and translated. Read from the sources themselves: no gettext is needed."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import polib
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db import models
from django.template.base import Lexer, TokenType
from django.utils import translation
from django.utils.translation.template import templatize

from pinsync.workspaces import audit

ROOT = Path(settings.BASE_DIR)
CATALOGUE = ROOT / "pinsync" / "locale" / "ko" / "LC_MESSAGES" / "django.po"
AGAIN = "Run bin/messages."

# As in bin/lib/messages.py: benchmarks speak to developers, and the sandbox stands in for Pinterest, in English.
LEFT_OUT = {"benchmarks", "sandbox", "migrations", "static"}

MESSAGE = {"_", "gettext", "gettext_lazy", "gettext_noop"}
PLURAL = {"ngettext", "ngettext_lazy"}
CONTEXT = {"pgettext", "pgettext_lazy"}
BOTH = {"npgettext", "npgettext_lazy"}
LITERAL = r"""u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
CALL = re.compile(rf"(?<![\w.])(\w+)\(\s*({LITERAL})(?:\s*,\s*({LITERAL}))?(?:\s*,\s*({LITERAL}))?", re.S)
PLACEHOLDER = re.compile(r"[“”]?(?:%\(\w+\)[sd]|\{\w*\})[“”]?|%%|</?\w+[^>]*>")


class Message(NamedTuple):
    """What a translation is looked up by, and its plural; "" for none."""

    context: str
    text: str
    plural: str


def sources(*suffixes: str) -> Iterator[Path]:
    for folder in ("canvas", "integrations", "pinsync", "templates"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and not LEFT_OUT.intersection(path.relative_to(ROOT).parts):
                yield path


def message(name: str, texts: list[str]) -> Message | None:
    if name in MESSAGE:
        return Message("", texts[0], "")
    if name in PLURAL:
        return Message("", texts[0], texts[1])
    if name in CONTEXT:
        return Message(texts[0], texts[1], "")
    if name in BOTH:
        return Message(*texts[:3])
    return None


def of_code(path: Path) -> Iterator[Message]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if texts and (found := message(name, texts)):
                yield found


def of_template(path: Path) -> Iterator[Message]:
    for name, *literals in CALL.findall(templatize(path.read_text(encoding="utf-8"))):
        if found := message(name, [ast.literal_eval(one) for one in literals if one]):
            yield found


def of_sources() -> dict[tuple[str, str], str]:
    """Return the plural of every message in the sources, by its context and text."""
    found: dict[tuple[str, str], str] = {}
    for one in chain.from_iterable(
        [*map(of_code, sources(".py")), *map(of_template, sources(".html", ".txt"))],
    ):
        found[one.context, one.text] = found.get((one.context, one.text)) or one.plural
    return found


@pytest.fixture(scope="module")
def catalogue() -> polib.POFile:
    return polib.pofile(str(CATALOGUE))


def said(entry: polib.POEntry) -> str:
    return entry.msgstr_plural.get(0, "") if entry.msgid_plural else entry.msgstr


def test_every_message_of_the_sources_is_in_the_catalogue_and_no_other(catalogue):
    wanted = of_sources()
    assert len(wanted) > 1000  # else nothing was found and everything would hold
    listed = {(one.msgctxt or "", one.msgid): one.msgid_plural for one in catalogue if not one.obsolete}
    assert sorted(wanted.keys() - listed.keys()) == [], AGAIN
    assert sorted(listed.keys() - wanted.keys()) == [], AGAIN
    assert {key: plural for key, plural in wanted.items() if listed[key] != plural} == {}, AGAIN


def test_every_message_is_translated(catalogue):
    assert [one.msgid for one in catalogue if not said(one).strip() and not one.obsolete] == []
    assert [one.msgid for one in catalogue if one.fuzzy] == []
    assert [one.msgid for one in catalogue if one.obsolete] == []
    assert catalogue.metadata["Plural-Forms"] == "nplurals=1; plural=0;"


def test_every_translation_has_the_placeholders_and_tags_of_its_original(catalogue):
    """A name that stands in quotes stands in the same quotes."""
    for one in catalogue:
        original = one.msgid_plural or one.msgid
        assert Counter(PLACEHOLDER.findall(said(one))) == Counter(PLACEHOLDER.findall(original)), original
        assert said(one)[-1].isspace() == original[-1].isspace(), original


def test_the_compiled_catalogue_says_what_the_catalogue_says(catalogue):
    def content(entries):
        return {
            (one.msgctxt or "", one.msgid): (one.msgid_plural, one.msgstr_plural if one.msgid_plural else one.msgstr)
            for one in entries
        }

    assert content(polib.mofile(str(CATALOGUE.with_suffix(".mo")))) == content(catalogue), AGAIN


# -- visible text outside of translate tags

TAG = re.compile(r"""<!--.*?-->|<(?:[^<>"']|"[^"]*"|'[^']*')*>""", re.S)
NOT_READ = re.compile(r"<(script|style|code|svg)\b.*?</\1>", re.S)  # what stands in <code> is typed as it is
ATTRIBUTE = re.compile(r"""\s(title|alt|placeholder|aria-label|label|data-label|data-confirm|data-copied)="([^"]*)\"""")
WORD = re.compile(r"[^\W\d_]{2,}")
ENTITY = re.compile(r"&#?\w+;")
SAME_EVERYWHERE = {"Pinsync", "Pinterest", "CSV", "JSON", "IDFA", "GAID", "UTC", "URL", "API", "ID"}
# The style guide shows components with made-up data and the names of its own filters.
SAMPLES = {
    *("Winter win-back", "Suppress buyers", "Winter buyers", "Ready", "Win-back", "Too small", "Website visitors"),
    *("Processing", "Wholesale", "moment", "day", "short", "clock", "ago", "wide"),
}
GAP, SAID = "\x00", "\x01"


def without_tags(path: Path) -> str:
    """Return a template's own text: a mark stands for each of its tags and variables, and for what is translated."""
    parts, end = [], ""
    for token in Lexer(path.read_text(encoding="utf-8")).tokenize():
        name = token.contents.split(maxsplit=1)[0] if token.token_type == TokenType.BLOCK else ""
        if name in ("blocktranslate", "blocktrans", "comment"):
            end = f"end{name}"
        elif name == end:
            end = ""
        parts.append((SAID if end else token.contents) if token.token_type == TokenType.TEXT else GAP)
    return "".join(parts)


def untranslated(path: Path) -> list[str]:
    text = NOT_READ.sub("\n", without_tags(path))
    read = [value for tag in TAG.findall(text) for _name, value in ATTRIBUTE.findall(tag)]
    read += re.split(r"[\x00\x01\n]", TAG.sub("\n", text))
    samples = SAMPLES if "styleguide" in path.parts else set()
    return [
        one.strip()
        for one in read
        if one.strip() not in samples and set(WORD.findall(ENTITY.sub("", one))) - SAME_EVERYWHERE
    ]


def test_templates_have_no_visible_text_outside_of_translate_tags():
    found = {str(path.relative_to(ROOT)): untranslated(path) for path in sources(".html", ".txt")}
    assert len(found) > 50
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_text_outside_of_translate_tags_is_found(tmp_path):
    path = tmp_path / "some.html"
    path.write_text(
        '{% load i18n %}<p title="Hover me">{% translate "Fine" %}, {{ name }} as CSV</p><code>not this</code>'
        "<script>nor(this)</script>{% blocktranslate %}nor this{% endblocktranslate %}<b>Pinsync &rsaquo; Launch</b>"
    )
    assert untranslated(path) == ["Hover me", "as CSV", "Pinsync &rsaquo; Launch"]


def test_every_fact_of_the_audit_log_has_a_name():
    calls = (
        node
        for path in sources(".py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("audit.record", "_record")
    )
    facts = {keyword.arg for call in calls for keyword in call.keywords if keyword.arg}
    assert len(facts) > 10
    assert facts - {"now", "user"} <= set(audit._FACTS)  # the page says who the user is, not which fact that is


OURS = [config for config in apps.get_app_configs() if Path(config.path).is_relative_to(ROOT / "pinsync")]
OURS += [apps.get_app_config("integrations"), apps.get_app_config("canvas")]


@pytest.mark.parametrize(
    "model", [model for config in OURS for model in config.get_models()], ids=lambda one: one.__name__
)
def test_staff_read_the_name_of_every_model_and_of_its_app_in_their_language(model: type[models.Model]) -> None:
    names = (model._meta.verbose_name, model._meta.verbose_name_plural, model._meta.app_config.verbose_name)
    assert admin.site.is_registered(model)
    with translation.override("ko"):
        assert [str(name) for name in names if not re.search("[가-힣]", str(name))] == []
    with translation.override("en"):
        assert [str(name) for name in names if re.search("[가-힣]", str(name))] == []
