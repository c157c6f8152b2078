from django.urls import path

from pinsync.workspaces.views import audit, entrance, home, keys, letters, members, preferences, styleguide

app_name = "workspaces"
urlpatterns = [
    path("", entrance.root, name="root"),
    path("workspaces/", entrance.choose, name="choose"),
    path("workspaces/new/", entrance.create, name="create"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("preferences/theme/", preferences.theme, name="theme"),
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    path("w/<slug:workspace>/", home.home, name="home"),
    path("w/<slug:workspace>/settings/", home.settings, name="settings"),
    path("w/<slug:workspace>/members/", members.members, name="members"),
    path("w/<slug:workspace>/members/add/", members.add, name="member_add"),
    path("w/<slug:workspace>/members/leave/", members.leave, name="leave"),
    path("w/<slug:workspace>/members/<int:member>/role/", members.change_role, name="member_role"),
    path("w/<slug:workspace>/members/<int:member>/remove/", members.remove, name="member_remove"),
    path("w/<slug:workspace>/notifications/", letters.notifications, name="notifications"),
    path("w/<slug:workspace>/invitations/<int:invitation>/withdraw/", members.withdraw, name="invitation_withdraw"),
    path("w/<slug:workspace>/api-keys/", keys.api_keys, name="api_keys"),
    path("w/<slug:workspace>/api-keys/create/", keys.create, name="api_key_create"),
    path("w/<slug:workspace>/api-keys/<int:key>/revoke/", keys.revoke, name="api_key_revoke"),
    path("w/<slug:workspace>/audit/", audit.audit, name="audit"),
]
