from tortoise import migrations
from tortoise.migrations import operations as ops
from models.organisation import OrganisationSource
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0001_initial')]

    initial = False

    operations = [
        ops.CreateModel(
            name='RegisterEdition',
            fields=[
                ('source', fields.CharEnumField(primary_key=True, unique=True, db_index=True, description='SIRENE: SIRENE\nDECLARED: DECLARED', enum_type=OrganisationSource, max_length=10)),
                ('edition', fields.DateField()),
                ('imported_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('legal_units', fields.BigIntField()),
                ('entries', fields.BigIntField()),
                ('closed', fields.BigIntField()),
                ('withheld', fields.BigIntField()),
                ('reminded_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'register_edition', 'app': 'models', 'pk_attr': 'source', 'table_description': 'Which edition of a register the entries are of. An import replaces it with them, in one transaction.'},
            bases=['Model'],
        ),
        # Entries are of the edition that was imported with them: what has none yet goes.
        ops.RunSQL("DELETE FROM register_entry", reverse_sql="DELETE FROM register_entry"),
        ops.RemoveField(model_name='RegisterEntry', name='as_of'),
    ]
