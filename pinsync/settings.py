"""Settings, all from the environment (docs/settings.md), with safe defaults for one machine and no other service."""

from pathlib import Path

from pinsync.env import (
    database,
    env_bool,
    env_choice,
    env_int,
    env_limit,
    env_list,
    env_port,
    env_redis,
    env_str,
    env_token_keys,
    env_url,
    secret_file,
)

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env_str("PINSYNC_DATA_DIR", str(BASE_DIR / "var"))).resolve()

# --- Django -----------------------------------------------------------------------------------------------

DEBUG = env_bool("DEBUG", True)
SECRET_KEY = env_str("SECRET_KEY") or secret_file(DATA_DIR / "secret_key", "secret")
SECRET_KEY_FROM_ENV = bool(env_str("SECRET_KEY"))
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]" if DEBUG else "")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")
BASE_URL = env_url("PINSYNC_URL", f"http://127.0.0.1:{env_port('PORT', 8000)}", default_path="").rstrip("/")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "django_q",
    "pinsync",
    "pinsync.workspaces",
    "pinsync.profiles",
    "integrations",
    "canvas",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "pinsync.workspaces.preferences.PreferencesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "pinsync.middleware.ContentSecurityPolicyMiddleware",
]
ROOT_URLCONF = "pinsync.urls"
WSGI_APPLICATION = "pinsync.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "pinsync.workspaces.context.workspace",
            ],
        },
    },
]

