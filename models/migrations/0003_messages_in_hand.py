from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [('models', '0002_register_edition')]

    initial = False

    operations = [
        # Each claim asks which mailboxes somebody sends to: a few messages, of which there may be a million in the queue.
        ops.RunSQL(
            "CREATE INDEX outbox_message_in_hand ON outbox_message (recipient) WHERE lease_owner IS NOT NULL",
            reverse_sql="DROP INDEX outbox_message_in_hand",
        ),
    ]
