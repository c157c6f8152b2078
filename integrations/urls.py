from django.urls import path

from integrations.views import ad_accounts, audiences, consent, lookalikes, partners, recreation, retrying

app_name = "integrations"
_PARTNER = "w/<slug:workspace>/partners/<slug:partner>/"
_AD_ACCOUNT = f"{_PARTNER}ad-accounts/<int:ad_account>/"
_AUDIENCE = f"{_PARTNER}audiences/<int:audience>/"

urlpatterns = [
    path("partners/<slug:partner>/callback/", consent.callback, name="callback"),
    path("w/<slug:workspace>/partners/", partners.partners, name="partners"),
    path(_PARTNER, partners.partner, name="partner"),
    path(f"{_PARTNER}connect/", consent.connect, name="connect"),
    path(f"{_PARTNER}change/", consent.change, name="change"),
    path(f"{_PARTNER}choose/<int:authorization>/", consent.choose, name="choose"),
    path(f"{_PARTNER}choose/<int:authorization>/cancel/", consent.cancel, name="cancel"),
    path(f"{_PARTNER}disconnect/", partners.disconnect, name="disconnect"),
    path(f"{_PARTNER}retry/", retrying.retry, name="retry"),
    path("w/<slug:workspace>/retryings/<int:many>/live/", retrying.live, name="retrying_live"),
    path("w/<slug:workspace>/retryings/<int:many>/cancel/", retrying.cancel, name="retrying_cancel"),
    path(f"{_PARTNER}ad-accounts/read/", ad_accounts.read, name="ad_accounts_read"),
    path(f"{_PARTNER}ad-accounts/add/", ad_accounts.add, name="ad_accounts_add"),
    path(f"{_AD_ACCOUNT}disconnect/", ad_accounts.disconnect, name="ad_account_disconnect"),
    path(f"{_AD_ACCOUNT}audiences/", audiences.audiences, name="audiences"),
    path(f"{_AUDIENCE}lookalike/", lookalikes.lookalike, name="lookalike"),
    path(f"{_AUDIENCE}recreation/", recreation.recreation, name="recreation"),
    path(f"{_AUDIENCE}recreation/live/", recreation.recreation_live, name="recreation_live"),
    path(f"{_AUDIENCE}recreate/", recreation.recreate, name="recreate"),
    path(f"{_AD_ACCOUNT}audiences/refresh/", audiences.refresh, name="audiences_refresh"),
]
