"""The statements that a relay sends for each message of the outbox, written out: see `models.database.statements`."""

CLAIM_CANDIDATES = 20

DUE = """
state = 'QUEUED' AND available_at <= $1 AND (mailbox IS NULL OR mailbox NOT IN (
    SELECT mailbox FROM outbox_message
    WHERE state = 'QUEUED' AND lease_owner IS NOT NULL AND available_at > $1 AND mailbox IS NOT NULL
))
"""
FIND_DUE = f"""
SELECT id, recipient, mailbox FROM outbox_message WHERE {DUE}
ORDER BY available_at, kind DESC LIMIT {CLAIM_CANDIDATES}
"""  # noqa: S608
ASSIGN_MAILBOX = "UPDATE outbox_message SET mailbox = $2 WHERE id = $1 AND mailbox IS NULL"
CLAIM = f"""
UPDATE outbox_message SET lease_owner = $2, available_at = $3, attempts = attempts + 1
WHERE id = $4 AND {DUE} RETURNING *
"""  # noqa: S608
RECENT = """
SELECT * FROM (
    SELECT * FROM outbox_message
    WHERE mailbox = $1 AND id <> $2 AND state IN ('SENT', 'DISCARDED') AND finished_at > $3
    ORDER BY finished_at DESC LIMIT $4
) AS finished
UNION ALL
SELECT * FROM outbox_message
WHERE mailbox = $1 AND id <> $2 AND state = 'QUEUED' AND lease_owner IS NOT NULL AND available_at > $5
"""
"""Mails of a mailbox that count towards its limit: whether they were sent or discarded must not make a difference."""
LEASED = "id IN ({ids}) AND state = 'QUEUED' AND lease_owner = $1"
RENEW = f"UPDATE outbox_message SET available_at = $2 WHERE {LEASED}"  # noqa: S608
FINISH = f"""
UPDATE outbox_message
SET state = CASE WHEN id = $4 THEN $2 ELSE 'SUPERSEDED' END, finished_at = $3, lease_owner = NULL
WHERE {LEASED} RETURNING id
"""  # noqa: S608
