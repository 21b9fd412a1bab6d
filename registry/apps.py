from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "registry"
    verbose_name = "Inventory"

    def ready(self) -> None:
        """Signals mark rows whose graph is out of date, and note who signs in."""
        from registry import audit_signals, signals

        signals.connect()
        audit_signals.connect()
