from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "registry"
    verbose_name = "Inventory"

    def ready(self) -> None:
        """Signals mark rows whose graph is out of date."""
        from registry import signals

        signals.connect()
