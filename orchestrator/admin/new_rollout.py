"""A new rollout in the admin: a form, its dry run, and only then something that is saved."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin

from orchestrator.admin.confirmation import row_key
from orchestrator.admin.dry_run import dry_run_context
from orchestrator.admin.rollout_copy import fields_of
from orchestrator.admin.rollout_form import RolloutForm
from orchestrator.models import Rollout
from orchestrator.services import rollouts
from orchestrator.services.rollouts import RolloutError
from orchestrator.services.steering import steer
from registry.models import Release, Variant
from registry.services.matching import deliverable

_FORM = "orchestrator/rollout_form.html"
_DRY_RUN = "orchestrator/rollout_dry_run.html"
_SUGGESTED = 200
_SAVING = frozenset({"save", "start"})


def new_rollout(pages: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """The form; sent, its dry run; from there back to the form, or saved, or saved and started.

    Nothing is kept between the pages: the dry run holds the form's fields and sends them again.
    """
    if not pages.has_add_permission(request):
        raise PermissionDenied
    if request.method != "POST":
        return _form_page(pages, request, RolloutForm(initial=_wanted(request)))
    form, step = RolloutForm(request.POST), request.POST.get("step", "")
    if step not in _SAVING:
        request.audit_reading = True  # type: ignore[attr-defined]  # for the audit trail
    if step == "change" or not form.is_valid():
        return _form_page(pages, request, form)
    try:
        if step in _SAVING:
            return _saved(request, form, starts=step == "start")
        return _tried(pages, request, form)
    except RolloutError as error:
        form.refuse(str(error), error.fields)
        request.audit_refusal = str(error)  # type: ignore[attr-defined]
        return _form_page(pages, request, form)


def saved_dry_run(pages: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """What a draft would do on the devices as they are now. Raises Http404."""
    rollout = pages.get_object(request, object_id)
    if rollout is None:
        raise Http404
    back = reverse("admin:orchestrator_rollout_change", args=[rollout.pk])
    try:
        found = dry_run_context(rollout, cast(User, request.user), request.GET)
    except RolloutError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(back)
    said = {"title": f"Dry run: {rollout.name}", "original": rollout, "back": back}
    return _page(pages, request, _DRY_RUN, {**found, **said})


def _wanted(request: HttpRequest) -> dict[str, Any]:
    """A page that leads here may fill fields in, or name a rollout to be `like`."""
    given = {name: request.GET[name] for name in RolloutForm.base_fields if name in request.GET}
    key = row_key(request.GET.get("like"))
    pattern = Rollout.objects.filter(pk=key).first() if key is not None else None
    copied = fields_of(pattern) if pattern is not None else {}
    return {"needs_approval": settings.ROLLOUTS_NEED_APPROVAL, **copied, **given}


def _tried(pages: ModelAdmin, request: HttpRequest, form: RolloutForm) -> HttpResponse:
    user = cast(User, request.user)
    draft = rollouts.draft_rollout(**form.order(), user=user)
    found = dry_run_context(draft, user, request.POST)
    page = {
        "form": form,
        "may_start": _may_start(request) and not draft.needs_approval,
        "title": f"Dry run: {draft.name}",
    }
    return _page(pages, request, _DRY_RUN, {**found, **page})


def _saved(request: HttpRequest, form: RolloutForm, starts: bool) -> HttpResponse:
    if starts and not _may_start(request):
        raise PermissionDenied
    user = cast(User, request.user)
    rollout = rollouts.create_rollout(**form.order(), user=user)
    if starts:
        _start(request, rollout, user)
    else:
        messages.success(request, f"{rollout.name} is saved as a draft; nothing is sent yet.")
    page = reverse("admin:orchestrator_rollout_change", args=[rollout.pk])
    return HttpResponseRedirect(page)


def _start(request: HttpRequest, rollout: Rollout, user: User) -> None:
    """What is saved stays so where it cannot be started, and its page says why."""
    try:
        steer(rollouts.start_rollout, rollout, user)
    except RolloutError as error:
        messages.error(request, f"{rollout.name} is saved as a draft. {error}")
    else:
        messages.success(request, f"{rollout.name} is {rollout.status}.")


def _may_start(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("orchestrator.change_rollout"))


def _form_page(pages: ModelAdmin, request: HttpRequest, form: RolloutForm) -> HttpResponse:
    releases = Release.objects.filter(model__reference=False).select_related("model")
    variants = deliverable(Variant.objects.filter(release__model__reference=False))
    page = {
        "title": "New rollout",
        "form": form,
        "releases": [
            f"{each.model.name}/{each.number}" for each in releases.order_by("-pk")[:_SUGGESTED]
        ],
        "variants": variants.select_related("release__model").order_by("-pk")[:_SUGGESTED],
    }
    return _page(pages, request, _FORM, page)


def _page(
    pages: ModelAdmin, request: HttpRequest, template: str, context: dict[str, Any]
) -> HttpResponse:
    back = reverse("admin:orchestrator_rollout_changelist")
    said = {"opts": pages.opts, "back": back, **context}
    return TemplateResponse(request, template, {**pages.admin_site.each_context(request), **said})
