from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    name = "orchestrator"
    verbose_name = "Operations"

    def ready(self) -> None:
        """What operations know of devices can be asked in filters, too."""
        from orchestrator.services.device_fields import FIELDS
        from registry.services.device_selection import add_fields

        add_fields(FIELDS)
