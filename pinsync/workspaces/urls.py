from django.urls import path

from pinsync.workspaces.views import entrance, home

app_name = "workspaces"
urlpatterns = [
    path("", entrance.root, name="root"),
    path("workspaces/", entrance.choose, name="choose"),
    path("workspaces/new/", entrance.create, name="create"),
    path("w/<slug:workspace>/", home.home, name="home"),
    path("w/<slug:workspace>/settings/", home.settings, name="settings"),
]
