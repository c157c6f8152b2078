from django.urls import path

from pinsync.profiles import api
from pinsync.profiles.views import imports, profiles, segments

app_name = "profiles"
urlpatterns = [
    path("w/<slug:workspace>/profiles/", profiles.profile_list, name="list"),
    path("w/<slug:workspace>/profiles/<int:profile>/", profiles.profile_detail, name="detail"),
    path("w/<slug:workspace>/imports/", imports.imports, name="import"),
    path("w/<slug:workspace>/imports/<int:run>/", imports.import_run, name="import_run"),
    path("w/<slug:workspace>/imports/<int:run>/progress/", imports.import_progress, name="import_progress"),
    path("w/<slug:workspace>/imports/<int:run>/cancel/", imports.import_cancel, name="import_cancel"),
    path("w/<slug:workspace>/imports/<int:run>/problems.csv", imports.import_problems, name="import_problems"),
    path("w/<slug:workspace>/segments/", segments.segment_list, name="segments"),
    path("w/<slug:workspace>/segments/new/", segments.segment_new, name="segment_new"),
    path("w/<slug:workspace>/segments/rules/", segments.segment_rules, name="segment_rules"),
    path("w/<slug:workspace>/segments/count/", segments.segment_count, name="segment_count"),
    path("w/<slug:workspace>/segments/<int:segment>/", segments.segment_edit, name="segment"),
    path("w/<slug:workspace>/segments/<int:segment>/delete/", segments.segment_delete, name="segment_delete"),
    path("api/v1/profiles", api.profiles, name="api_profiles"),
]
