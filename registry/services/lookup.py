"""Finding what a person names: by number, or by the name that people know it by."""

from __future__ import annotations

from registry.models import Device, RegisteredModel, Release, Variant


class LookupFailed(LookupError):
    """Nothing has that name; the message is a sentence."""


def find_device(device_id: str) -> Device:
    """The device with that id, or LookupFailed."""
    device = Device.objects.filter(device_id=device_id).first()
    if device is None:
        raise LookupFailed(f"there is no device {device_id!r}")
    return device


def find_model(name: str) -> RegisteredModel:
    """The model with that name, or LookupFailed."""
    model = RegisteredModel.objects.filter(name=name).first()
    if model is None:
        raise LookupFailed(f"there is no model {name!r}")
    return model


def find_variant(name: str) -> Variant:
    """The variant with that number, or that is called model/release/name; else LookupFailed.

    A name alone will do where only one variant has it.
    """
    rows = Variant.objects.select_related("release__model", "artifact")
    if name.isdecimal() and len(name) < 19:
        found = rows.filter(pk=int(name)).first()
    elif len(alike := rows.filter(name=name)[:2]) == 1:
        found = alike[0]
    else:
        found = rows.filter(**_path(name)).first()
    if found is None:
        raise LookupFailed(f"there is no variant {name!r}; give its number or model/release/name")
    return found


def find_release(name: str) -> Release:
    """The release with that primary key, or that is called model/number; else LookupFailed."""
    rows = Release.objects.select_related("model")
    model, _, number = name.rpartition("/")
    if not number.isdecimal() or len(number) > 9:
        raise LookupFailed(f"{name!r} is no release; give its id or model/number")
    key: dict[str, str | int] = {"pk": int(number)}
    if model:
        key = {"model__name": model, "number": int(number)}
    found = rows.filter(**key).first()
    if found is None:
        raise LookupFailed(f"there is no release {name!r}; give its id or model/number")
    return found


def _path(name: str) -> dict[str, str | int]:
    model, _, rest = name.partition("/")
    number, _, variant = rest.partition("/")
    if not variant or not number.isdecimal() or len(number) > 9:
        raise LookupFailed(f"{name!r} is no variant; give its number or model/release/name")
    return {"release__model__name": model, "release__number": int(number), "name": variant}
