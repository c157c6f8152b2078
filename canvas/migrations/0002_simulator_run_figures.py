"""A run of the simulator keeps the figures of its Canvas as it began and as it ended."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("canvas", "0001_initial")]

    operations = [
        migrations.AddField("simulatorrun", "before", models.JSONField(blank=True, default=dict)),
        migrations.AddField("simulatorrun", "after", models.JSONField(blank=True, null=True)),
    ]
