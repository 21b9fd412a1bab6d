from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class OrchestratorConfig(AppConfig):
    name = "orchestrator"
    verbose_name = "Operations"

    def ready(self) -> None:
        """What operations know of devices can be asked in filters, too; others' tasks are known."""
        from orchestrator.compression.search.catalogue import add_tasks
        from orchestrator.services.device_fields import FIELDS
        from registry.services.device_selection import add_fields

        add_fields(FIELDS)
        try:
            add_tasks(settings.COMPRESSION_TASKS)
        except ValueError as error:
            raise ImproperlyConfigured(f"TINYFLEET_COMPRESSION_TASKS: {error}") from error