DATABASES = {"default": database(env_str("DATABASE_URL"), DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env_redis("REDIS_URL")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
WEB_CONCURRENCY = env_int("WEB_CONCURRENCY", 1, least=1)

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ko", "한국어")]
LOCALE_PATHS = [BASE_DIR / "pinsync" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["pinsync.formats"]

STATIC_URL = "static/"
STATIC_ROOT = None if DEBUG else BASE_DIR / "staticfiles"  # collectstatic fills it; DEBUG needs no copy
STATICFILES_DIRS = [BASE_DIR / "pinsync" / "static"]
WHITENOISE_USE_FINDERS = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
MEDIA_ROOT = DATA_DIR / "uploads"  # CSV files that wait for their import; never served
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# --- Security -----------------------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = env_bool("SECURE_SSL_REDIRECT", not DEBUG)
# Probes and Prometheus ask a machine directly, past the proxy.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env_bool("BEHIND_PROXY", False) else None
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if env_bool("BEHIND_PROXY", False) else 0  # whose address sign-in limits count
SECURE_HSTS_SECONDS = env_int("SECURE_HSTS_SECONDS", 0 if DEBUG else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
X_FRAME_OPTIONS = "DENY"

API_REQUESTS_PER_MINUTE = env_int("PINSYNC_API_REQUESTS_PER_MINUTE", 600, least=1)  # of one API key

METRICS_TOKEN = env_str("PINSYNC_METRICS_TOKEN")  # /metrics is not there without it

# Newest first: the first key encrypts, all of them decrypt (manage.py rotate_token_keys).
TOKEN_KEYS = env_token_keys("PINSYNC_TOKEN_KEYS") or [secret_file(DATA_DIR / "token_key", "fernet")]
TOKEN_KEYS_FROM_ENV = bool(env_list("PINSYNC_TOKEN_KEYS"))

# --- People ---------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "workspaces.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_CHANGE_EMAIL = True  # one address a person; a new one counts once it is verified
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # before the address is changed
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # in the browser that signed up
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Pinsync: "
ACCOUNT_FORMS = {
    name: f"pinsync.workspaces.account_forms.{form}"
    for name, form in {
        "login": "LoginForm",
        "signup": "SignupForm",
        "add_email": "AddEmailForm",
        "reset_password": "ResetPasswordForm",
        "reset_password_from_key": "ResetPasswordKeyForm",
        "change_password": "ChangePasswordForm",
        "reauthenticate": "ReauthenticateForm",
    }.items()
}
ACCOUNT_USER_DISPLAY = "pinsync.workspaces.accounts.display"

EMAIL_URL_HOST = env_str("EMAIL_HOST")
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if EMAIL_URL_HOST
    else "django.core.mail.backends.console.EmailBackend"
)
EMAIL_HOST = EMAIL_URL_HOST or "localhost"
EMAIL_PORT = env_port("EMAIL_PORT", 587)
EMAIL_HOST_USER = env_str("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env_str("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env_bool("EMAIL_USE_TLS", bool(EMAIL_URL_HOST))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env_str("DEFAULT_FROM_EMAIL", "Pinsync <pinsync@localhost>")

# --- Partners -------------------------------------------------------------------------------------------------

# A second partner is one folder, one line here, one template folder (README, "How to add a partner").
AUDIENCE_PARTNERS = ["integrations.pinterest.partner.Pinterest"]

# Without an app of one's own, Pinsync talks to the bundled sandbox; with one, to the real Pinterest.
# Both addresses given from outside always win: somebody may put a proxy in between.
SANDBOX_PORT = env_port("SANDBOX_PORT", 8100)
PINTEREST_SANDBOX_URL = f"http://127.0.0.1:{SANDBOX_PORT}"
PINTEREST_APP_ID = env_str("PINTEREST_APP_ID", "1000001")
PINTEREST_APP_SECRET = env_str("PINTEREST_APP_SECRET", "sandbox-secret")
PINTEREST_APP_FROM_ENV = bool(env_str("PINTEREST_APP_ID"))
PINTEREST_SECRET_FROM_ENV = bool(env_str("PINTEREST_APP_SECRET"))
PINTEREST_API_URL = env_url(
    "PINTEREST_API_URL",
    "https://api.pinterest.com/v5" if PINTEREST_APP_FROM_ENV else f"{PINTEREST_SANDBOX_URL}/v5",
    default_path="/v5",
).rstrip("/")
PINTEREST_OAUTH_URL = env_url(
    "PINTEREST_OAUTH_URL",
    "https://www.pinterest.com/oauth/" if PINTEREST_APP_FROM_ENV else f"{PINTEREST_SANDBOX_URL}/oauth/",
    default_path="/oauth/",
)
# What Pinterest allows the app: 7 writes a second and person, or 1,000 requests a day for all people together.
PINTEREST_ACCESS = env_choice("PINTEREST_ACCESS", "standard", ("standard", "trial"))
PINTEREST_TRIAL_LIMIT = env_limit("PINTEREST_TRIAL_LIMIT", "1000/86400")

# --- Delivery -------------------------------------------------------------------------------------------------

TICK_SECONDS = 5  # a user waits at most this long for a batch
GIVE_UP_AFTER_SECONDS = env_int("PINSYNC_GIVE_UP_AFTER_SECONDS", 13 * 3600, least=1)
# Lower (never higher) limits than the partner's own; 0 means the partner's.
USERS_PER_REQUEST = env_int("PINSYNC_USERS_PER_REQUEST", 0)
RECORDS_PER_REQUEST = env_int("PINSYNC_RECORDS_PER_REQUEST", 0)
CLAIMERS = env_int("PINSYNC_CLAIMERS", 1, least=1)  # threads of one delivery task that make batches
SENDERS = env_int("PINSYNC_SENDERS", 24, least=1)  # threads of one delivery task, started as needed
DELIVERY_SEATS = env_int("PINSYNC_DELIVERY_SEATS", 2, least=1)  # processes that deliver at once, over all machines
# What every tick rings for; each is quick, and safe to run twice.
TICK_TASKS = [
    "integrations.tasks.tick",
    "integrations.tasks.keep",
    "canvas.tasks.tick",
    "pinsync.profiles.tasks.tick",
]
WORKERS = env_int("PINSYNC_WORKERS", 3, least=1)  # processes of one `manage.py worker`

# Why these values: each was measured; the worker's docstring says what breaks without them.
Q_CLUSTER = {
    "name": "pinsync",
    "label": "Tasks",
    "orm": "default",
    "workers": WORKERS,
    "queue_limit": WORKERS,
    "bulk": 1,
    "poll": 0.2,
    "timeout": 60,
    "retry": 180,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "recycle": 5000,
}

# django-ratelimit counts in the cache. In the embedded profile that is one process's memory: its counts are then
# per process, which pinsync.E003 refuses as soon as there are several.
SILENCED_SYSTEM_CHECKS = [] if REDIS_URL else ["django_ratelimit.E003", "django_ratelimit.W001"]

LOG_LEVEL = env_choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOG_FORMAT = env_choice("LOG_FORMAT", "line" if DEBUG else "json", ("line", "json"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "pinsync.logs.Line"}, "json": {"()": "pinsync.logs.Json"}},
    "filters": {"without_query": {"()": "pinsync.logs.WithoutQuery"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {
        "handlers": ["console"],
        "level": LOG_LEVEL,
    },
    "loggers": {
        # It says two lines for every task, and there are several a second.
        "django-q": {"level": "INFO" if LOG_LEVEL == "DEBUG" else "WARNING"},
        # Django's own handlers would write every line once more, with the text of exceptions.
        "django": {"handlers": [], "level": LOG_LEVEL},
        "django.server": {"handlers": [], "filters": ["without_query"], "level": "INFO", "propagate": True},
        # On DEBUG it writes every statement with its values: addresses, records, encrypted tokens.
        "django.db.backends": {"level": "INFO"},
    },
}
