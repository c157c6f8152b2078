"""Forms of the audience pages."""

import re
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from pinsync.profiles import csv_reading
from pinsync.profiles.csv_reading import FileRefused
from pinsync.profiles.layout import open_table
from pinsync.profiles.reasons import sentence

_RULE_PART = re.compile(r"g(\d{1,3})-r(\d{1,3})-(field|operator|value|until)")
_GROUP_MATCH = re.compile(r"g(\d{1,3})-match")


class UploadForm(forms.Form):
    """A CSV file; one that cannot be imported at all is refused here, before anything is kept."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("UTF-8; the first line names the columns, one of them external_id or email."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.tsv,text/csv"}),
        allow_empty_file=True,
        max_length=200,
    )

    def clean_file(self) -> UploadedFile:
        upload: UploadedFile = self.cleaned_data["file"]
        stream: Any = upload.file
        try:
            csv_reading.check(stream)
            open_table(stream)
        except FileRefused as refused:
            raise forms.ValidationError(sentence(refused.reason, refused.values)) from None
        upload.seek(0)
        return upload


class SegmentForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=100, strip=True)


def posted_filters(data: QueryDict) -> dict[str, Any]:
    """Return the filters (filters.py) that the rows of the segment page say, unchecked and in their order."""
    groups: dict[int, dict[int, dict[str, str]]] = {}
    matches: dict[int, str] = {}
    for key, value in data.items():
        if (part := _RULE_PART.fullmatch(key)) is not None:
            rules = groups.setdefault(int(part[1]), {})
            rules.setdefault(int(part[2]), {})[part[3]] = str(value)
        elif (match := _GROUP_MATCH.fullmatch(key)) is not None:
            matches[int(match[1])] = str(value)
    return {
        "match": data.get("match", "all"),
        "groups": [
            {
                "match": matches.get(number, "all"),
                "rules": [rule for _place, rule in sorted(groups.get(number, {}).items())],
            }
            for number in sorted(groups.keys() | matches.keys())
        ],
    }
