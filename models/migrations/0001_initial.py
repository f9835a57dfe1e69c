from tortoise import migrations
from tortoise.migrations import operations as ops
from models.account import MembershipRole, MembershipStatus
from models.identifiers import IdentifierType
from models.organisation import OrganisationStatus
from models.outbox import MessageKind, MessageState
from models.registration import MailOutcome, RegistrationState
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name='Account',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('email', fields.CharField(max_length=254)),
                ('email_canonical', fields.CharField(unique=True, max_length=254)),
                ('password_hash', fields.CharField(max_length=255)),
                ('first_name', fields.CharField(max_length=100)),
                ('last_name', fields.CharField(max_length=100)),
                ('phone', fields.CharField(null=True, max_length=20)),
                ('contact_email', fields.CharField(max_length=254)),
                ('language', fields.CharField(max_length=2)),
                ('terms_version', fields.CharField(max_length=50)),
                ('terms_accepted_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('survey_consent', fields.BooleanField()),
                ('survey_consent_version', fields.CharField(null=True, max_length=50)),
                ('survey_consent_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'account', 'app': 'models', 'pk_attr': 'id', 'table_description': 'A person who can sign in, from activation on. There is one for each canonical address.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Organisation',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('identifier_type', fields.CharEnumField(description='SIRET: SIRET\nUE_HORS_FRANCE: UE_HORS_FRANCE\nHORS_UE: HORS_UE\nRIDET: RIDET\nTAHITI: TAHITI\nAUTRE: AUTRE\nPARTICULIER: PARTICULIER', enum_type=IdentifierType, max_length=20)),
                ('identifier_value', fields.CharField(max_length=20)),
                ('name', fields.CharField(null=True, max_length=200)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'organisation', 'app': 'models', 'pk_attr': 'id', 'table_description': 'An organisation on the portal.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Membership',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('account', fields.ForeignKeyField('models.Account', source_field='account_id', db_constraint=True, to_field='id', related_name='memberships', on_delete=OnDelete.CASCADE)),
                ('organisation', fields.ForeignKeyField('models.Organisation', source_field='organisation_id', db_index=True, db_constraint=True, to_field='id', related_name='memberships', on_delete=OnDelete.RESTRICT)),
                ('role', fields.CharEnumField(description='MANAGER: MANAGER\nMEMBER: MEMBER', enum_type=MembershipRole, max_length=10)),
                ('status', fields.CharEnumField(description='ACTIVE: ACTIVE\nPENDING: PENDING\nREFUSED: REFUSED', enum_type=MembershipStatus, max_length=10)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'membership', 'app': 'models', 'unique_together': (('account', 'organisation'),), 'pk_attr': 'id', 'table_description': "An account's place in an organisation."},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='OutboxMessage',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('kind', fields.CharEnumField(description='SUMMARY: SUMMARY\nACTIVATION: ACTIVATION\nRESEND: RESEND', enum_type=MessageKind, max_length=20)),
                ('recipient', fields.CharField(max_length=254)),
                ('registration_id', fields.UUIDField(null=True)),
                ('language', fields.CharField(max_length=2)),
                ('state', fields.CharEnumField(default=MessageState.QUEUED, description='QUEUED: QUEUED\nSENT: SENT\nSUPERSEDED: SUPERSEDED\nABANDONED: ABANDONED', enum_type=MessageState, max_length=20)),
                ('attempts', fields.IntField(default=0)),
                ('available_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('lease_owner', fields.CharField(null=True, max_length=32)),
                ('deferred', fields.BooleanField(default=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('finished_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'outbox_message', 'app': 'models', 'indexes': [Index(fields=['state', 'available_at']), Index(fields=['recipient', 'state'])], 'pk_attr': 'id', 'table_description': 'One message to one mailbox.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='RegisterEntry',
            fields=[
                ('siret', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=14)),
                ('name', fields.CharField(null=True, max_length=200)),
                ('status', fields.CharEnumField(description='ACTIVE: ACTIVE\nCLOSED: CLOSED\nUNKNOWN: UNKNOWN', enum_type=OrganisationStatus, max_length=10)),
                ('postal_code', fields.CharField(null=True, max_length=10)),
                ('city', fields.CharField(null=True, max_length=100)),
                ('as_of', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'register_entry', 'app': 'models', 'pk_attr': 'siret', 'table_description': 'What the national register says of one establishment. An import replaces all of them.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Registration',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('state', fields.CharEnumField(default=RegistrationState.AWAITING_CAPTCHA, description='AWAITING_CAPTCHA: AWAITING_CAPTCHA\nVERIFIED: VERIFIED\nACTIVATED: ACTIVATED', enum_type=RegistrationState, max_length=20)),
                ('email', fields.CharField(max_length=254)),
                ('email_canonical', fields.CharField(db_index=True, max_length=254)),
                ('first_name', fields.CharField(max_length=100)),
                ('last_name', fields.CharField(max_length=100)),
                ('phone', fields.CharField(null=True, max_length=20)),
                ('contact_email', fields.CharField(null=True, max_length=254)),
                ('language', fields.CharField(max_length=2)),
                ('terms_version', fields.CharField(max_length=50)),
                ('survey_consent', fields.BooleanField()),
                ('survey_consent_version', fields.CharField(max_length=50)),
                ('identifier_type', fields.CharEnumField(description='SIRET: SIRET\nUE_HORS_FRANCE: UE_HORS_FRANCE\nHORS_UE: HORS_UE\nRIDET: RIDET\nTAHITI: TAHITI\nAUTRE: AUTRE\nPARTICULIER: PARTICULIER', enum_type=IdentifierType, max_length=20)),
                ('identifier_value', fields.CharField(max_length=20)),
                ('organisation_name', fields.CharField(null=True, max_length=200)),
                ('idempotency_digest', fields.CharField(null=True, unique=True, max_length=64)),
                ('input_digest', fields.CharField(max_length=64)),
                ('captcha_challenge', fields.CharField(max_length=32)),
                ('captcha_digest', fields.CharField(max_length=64)),
                ('captcha_expires_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('captcha_failures', fields.IntField(default=0)),
                ('mail_outcome', fields.CharEnumField(null=True, description='SIGN_UP: SIGN_UP\nACCOUNT_EXISTS: ACCOUNT_EXISTS', enum_type=MailOutcome, max_length=20)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('expires_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('verified_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('activated_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'registration', 'app': 'models', 'pk_attr': 'id', 'table_description': 'One attempt to sign up, with its own data, captcha, links and end of life.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='ActivationToken',
            fields=[
                ('digest', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ('registration', fields.ForeignKeyField('models.Registration', source_field='registration_id', db_index=True, db_constraint=True, to_field='id', related_name='tokens', on_delete=OnDelete.CASCADE)),
                ('expires_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('used_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'activation_token', 'app': 'models', 'pk_attr': 'digest', 'table_description': 'What one activation link carries: 256 random bits, of which only a digest is stored.'},
            bases=['Model'],
        ),
        # Tortoise makes no partial unique index on SQLite; both databases know this statement.
        ops.RunSQL(
            "CREATE UNIQUE INDEX organisation_is_there_once ON organisation (identifier_type, identifier_value)"
            " WHERE identifier_type NOT IN ('AUTRE', 'PARTICULIER')",
            reverse_sql="DROP INDEX organisation_is_there_once",
        ),
    ]
