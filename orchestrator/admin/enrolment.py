"""Who may join: tokens, the list of known ids, and members' new keys that wait for a decision."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminFileFieldWidget

from orchestrator.admin.confirmation import ask_of_membership, row_key
from orchestrator.models import EnrolmentToken, KeyRequest, KnownDevice
from orchestrator.services import enrolment, known_devices
from registry.admin.columns import link_to
from registry.admin.read_only import ReadOnlyAdmin
from registry.services.scopes import may_change_device

_LIST_PAGE = "orchestrator/known_devices.html"


@admin.register(EnrolmentToken)
class EnrolmentTokenAdmin(ReadOnlyAdmin):
    list_display = ["device_id", "created_at", "expires_at", "used_at"]
    exclude = ["token_sha256"]
    search_fields = ["device_id"]


@admin.register(KeyRequest)
class KeyRequestAdmin(ReadOnlyAdmin):
    list_display = ["device_link", "old", "new", "asked_at", "rejected_at"]
    list_filter = [("rejected_at", admin.EmptyFieldListFilter)]
    list_select_related = ["device"]
    search_fields = ["device__device_id"]
    fields = ["device", "old_fingerprint", "new_fingerprint", "asked_at", "rejected_at"]
    readonly_fields = ["old_fingerprint", "new_fingerprint"]
    actions_detail = ["accept", "reject"]

    @display(description="Device", ordering="device")
    def device_link(self, row: KeyRequest) -> str:
        return link_to(row.device)

    @display(description="Accepted key")
    def old(self, row: KeyRequest) -> str:
        return row.old_fingerprint[:16] or "none"

    @display(description="New key")
    def new(self, row: KeyRequest) -> str:
        return "the same, with another secret" if _same_key(row) else row.new_fingerprint[:16]

    def has_admit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        key = row_key(object_id)
        row = KeyRequest.objects.filter(pk=key).first() if key is not None else None
        return may_change_device(request.user, row.device_id if row else None)

    @action(description="Accept", icon="check", permissions=["admit"])
    def accept(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "it takes the old key's place; whoever is signed in with the old one is cut off."

        def act(row: KeyRequest) -> str:
            enrolment.accept_key(row, timezone.now())
            return f"{row.device} is a member with its new key now."

        return ask_of_membership(self, request, object_id, "Accept", effect, act)

    @action(description="Reject", icon="close", permissions=["admit"])
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "it is turned away; the device stays a member with the key that it has."

        def act(row: KeyRequest) -> str:
            enrolment.reject_key(row, timezone.now())
            return f"The new key of {row.device} is turned away."

        return ask_of_membership(self, request, object_id, "Reject", effect, act)


@admin.register(KnownDevice)
class KnownDeviceAdmin(ReadOnlyAdmin):
    list_display = ["device_id", "key_sha256", "listed_at", "used_at"]
    list_filter = [("used_at", admin.EmptyFieldListFilter)]
    search_fields = ["device_id"]
    actions_list = ["import_list"]

    def has_admit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("orchestrator.add_knowndevice")

    @action(description="Import from CSV", icon="upload_file", permissions=["admit"])
    def import_list(self, request: HttpRequest) -> HttpResponse:
        """A page with a form for the file; what is wrong in it stands beside the field."""
        form = KnownListForm(request.POST or None, request.FILES or None)
        back = reverse("admin:orchestrator_knowndevice_changelist")
        if request.method == "POST" and form.is_valid() and form.store():
            messages.success(request, form.done)
            return HttpResponseRedirect(back)
        said = {"title": "Import known devices", "form": form, "back": back, "opts": self.opts}
        page = {**self.admin_site.each_context(request), **said}
        return TemplateResponse(request, _LIST_PAGE, page)


class KnownListForm(forms.Form):
    """A CSV file with ids."""

    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text="CSV, one device a line: device_id and, where wanted, key_sha256",
    )
    done = ""

    def store(self) -> bool:
        """Put the file's ids on the list; False, with the reason at the field, where it cannot."""
        try:
            listed = known_devices.import_file(self.cleaned_data["file"], timezone.now())
        except known_devices.ListError as error:
            self.add_error("file", str(error))
            return False
        self.done = str(listed)
        return True


def _same_key(row: KeyRequest) -> bool:
    return row.old_fingerprint == row.new_fingerprint
