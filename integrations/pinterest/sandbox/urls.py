"""Every address of the sandbox."""

from django.urls import path

from .gate import Endpoint, Operation
from .views import accounts, audiences, consent, control, customer_lists, oauth, pages
from .views.control import Control

READ, WRITE = ("ads_read", "ads:read"), ("ads_write", "ads:write")
AD_ACCOUNT = "v5/ad_accounts/<str:ad_account_id>"

urlpatterns = [
    path("v5/oauth/token", Endpoint(POST=Operation(oauth.token, "org_read"))),
    path("v5/oauth/token/revoke", Endpoint(POST=Operation(oauth.revoke, "org_write"))),
    path("v5/user_account", Endpoint(GET=Operation(accounts.user_account, "org_read", "user_accounts:read"))),
    path("v5/ad_accounts", Endpoint(GET=Operation(accounts.list_ad_accounts, *READ))),
    path(AD_ACCOUNT, Endpoint(GET=Operation(accounts.ad_account, *READ))),
    path(
        f"{AD_ACCOUNT}/customer_lists",
        Endpoint(
            GET=Operation(customer_lists.list_customer_lists, *READ),
            POST=Operation(customer_lists.create_customer_list, *WRITE),
        ),
    ),
    path(
        f"{AD_ACCOUNT}/customer_lists/<str:customer_list_id>",
        Endpoint(
            GET=Operation(customer_lists.customer_list, *READ),
            PATCH=Operation(customer_lists.change_customer_list, *WRITE),
        ),
    ),
    path(
        f"{AD_ACCOUNT}/audiences",
        Endpoint(
            GET=Operation(audiences.list_audiences, *READ),
            POST=Operation(audiences.create_audience, *WRITE),
        ),
    ),
    path(
        f"{AD_ACCOUNT}/audiences/<str:audience_id>",
        Endpoint(
            GET=Operation(audiences.audience, *READ),
            PATCH=Operation(audiences.change_audience, *WRITE),
        ),
    ),
    path("oauth/", Control(GET=consent.ask, POST=consent.decide)),
    path("_control/health", Control(GET=control.health)),
    path("_control/audiences", Control(GET=control.audiences)),
    path("_control/customer_lists/<str:customer_list_id>/records", Control(GET=control.records)),
    path("_control/requests", Control(GET=control.requests)),
    path("_control/faults", Control(GET=control.faults, POST=control.add_fault, DELETE=control.clear_faults)),
    path("_control/reset", Control(POST=control.reset)),
    path("_control/tokens", Control(POST=control.tokens)),
    path("", Control(GET=pages.ads_manager)),
    path("audiences/<str:audience_id>", Control(GET=pages.audience)),
    path("control", Control(GET=pages.control_panel, POST=pages.press)),
    path("requests", Control(GET=pages.request_log)),
    path("sandbox.css", Control(GET=pages.stylesheet)),
]
