"""The box on the list of devices that takes a filter, as REST and rollouts do."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import TextFilter

from registry.models import Device
from registry.selection.terms import FilterError
from registry.services.device_selection import read_filter, selecting


class DeviceFilter(TextFilter):  # type: ignore[misc]  # untyped
    """`board = nano-33-ble and sensor = microphone`; a filter that means nothing is told so."""

    title = "filter"
    parameter_name = "filter"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Device]) -> QuerySet[Device]:
        """The devices that are meant; none where it cannot be read, and a message why."""
        text = self.value()
        if not text:
            return queryset
        try:
            return queryset.filter(selecting(read_filter(text), timezone.now()))
        except FilterError as error:
            messages.error(request, str(error))
            return queryset.none()
