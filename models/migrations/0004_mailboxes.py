from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from models.outbox import MessageState

# `models.outbox.mailbox_of`, in what SQLite and PostgreSQL both know: canonical addresses are ASCII, in lower case.
OF_DOMAINS = 'abcdefghijklmnopqrstuvwxyz0123456789-.'
OF_LOCAL_PARTS = OF_DOMAINS + "!#$%&''*/=?^_`{|}~"  # All but the plus sign; the apostrophe is written twice.
LOCAL_PART = f"substr(recipient, 1, length(recipient) - length(ltrim(recipient, '{OF_LOCAL_PARTS}')))"
DOMAIN = f"substr(recipient, length(rtrim(recipient, '{OF_DOMAINS}')) + 1)"


class DescribeField(ops.AlterField):
    """Alter what is said of a field, and nothing in the database: SQLite's table would be built anew, without indexes."""

    async def database_forward(self, *arguments, **options):
        pass

    async def database_backward(self, *arguments, **options):
        pass


class Migration(migrations.Migration):
    dependencies = [('models', '0003_messages_in_hand')]

    initial = False

    operations = [
        # NULL is what the release before stores, while it runs beside this one.
        ops.AddField(model_name='OutboxMessage', name='mailbox', field=fields.CharField(null=True, max_length=254)),
        ops.RunSQL(
            f"UPDATE outbox_message SET mailbox = CASE WHEN recipient LIKE '+%' THEN recipient"
            f" ELSE {LOCAL_PART} || '@' || {DOMAIN} END",
            reverse_sql="UPDATE outbox_message SET mailbox = NULL",
        ),
        ops.AlterModelOptions(
            name='OutboxMessage',
            options={'table': 'outbox_message', 'app': 'models', 'indexes': [Index(fields=['state', 'available_at']), Index(fields=['recipient', 'state']), Index(fields=['mailbox', 'state'])], 'pk_attr': 'id', 'table_description': 'One message to one address. What may come is counted by mailbox; what is merged is of one address.'},
        ),
        DescribeField(
            model_name='OutboxMessage',
            name='state',
            field=fields.CharEnumField(default=MessageState.QUEUED, description='QUEUED: QUEUED\nSENT: SENT\nDISCARDED: DISCARDED\nSUPERSEDED: SUPERSEDED\nABANDONED: ABANDONED', enum_type=MessageState, max_length=20),
        ),
        ops.AddIndex(model_name='OutboxMessage', index=Index(fields=['mailbox', 'state'])),
        # As that of 0003, which the release before goes on using: a later one drops it.
        ops.RunSQL(
            "CREATE INDEX outbox_message_mailbox_in_hand ON outbox_message (mailbox) WHERE lease_owner IS NOT NULL",
            reverse_sql="DROP INDEX outbox_message_mailbox_in_hand",
        ),
        ops.RunSQL(
            "CREATE INDEX outbox_message_without_mailbox ON outbox_message (id) WHERE mailbox IS NULL",
            reverse_sql="DROP INDEX outbox_message_without_mailbox",
        ),
    ]
