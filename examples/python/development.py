"""The person's part, for programs. Only development has this mailbox; in production the person opens the link."""

from __future__ import annotations

import asyncio
import re
import time

from guichet_client.service import Service, ServiceError

WAIT_SECONDS = 30


async def activation_token(service: Service, email: str) -> str:
    """Return the token of an activation link. Your page finds it in the fragment, then removes it there."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        messages = (await service.request("GET", "/mailbox/messages")).json()["messages"]
        text = "\n".join(message["text"] for message in messages if email in message["to"])
        if link := re.search(r"#token=(\S+)", text):
            return link[1]
        await asyncio.sleep(0.2)
    raise ServiceError(f"No activation link came in {WAIT_SECONDS} seconds")
