# Scores of trials are by what the task is judged by, which is not always an accuracy.

from django.db import migrations, models


def name_scores(apps, schema_editor):
    """In the results of jobs, too; their gaps name the measure already."""
    for job in apps.get_model('orchestrator', 'Job').objects.filter(kind='compress'):
        for standing in (job.result or {}).get('standings', ()):
            standing['score'] = standing.pop('accuracy', None)
            standing['measure'] = 'accuracy'
        job.save(update_fields=['result'])


class Migration(migrations.Migration):

    dependencies = [
        ('orchestrator', '0014_steps_without_indexes'),
    ]

    operations = [
        migrations.RenameField('compressiontrial', 'accuracy', 'score'),
        migrations.RenameField('compressiontrial', 'float_accuracy', 'float_score'),
        migrations.RunPython(name_scores, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='compressiontrial',
            name='score',
            field=models.FloatField(help_text="Of the int8 file, by the task's measure", null=True),
        ),
        migrations.AlterField(
            model_name='compressiontrial',
            name='float_score',
            field=models.FloatField(help_text='Of its network, before quantization', null=True),
        ),
    ]
