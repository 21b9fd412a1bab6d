"""The ASGI application that the web process serves."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
_django = get_asgi_application()

from deploy.event_stream import WithEventStreams  # noqa: E402  # its models need a set-up Django

application = WithEventStreams(_django)
