"""The Things directory: what is registered, as which device, and until when."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from registry.admin.columns import DEVICE_COLOURS, link_to
from registry.admin.read_only import ReadOnlyAdmin
from registry.models import ThingRegistration


@admin.register(ThingRegistration)
class ThingRegistrationAdmin(ReadOnlyAdmin):
    list_display = ["thing_id", "device_link", "status_label", "modified", "expires"]
    list_filter = ["device__status"]
    search_fields = ["thing_id", "device__device_id"]
    list_select_related = ["device"]
    fields = ["thing_id", "device_link", "created", "modified", "ttl_s", "expires", "version"]
    readonly_fields = ["device_link"]

    @display(description="Device", ordering="device__device_id")
    def device_link(self, row: ThingRegistration) -> str:
        return link_to(row.device)

    @display(description="Status", ordering="device__status", label=DEVICE_COLOURS)
    def status_label(self, row: ThingRegistration) -> str:
        return row.device.status
