"""Routes of the Things directory, as W3C's Thing Model has them."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from registry.api.directory_description import DirectoryDescriptionView
from registry.api.directory_view import NowhereView
from registry.api.thing_events import EventsOfOneKindView, EventsView
from registry.api.thing_search import SearchJsonPathView, SearchSparqlView, SearchXPathView
from registry.api.things import ThingsView, ThingView
from registry.models import ThingEventKind

urlpatterns: list[URLPattern] = [
    path(".well-known/wot", DirectoryDescriptionView.as_view(), name="directory"),
    path("things", ThingsView.as_view(), name="things"),
    path("things/<path:thing_id>", ThingView.as_view(), name="thing"),
    path("events", EventsView.as_view(), name="thing-events"),
    *(
        path(f"events/{kind}", EventsOfOneKindView.as_view(kinds=(kind,)), name=kind)
        for kind in ThingEventKind.values
    ),
    path("search/sparql", SearchSparqlView.as_view(), name="search-sparql"),
    path("search/jsonpath", SearchJsonPathView.as_view(), name="search-jsonpath"),
    path("search/xpath", SearchXPathView.as_view(), name="search-xpath"),
    re_path(r"^(?:things|events|search)/", NowhereView.as_view()),
]
