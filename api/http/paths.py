"""The paths of the service. Each is written here and nowhere else in Python."""

GRAPHQL = "/graphql"
CONTRACT = "/schema.graphql"
HEALTH_LIVE = "/health/live"
HEALTH_READY = "/health/ready"
SIGN_UP = "/"
GRAPHIQL = "/graphiql"  # Development only.
MAILBOX = "/mailbox"  # Development only.
