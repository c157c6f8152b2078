"""Why a file, a row or an object was not taken: codes for the database, sentences for people."""

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# A file as a whole. Nothing of it was imported.
FILE_REASONS: "dict[str, str | _StrPromise]" = {
    "empty": _("The file is empty."),
    "spreadsheet": _("This is a spreadsheet or another zipped file, not CSV. Save it as “CSV UTF-8” and try again."),
    "utf16": _("The file is in UTF-16, not UTF-8. Save it as “CSV UTF-8” and try again."),
    "not_utf8": _("The file is not UTF-8: the first wrong character is in line {line}. Save it as “CSV UTF-8”."),
    "binary": _("This is no text file, so it cannot be CSV."),
    "markup": _("This is HTML or XML, not CSV."),
    "json": _("This is JSON, not CSV."),
    "header_unreadable": _("The first line is no CSV header: its quotes or line ends are broken, or it is too long."),
    "header_empty_name": _("Column {column} has no name. Every column needs one in the first line."),
    "header_duplicate": _("The column “{name}” is there twice. Every column needs a name of its own."),
    "header_same_meaning": _("The columns “{first}” and “{second}” mean the same. Keep one of them."),
    "header_long_name": _("The name of column {column} is longer than {most} characters."),
    "header_too_wide": _("The file has more than {most} columns."),
    "no_identifying_column": _(
        "No column says whom a row is about. The first line must name the columns, "
        "and one of them must be external_id or email."
    ),
    "file_gone": _("The uploaded file is gone before it was read. Upload it again."),
    "file_changed": _("The file changed while it was read. Upload it again."),
    "failed": _("Pinsync could not read the file to its end. What was read so far is kept; upload the file again."),
}

# One row of a file, or one object sent to the API. All others were taken.
ROW_REASONS: "dict[str, str | _StrPromise]" = {
    "cells": _("{found} cells instead of {expected}."),
    "quote_open": _("A quoted cell is not closed, or its quotes are broken."),
    "line_too_long": _("The line is longer than {most} bytes."),
    "nul": _("There is a NUL character in it."),
    "surrogate": _("There is half a character (a lone surrogate) in it."),
    "no_identifier": _("Neither an external ID nor an e-mail address says whom this is about."),
    "unusable_email": _("There is no external ID, and the e-mail address is not one that a user can be found by."),
    "too_long": _("“{column}” is longer than {most} characters."),
    "not_text": _("“{column}” must be text."),
    "not_an_object": _("This is no object."),
    "not_plain": _("The attribute “{column}” must be text, a number, true, false or null."),
    "too_many_attributes": _("There are more than {most} attributes."),
    "unknown_key": _("“{column}” is not known here; put it into “attributes”."),
}


def sentence(code: str, values: dict[str, Any]) -> str:
    """Return the sentence for a code; an unknown code stands for itself."""
    template = ROW_REASONS.get(code) or FILE_REASONS.get(code) or code
    return str(template).format(**values)
