"""`manage.py generate_fleet --devices N --seed S`: a fleet of any size, for trying things out."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from registry.management.writing_command import WritingCommand
from registry.services.fleet_generation import (
    PROFILES,
    CatalogueTooSmall,
    FleetRefused,
    FleetSize,
    generate_fleet,
)


class Command(WritingCommand):
    """Writes into the installation's database; needs no other process."""

    help = (
        "Make devices on 12 boards with 4 runtimes and 6 sensor packs of the catalogue, and "
        "variants that need some of 60 operators; the same seed makes the same fleet."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--devices", type=int, required=True, metavar="N")
        parser.add_argument("--seed", type=int, required=True, metavar="S")
        parser.add_argument("--variants", type=int, default=0, metavar="M", help="default: none")
        parser.add_argument(
            "--profiles",
            type=int,
            metavar="P",
            help=f"capability profiles that the devices share (default: {PROFILES}, or as many as"
            " there are devices)",
        )

    def handle(
        self,
        *args: Any,
        devices: int,
        seed: int,
        variants: int,
        profiles: int | None,
        **options: Any,
    ) -> None:
        shared = min(PROFILES, devices) if profiles is None else profiles
        try:
            made = generate_fleet(FleetSize(devices, variants, shared), seed)
        except (FleetRefused, CatalogueTooSmall) as error:
            raise CommandError(str(error)) from error
        for what, count in made.items():
            self.stdout.write(f"{what:10} {count:10,}")
