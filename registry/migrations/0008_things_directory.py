"""The Things directory; devices that have described themselves already are in it."""

import json
from collections import Counter
from uuid import uuid4

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ID_LENGTH = 300


def register(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Under its own id where one device alone has it, else under a local one."""
    registration = apps.get_model("registry", "ThingRegistration")
    described = apps.get_model("registry", "Device").objects.exclude(td="")
    named = {pk: json.loads(td.removeprefix("\ufeff")).get("id") for pk, td in
             described.values_list("pk", "td").iterator()}
    counts = Counter(named.values())
    registration.objects.bulk_create(
        (
            registration(
                thing_id=_name(named[device.pk], counts, device.device_id),
                device=device,
                created=device.created_at,
                modified=device.created_at,
            )
            for device in described.defer("td").iterator()
        ),
        batch_size=1000,
    )


def _name(own, counts, device_id):
    if own is None:
        return uuid4().urn
    return own if counts[own] == 1 and len(own) <= ID_LENGTH else f"urn:tinyfleet:device:{device_id}"


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0007_sensor_supply_current'),
    ]

    operations = [
        migrations.CreateModel(
            name='ThingEventCounter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('last', models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='ThingEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveBigIntegerField(editable=False, null=True, unique=True)),
                ('kind', models.CharField(choices=[('thing_created', 'Created'), ('thing_updated', 'Updated'), ('thing_deleted', 'Deleted')], max_length=13)),
                ('thing_id', models.CharField(max_length=300, verbose_name='Thing id')),
                ('detail', models.TextField(blank=True, help_text='JSON: the description when created, a merge patch when updated')),
                ('at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(condition=models.Q(('number', None)), fields=['id'], name='thing_events_to_number')],
            },
        ),
        migrations.CreateModel(
            name='ThingRegistration',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('thing_id', models.CharField(max_length=300, unique=True, verbose_name='Thing id')),
                ('created', models.DateTimeField()),
                ('modified', models.DateTimeField()),
                ('ttl_s', models.FloatField(blank=True, null=True, verbose_name='time to live, s')),
                ('expires', models.DateTimeField(blank=True, db_index=True, null=True)),
                ('version', models.PositiveIntegerField(default=1)),
                ('device', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='registration', to='registry.device')),
            ],
            options={
                'ordering': ['thing_id'],
            },
        ),
        migrations.RunPython(register, migrations.RunPython.noop),
    ]
