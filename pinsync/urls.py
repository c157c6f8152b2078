from django.contrib import admin
from django.urls import include, path

from pinsync import health, metrics

urlpatterns = [
    path("", include("pinsync.workspaces.urls")),
    path("", include("pinsync.profiles.urls")),
    path("", include("integrations.urls")),
    path("", include("canvas.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", metrics.scrape),
]
