"""The time that the service has to shut down."""

SHUTDOWN_SECONDS = 30
"""From SIGTERM to the end of all processes: one deadline for all requests and mails in hand."""
