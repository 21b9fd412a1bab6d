"""The ASGI application that the web process serves."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
_django = get_asgi_application()

from deploy.event_stream import WithEventStreams  # noqa: E402  # its models need a set-up Django
from registry.services.sparql import warm_up  # noqa: E402

warm_up()
application = WithEventStreams(_django)
