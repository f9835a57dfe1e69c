"""The end of a body in chunks, in any segmentation."""

from __future__ import annotations

import pytest

from api.http.framing import ChunkedBody, Incoming


@pytest.mark.parametrize("filling", [b"\r\n\r\n", b"\r\n0\r\n\r\n", b"x"])
def test_work_for_a_chunk_does_not_depend_on_its_content(filling: bytes) -> None:
    """A chunk full of empty lines or of apparent ends takes no more work than any other."""
    data = filling * (16_000 // len(filling))
    wire = b"%x\r\n%b\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(data), data)
    for size in (1, 7, 1_000, len(wire)):
        incoming, body, taken = Incoming(), ChunkedBody(), 0
        for start in range(0, len(wire), size):
            incoming.append(wire[start : start + size])
            taken += len(incoming.take_chunks(body))
            assert not incoming.size
            assert body.is_complete == (taken == len(wire))
    incoming.append(b"GET / HTTP/1.1")
    whole = Incoming()
    whole.append(wire + b"GET / HTTP/1.1")
    assert whole.take_chunks(ChunkedBody()) == wire
