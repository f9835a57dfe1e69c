"""How long the service may take to end."""

SHUTDOWN_SECONDS = 30
"""From SIGTERM to the end of all processes: the one deadline of requests and of mails that are in hand."""
