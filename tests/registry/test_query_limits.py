"""What a query may take, by the role of who asks."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.exceptions import ImproperlyConfigured

from deploy.environment import query_limits_setting
from registry.services.query_limits import Role, asker, limits_of, role_of

pytestmark = pytest.mark.django_db
NAME = "TINYFLEET_SPARQL_VIEWER"


def member(*groups: str, **more: bool) -> User:
    user = User.objects.create_user("-".join(["member", *groups]), **more)
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in groups])
    return user


@pytest.mark.parametrize(
    "groups, role",
    [
        ([], Role.VIEWER),
        (["gardeners"], Role.VIEWER),
        (["operator"], Role.OPERATOR),
        (["Operator", "Model Engineer"], Role.MODEL_ENGINEER),
        (["operator", "administrator"], Role.ADMINISTRATOR),
    ],
)
def test_groups_give_roles(groups: list[str], role: Role) -> None:
    assert role_of(member(*groups)) is role


def test_a_superuser_is_an_administrator_and_nobody_known_is_anonymous() -> None:
    assert role_of(member(is_superuser=True)) is Role.ADMINISTRATOR
    assert role_of(AnonymousUser()) is Role.ANONYMOUS


@pytest.mark.parametrize("role", list(Role))
def test_each_role_has_limits_of_its_own(role: Role, settings) -> None:
    own = {"time_s": 7.0, "memory_bytes": 8, "rows": 9, "at_once": 1}
    settings.SPARQL_ROLES = settings.SPARQL_ROLES | {role.value: own}
    limits = limits_of(role)
    assert {name: getattr(limits, name) for name in own} == own
    assert limits.wait_s == settings.SPARQL_WAIT_S


def test_what_a_role_does_not_name_is_general(settings) -> None:
    settings.SPARQL_TIMEOUT_S, settings.SPARQL_MAX_ROWS = 3.0, 5
    limits = limits_of(Role.VIEWER)
    assert (limits.time_s, limits.rows) == (3.0, 5)


def test_each_user_has_a_share_and_the_unknown_have_one_together() -> None:
    ada, bob = member("a"), member("b")
    names = {asker(user).name for user in (ada, bob, AnonymousUser(), AnonymousUser())}
    assert len(names) == 3


def test_a_setting_names_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "time_s=2.5, memory=1MiB,rows=10")
    assert query_limits_setting(NAME, at_once=3) == {
        "time_s": 2.5,
        "memory_bytes": 2**20,
        "rows": 10,
        "at_once": 3,
    }


@pytest.mark.parametrize(
    "text", ["time=2", "time_s=soon", "rows=0", "at_once=-1", "memory=lots", "60"]
)
def test_a_setting_that_cannot_be_read_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(NAME, text)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        query_limits_setting(NAME, at_once=3)
