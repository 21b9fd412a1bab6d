"""Settings of one installation. Each TINYFLEET_* name is documented in docs/settings.md."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.environment import (
    bool_setting,
    bytes_setting,
    float_setting,
    installation_id,
    int_setting,
    list_setting,
    origins_setting,
    secret_key,
    text_setting,
)
from deploy.logs import logging_configuration
from deploy.navigation import ADMIN_SITE
from deploy.query_settings import *  # noqa: F403  # every name in there is a setting

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("TINYFLEET_VAR", BASE_DIR / "var")).resolve()
VAR_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds keys and sessions

DEBUG = bool_setting("TINYFLEET_DEBUG", False)
SECRET_KEY = secret_key(VAR_DIR / "keys" / "django")
INSTALLATION_ID = installation_id(VAR_DIR / "keys" / "installation")
ALLOWED_HOSTS = list_setting("TINYFLEET_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])

INSTALLED_APPS = [
    "deploy",
    "orchestrator",
    "registry",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "deploy.audit_middleware.AuditMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

AUTHENTICATION_BACKENDS = [
    "registry.scope_backend.ScopeBackend",  # refuses; so it comes first
    "django.contrib.auth.backends.ModelBackend",
]
ROOT_URLCONF = "deploy.urls"
ASGI_APPLICATION = "deploy.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "deploy" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASE_URL = text_setting("TINYFLEET_DATABASE", "")
if DATABASE_URL:
    from deploy.environment import postgresql_database

    DATABASES = {"default": postgresql_database(DATABASE_URL)}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": VAR_DIR / "tinyfleet.sqlite3",
            # IMMEDIATE: a transaction that will write takes the lock at its start, so it waits for
            # it instead of failing half-way. FULL: a PUBACK promises that the batch is on disk.
            "OPTIONS": {
                "timeout": 30,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns of a folder that is not there
MEDIA_ROOT = VAR_DIR / "artifacts"
WHITENOISE_USE_FINDERS = True

REST_FRAMEWORK = {
    # The first one says how to sign in where nobody has: 401 with WWW-Authenticate: Bearer.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "registry.api.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
        "registry.api.authentication.BasicOnceVerified",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["registry.api.permissions.ModelPermissionsOrPublicRead"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "registry.api.pagination.Pages",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "PAGE_SIZE": 100,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "TinyFleet",
    "DESCRIPTION": "What every TinyML device can do, what every model needs, and what fits what.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["registry.api.permissions.ReadOrPublicRead"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "DeviceStatusEnum": "registry.models.DeviceStatus",
        "RolloutStatusEnum": "orchestrator.models.RolloutStatus",
        "WaveStatusEnum": "orchestrator.models.WaveStatus",
        "DeploymentStatusEnum": "orchestrator.models.delivery.STATUS_CHOICES",
        "JobStatusEnum": "orchestrator.models.JobStatus",
        "LearningStatusEnum": "orchestrator.models.LearningStatus",
        "MeasurementStatusEnum": "ontology.facts.Status",
    },
}

TINYFLEET_PUBLIC_READ = bool_setting("TINYFLEET_PUBLIC_READ", False)

# Other sites' pages may read what they bring a password or a token for, and what is open to all.
# Never with credentials: a page elsewhere cannot borrow the session of whoever looks at it.
_ORIGINS = origins_setting("TINYFLEET_CORS_ORIGINS", ["*"])
CORS_ALLOW_ALL_ORIGINS = "*" in _ORIGINS
CORS_ALLOWED_ORIGINS = [origin for origin in _ORIGINS if origin != "*"]
CORS_ALLOW_CREDENTIALS = False
CORS_URLS_REGEX = r"^/(sparql/?|search/sparql|\.well-known/(void|wot))$"
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
CORS_ALLOW_HEADERS = [
    "accept",
    "accept-language",
    "authorization",
    "cache-control",
    "content-type",
    "if-none-match",
    "x-requested-with",
]
CORS_EXPOSE_HEADERS = ["etag", "allow", "accept-post", "www-authenticate"]

# Addresses of the parts of one installation.
WEB_HOST = text_setting("TINYFLEET_WEB_HOST", "127.0.0.1")
WEB_PORT = int_setting("TINYFLEET_WEB_PORT", 8000)
MQTT_HOST = text_setting("TINYFLEET_MQTT_HOST", "127.0.0.1")
# auto takes Mosquitto where it is installed, else the embedded amqtt.
BROKER = text_setting("TINYFLEET_BROKER", "auto")
# auto looks where systems keep it; a path names it; none leaves Mosquitto to the two files.
MOSQUITTO_PLUGIN = text_setting("TINYFLEET_MOSQUITTO_PLUGIN", "auto")
MQTT_PORT = int_setting("TINYFLEET_MQTT_PORT", 1883)
# Where real boards connect, over TLS; empty: nowhere. `up --bind ADDRESS` says it too.
BIND = text_setting("TINYFLEET_BIND", "")
MQTTS_PORT = int_setting("TINYFLEET_MQTTS_PORT", 8883)
ENROL_PORT = int_setting("TINYFLEET_ENROL_PORT", 8884)
TLS_NAMES = list_setting("TINYFLEET_TLS_NAMES", [])  # what boards call this machine, besides
ISSUE_CERTIFICATES = bool_setting("TINYFLEET_ISSUE_CERTIFICATES", bool(BIND))
GRAPH_HOST = text_setting("TINYFLEET_GRAPH_HOST", "127.0.0.1")
GRAPH_PORT = int_setting("TINYFLEET_GRAPH_PORT", 7878)
GRAPH_URL = text_setting("TINYFLEET_GRAPH_URL", "")  # an external store instead of the local one
MLFLOW_HOST = text_setting("TINYFLEET_MLFLOW_HOST", "127.0.0.1")
MLFLOW_PORT = int_setting("TINYFLEET_MLFLOW_PORT", 5000)
MLFLOW_URL = text_setting("TINYFLEET_MLFLOW_URL", "")  # the user's own server instead of ours

# Where state lies.
GRAPH_DIR = VAR_DIR / "graph"
KEYS_DIR = VAR_DIR / "keys"
BROKER_DIR = VAR_DIR / "broker"
MLFLOW_DIR = VAR_DIR / "mlflow"
RUN_DIR = VAR_DIR / "run"
AUTHORITY_FILE = KEYS_DIR / "authority.pem"
SIGNER_SOCKET = Path(text_setting("TINYFLEET_SIGNER_SOCKET", str(RUN_DIR / "signer.sock")))
_author_signer = text_setting("TINYFLEET_AUTHOR_SIGNER_SOCKET", "")
AUTHOR_SIGNER_SOCKET = Path(_author_signer) if _author_signer else None

# Limits. Every one is tested by a case that crosses it.
ARTIFACT_MAX_BYTES = bytes_setting("TINYFLEET_ARTIFACT_MAX_BYTES", 16 * 1024 * 1024)
DESCRIPTION_MAX_BYTES = bytes_setting("TINYFLEET_DESCRIPTION_MAX_BYTES", 64 * 1024)
DESCRIBED_LAYERS_MAX = int_setting("TINYFLEET_DESCRIBED_LAYERS_MAX", 1000)
DESCRIPTION_MAX_DEPTH = int_setting("TINYFLEET_DESCRIPTION_MAX_DEPTH", 32)
DESCRIPTION_MAX_AFFORDANCES = int_setting("TINYFLEET_DESCRIPTION_MAX_AFFORDANCES", 1000)
MQTT_MAX_MESSAGE_BYTES = bytes_setting("TINYFLEET_MQTT_MAX_MESSAGE_BYTES", 64 * 1024)
WHOLE_FILE_BLOCK_MAX_BYTES = bytes_setting("TINYFLEET_WHOLE_FILE_BLOCK_MAX_BYTES", 128 * 1024)
# What the broker passes on at all; above MQTT_MAX_MESSAGE_BYTES, so that the gateway can count it.
BROKER_MAX_MESSAGE_BYTES = bytes_setting(
    "TINYFLEET_BROKER_MAX_MESSAGE_BYTES",
    max(4 * MQTT_MAX_MESSAGE_BYTES, WHOLE_FILE_BLOCK_MAX_BYTES + 4096),
)
GRAPH_VERDICT_PAIRS_MAX = int_setting("TINYFLEET_GRAPH_VERDICT_PAIRS_MAX", 1_000_000)
GENERATED_DEVICES_MAX = int_setting("TINYFLEET_GENERATED_DEVICES_MAX", 1_000_000)
GENERATED_VARIANTS_MAX = int_setting("TINYFLEET_GENERATED_VARIANTS_MAX", 10_000)
# A device in good order sends one message a second, and 32 packs at once after a while offline.
MQTT_MESSAGES_PER_S = float_setting("TINYFLEET_MQTT_MESSAGES_PER_S", 50.0)
MQTT_MESSAGES_BURST = int_setting("TINYFLEET_MQTT_MESSAGES_BURST", 1000)
OPEN_DEPLOYMENTS_MAX = int_setting("TINYFLEET_OPEN_DEPLOYMENTS_MAX", 200_000)
REPORTS_PER_DEPLOYMENT_MAX = int_setting("TINYFLEET_REPORTS_PER_DEPLOYMENT_MAX", 10_000)
ROLLOUT_WAVES_MAX = int_setting("TINYFLEET_ROLLOUT_WAVES_MAX", 100)
RETAINED_MAX_BYTES = bytes_setting("TINYFLEET_RETAINED_MAX_BYTES", 64 * 1024 * 1024)
EXPORT_MAX_SUBJECTS = int_setting("TINYFLEET_EXPORT_MAX_SUBJECTS", 20_000)
RDF_MAX_BYTES = bytes_setting("TINYFLEET_RDF_MAX_BYTES", 16 * 1024 * 1024)
RDF_MAX_TRIPLES = int_setting("TINYFLEET_RDF_MAX_TRIPLES", 500_000)
# One transaction writes them all; whoever else writes to SQLite waits for it, 30 s at most.
RDF_MAX_SUBJECTS = int_setting("TINYFLEET_RDF_MAX_SUBJECTS", 1_000)
RDF_MAX_LITERAL_BYTES = bytes_setting("TINYFLEET_RDF_MAX_LITERAL_BYTES", 64 * 1024)
RDF_MEMORY_BYTES = bytes_setting("TINYFLEET_RDF_MEMORY_BYTES", 1024 * 1024 * 1024)
RDF_TIMEOUT_S = float_setting("TINYFLEET_RDF_TIMEOUT_S", 60.0)
BARE_BOARD_RAM_RESERVE = float_setting("TINYFLEET_BARE_BOARD_RAM_RESERVE", 0.5)
BARE_BOARD_FLASH_RESERVE = float_setting("TINYFLEET_BARE_BOARD_FLASH_RESERVE", 0.5)
BARE_BOARD_RUNTIME = text_setting("TINYFLEET_BARE_BOARD_RUNTIME", "tflite-micro")
AUDIT_REFUSED_SIGN_INS_PER_MINUTE = int_setting("TINYFLEET_AUDIT_REFUSED_SIGN_INS_PER_MINUTE", 60)
# A second person approves each rollout, whatever its maker says.
ROLLOUTS_NEED_APPROVAL = bool_setting("TINYFLEET_ROLLOUTS_NEED_APPROVAL", False)
ROLLOUT_TARGET_INTERVAL_S = int_setting("TINYFLEET_ROLLOUT_TARGET_INTERVAL_S", 60)
DEPLOYMENT_EXPIRY_S = int_setting("TINYFLEET_DEPLOYMENT_EXPIRY_S", 7 * 24 * 3600)
ENROLMENT_TOKEN_EXPIRY_S = int_setting("TINYFLEET_ENROLMENT_TOKEN_EXPIRY_S", 24 * 3600)
CERTIFICATE_LIFETIME_S = int_setting("TINYFLEET_CERTIFICATE_LIFETIME_S", 90 * 24 * 3600)
CERTIFICATES_WITHDRAWN_MAX = int_setting("TINYFLEET_CERTIFICATES_WITHDRAWN_MAX", 20_000)
PENDING_DEVICES_MAX = int_setting("TINYFLEET_PENDING_DEVICES_MAX", 1000)
PENDING_KEYS_MAX = int_setting("TINYFLEET_PENDING_KEYS_MAX", 1000)
KNOWN_DEVICES_MAX = int_setting("TINYFLEET_KNOWN_DEVICES_MAX", 100_000)
KNOWN_LIST_MAX_BYTES = bytes_setting("TINYFLEET_KNOWN_LIST_MAX_BYTES", 16 * 1024 * 1024)
ARENA_REPORTS_QUORUM = int_setting("TINYFLEET_ARENA_REPORTS_QUORUM", 2)
TELEMETRY_GAP_S = float_setting("TINYFLEET_TELEMETRY_GAP_S", 30.0)
GATEWAY_BATCH_MESSAGES = int_setting("TINYFLEET_GATEWAY_BATCH_MESSAGES", 500)
GATEWAY_BATCH_WAIT_S = float_setting("TINYFLEET_GATEWAY_BATCH_WAIT_S", 0.02)
GATEWAY_POLL_S = float_setting("TINYFLEET_GATEWAY_POLL_S", 0.5)
ACCESS_POLL_S = float_setting("TINYFLEET_ACCESS_POLL_S", 0.2)
LEARNING_RATE = float_setting("TINYFLEET_LEARNING_RATE", 0.05)
LEARNING_SAMPLES = int_setting("TINYFLEET_LEARNING_SAMPLES", 300)
LEARNING_EXPIRY_S = int_setting("TINYFLEET_LEARNING_EXPIRY_S", 3600)
TICK_S = float_setting("TINYFLEET_TICK_S", 0.5)
COMMIT = text_setting("TINYFLEET_COMMIT", "")  # else Git is asked, where there is a repository
JOB_LEASE_S = int_setting("TINYFLEET_JOB_LEASE_S", 60)
JOB_RETRY_S = float_setting("TINYFLEET_JOB_RETRY_S", 30.0)
JOB_MAX_ATTEMPTS = int_setting("TINYFLEET_JOB_MAX_ATTEMPTS", 3)
COMPRESSION_TASKS = list_setting("TINYFLEET_COMPRESSION_TASKS", [])  # module:NAME of a TaskEntry
# A search for a fleet ends at whichever comes first; orders may ask for less or more, up to a most.
COMPRESSION_TRIALS = int_setting("TINYFLEET_COMPRESSION_TRIALS", 24)
COMPRESSION_TRIALS_MAX = int_setting("TINYFLEET_COMPRESSION_TRIALS_MAX", 1000)
COMPRESSION_SECONDS = float_setting("TINYFLEET_COMPRESSION_SECONDS", 240.0)
COMPRESSION_SECONDS_MAX = float_setting("TINYFLEET_COMPRESSION_SECONDS_MAX", 24 * 3600.0)
MLFLOW_INTERVAL_S = float_setting("TINYFLEET_MLFLOW_INTERVAL_S", 15.0)
COMPRESSION_OFFER_INTERVAL_S = float_setting("TINYFLEET_COMPRESSION_OFFER_INTERVAL_S", 10.0)
MLFLOW_FETCH_TIMEOUT_S = float_setting("TINYFLEET_MLFLOW_FETCH_TIMEOUT_S", 300.0)
NETWORK_TIMEOUT_S = float_setting("TINYFLEET_NETWORK_TIMEOUT_S", 10.0)

LOGGING = logging_configuration(
    level=text_setting("TINYFLEET_LOG_LEVEL", "INFO"),
    as_json=bool_setting("TINYFLEET_LOG_JSON", False),
)

UNFOLD = ADMIN_SITE
