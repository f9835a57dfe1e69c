"""The signals that end the service, and the time that it has to shut down."""

import signal

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHUTDOWN_SECONDS = 30
"""From SIGTERM to the end of all processes: one deadline for all requests and mails in hand."""
