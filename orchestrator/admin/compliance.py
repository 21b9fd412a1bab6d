"""The page that says who runs the best that fits, and who could be better."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.timesince import timesince

from orchestrator.policy.compliance import Standing
from orchestrator.services.compliance import Compliance, DeviceStanding, compliance
from registry.admin.columns import link_to, share_text
from registry.models import RegisteredModel

PAGE = "orchestrator/compliance.html"
NAME = "compliance-page"
_ON_A_PAGE = 100
_WORDS = {
    Standing.BEST: "run the best that fits",
    Standing.BEHIND: "could run a better variant",
    Standing.WITHOUT: "run none of it, though one fits",
    Standing.UNFIT: "fit nothing of it",
}


def compliance_page(request: HttpRequest) -> HttpResponse:
    """Of one model, chosen by `model`; `standing` shows the devices of one standing alone."""
    if not request.user.has_perm("registry.view_device"):
        raise PermissionDenied
    models = list(RegisteredModel.objects.filter(reference=False).order_by("name"))
    chosen = _chosen(models, request.GET.get("model"))
    context: dict[str, Any] = {"title": "Compliance", "models": _links(models, chosen)}
    if chosen is not None:
        context |= _of_model(request, chosen)
    return TemplateResponse(request, PAGE, {**admin.site.each_context(request), **context})


def _chosen(models: list[RegisteredModel], name: str | None) -> RegisteredModel | None:
    named = [model for model in models if model.name == name]
    return next(iter(named or models), None)


def _links(models: list[RegisteredModel], chosen: RegisteredModel | None) -> list[dict[str, Any]]:
    return [
        {"name": model.name, "href": _address(model=model.name), "is_chosen": model == chosen}
        for model in models
    ]


def _of_model(request: HttpRequest, model: RegisteredModel) -> dict[str, Any]:
    found = compliance(model)
    wanted = request.GET.get("standing", "")
    rows = [each for each in found.devices if wanted in {"", each.standing.value}]
    page = Paginator(rows, _ON_A_PAGE).get_page(request.GET.get("page"))
    return {
        "release": found.release_name,
        "bring_up": _new_rollout(request, found),
        "figures": _figures(found, model),
        "table": _table(page),
        "page": page,
        "before": _turn(model, wanted, page.has_previous(), page.number - 1),
        "after": _turn(model, wanted, page.has_next(), page.number + 1),
    }


def _figures(found: Compliance, model: RegisteredModel) -> list[dict[str, Any]]:
    counts = found.counts
    figures = [
        {
            "name": words,
            "value": f"{counts[place.value]:,}",
            "href": _address(model=model.name, standing=place.value),
        }
        for place, words in _WORDS.items()
    ]
    reach = {"name": "are out of reach", "value": f"{found.unreachable:,}"}
    return [*figures, {**reach, "href": _address(model=model.name)}]


def _new_rollout(request: HttpRequest, found: Compliance) -> str:
    """Where a rollout of the release begins, for who may make one and has a reason to."""
    late = found.counts[Standing.BEHIND] + found.counts[Standing.WITHOUT]
    if not late or not request.user.has_perm("orchestrator.add_rollout"):
        return ""
    wanted = urlencode({"release": found.release_name})
    return f"{reverse('admin:orchestrator_rollout_add')}?{wanted}"


def _table(page: Page[DeviceStanding]) -> dict[str, Any]:
    return {
        "headers": ["Device", "Runs", "Best that fits", "More accurate by", "Reached"],
        "rows": [
            [
                link_to(each.device),
                link_to(each.runs),
                link_to(each.best),
                share_text(each.gain),
                _reached(each),
            ]
            for each in page.object_list
        ],
    }


def _reached(each: DeviceStanding) -> str:
    if each.is_online:
        return "online"
    return "never" if each.last_seen_at is None else f"{timesince(each.last_seen_at)} ago"


def _turn(model: RegisteredModel, standing: str, there: bool, number: int) -> str:
    return _address(model=model.name, standing=standing, page=number) if there else ""


def _address(**query: Any) -> str:
    return f"{reverse(NAME)}?{urlencode({name: value for name, value in query.items() if value})}"
