"""The server's answers to bytes that no client program would send, over a real socket."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.program import READY_SECONDS
from tests.support.service import in_good_order, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.program import Server

QUERY = b'{"query": "{ __typename }"}'
COMMON = b"Host: localhost\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> Iterator[Server]:
    """A server in another process, which all tests share."""
    with serving(tmp_path_factory.mktemp("raw"), empty_sqlite) as server:
        yield server


@pytest.fixture
def service(running: Server) -> Iterator[Server]:
    """The shared server; it must log no error during the test."""
    with in_good_order(running):
        yield running


# --- Requests ---


def request(target: bytes = b"/health/live", *headers: bytes, method: bytes = b"GET") -> bytes:
    """Return a request without a body, with *headers* beside the common ones."""
    return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method, target, COMMON, b"".join(header + b"\r\n" for header in headers))


def post(body: bytes, *headers: bytes, length: object = None) -> bytes:
    """Return a request to the endpoint; its Content-Length is *length*, or that of *body*."""
    announced = b"Content-Length: %b" % str(len(body) if length is None else length).encode()
    return request(b"/graphql", b"Content-Type: application/json", announced, *headers, method=b"POST") + body


def chunked(body: bytes) -> bytes:
    """Return a request to the endpoint in chunks; *body* is their raw form."""
    fields = (b"Content-Type: application/json", b"Transfer-Encoding: chunked")
    return request(b"/graphql", *fields, method=b"POST") + body


CHUNK = b"%x\r\n%b\r\n" % (len(QUERY), QUERY)
END = b"0\r\n\r\n"

NO_HTTP = {
    "bytes": b"\x00\xff\xfe\x01\r\n\r\n",
    "text": b"hello, is anybody there?\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version": b"GET / HTTP/9.9\r\n" + COMMON + b"\r\n",
    "small letters": request(method=b"get"),
    "unknown method": request(method=b"BREW"),
    "blank in the target": request(b"/health live"),
    "relative target": request(b"health/live"),
    "no scheme": request(b"?query={__typename}"),
    "NUL in a value": request(b"/", b"X-Odd: a\0b"),
    "control character in a value": request(b"/", b"X-Odd: \x01\x1b\x7f"),
    "NUL in a name": request(b"/", b"X\0Odd: x"),
    "blank in a name": request(b"/", b"X Odd: x"),
    "no name": request(b"/", b": x"),
    "no colon": request(b"/", b"nothing"),
    "bare line feeds": b"GET /health/live HTTP/1.1\nHost: localhost\n\n",
    "bare line feed behind the head": b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\n",
    "bare carriage return": request(b"/health/live", b"X-Odd: a\rX-Forwarded-For: 192.0.2.1"),
    "folded header": request(b"/health/live", b"X-Odd: a\r\n b"),
    "blank before a colon": request(b"/health/live", b"X-Odd : a"),
    "no host": b"GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": request(b"/health/live", b"Host: evil.example"),
    "HTTP/0.9": b"GET /health/live\r\n\r\n",
    "HTTP/2 without its preface": b"GET /health/live HTTP/2.0\r\n" + COMMON + b"\r\n",
    "host and port for a target": request(b"localhost:443"),
}
AMBIGUOUS = {
    "two lengths": post(QUERY, b"Content-Length: 5"),
    "the same length twice": post(QUERY, b"Content-Length: %d" % len(QUERY)),
    "list of lengths": post(QUERY, length=f"{len(QUERY)}, {len(QUERY)}"),
    "negative length": post(QUERY, length=-1),
    "length with a sign": post(QUERY, length="+27"),
    "hexadecimal length": post(QUERY, length="0x1b"),
    "length in words": post(QUERY, length="ten"),
    "length of thirty digits": post(QUERY, length=10**30),
    "length and chunks": post(CHUNK + END, b"Transfer-Encoding: chunked"),
    "a request in the body": post(END + request(b"/smuggled"), b"Transfer-Encoding: chunked"),
    "unknown encoding and length": post(QUERY, b"Transfer-Encoding: gzip"),
    "encoding after a vertical tab": post(END, b"Transfer-Encoding: \x0bchunked"),
    "chunk without a size": chunked(b"zz\r\nxx\r\n" + END),
    "negative chunk": chunked(b"-1\r\nx\r\n" + END),
    "endless size of a chunk": chunked(b"f" * 40 + b"\r\n"),
    "longer chunk than its size": chunked(b"1\r\n" + QUERY + b"\r\n" + END),
    "NUL in a trailer": chunked(CHUNK + b"0\r\nX-Odd: \0\r\n\r\n"),
    "bytes for chunks": chunked(bytes(range(256))),
    "chunks in HTTP/1.0": chunked(CHUNK + END).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "chunks of another encoding": chunked(CHUNK + END).replace(b": chunked", b": gzip, chunked"),
    "chunks twice": chunked(CHUNK + END).replace(b": chunked", b": chunked, chunked"),
    "two encodings": chunked(CHUNK + END).replace(b": chunked", b": chunked\r\nTransfer-Encoding: identity"),
    "chunks that end by line feeds": chunked(CHUNK + b"0\n\n" + request(b"/smuggled")),
    "line feed in the extension of a chunk": chunked(b"1b;a\n" + QUERY + b"\r\n" + END + request(b"/smuggled")),
    "length in a trailer": chunked(CHUNK + b"0\r\nContent-Length: 5\r\n\r\n" + request(b"/smuggled")),
    "offer to upgrade, length and chunks": post(
        CHUNK + END, b"Transfer-Encoding: chunked", b"Connection: Upgrade", b"Upgrade: h2c"
    ),
    "offer to upgrade, unknown encoding": request(
        b"/graphql", b"Transfer-Encoding: gzip", b"Connection: Upgrade", b"Upgrade: h2c", method=b"POST"
    ),
}
TARGETS = [
    b"/%00",
    b"/index.html%00.js",
    b"/%ff%fe",
    b"/%ed%a0%80",
    b"/%zz%",
    b"/%0d%0aSet-Cookie:%20a=b",
    b"/..",
    b"/../../etc/passwd",
    b"/%2e%2e/%2e%2e/etc/passwd",
    b"/..%2f..%2fetc%2fpasswd",
    b"/..%5c..%5cetc%5cpasswd",
    b"/%c0%ae%c0%ae/etc/passwd",
    b"/journey/%2e%2e",
    b"/journey",
    b"//evil.example",
    b"//evil.example/..",
    b"//evil.example/%2e%2e",
    b"/%2f%2fevil.example/%2e%2e",
    b"/\\evil.example/..",
    b"/%5cevil.example/%2e%2e",
    b"http://evil.example/health/live",
    b"http://evil.example/mailbox",
    b"http://evil.example//evil.example/..",
    b"http://user:password@evil.example/",
    b"/mailbox",
    b"/mailbox/%00",
    b"/mailbox/%2e%2e/%2e%2e/guichet.db",
    b"/mailbox/messages?after=%00%ff",
    b"/mailbox/messages/%00",
    b"/mailbox/messages/%ff",
    b"/mailbox/messages/..%2f..%2f..%2fguichet.db",
    b"/graphiql/%00",
    b"/graphiql/%2e%2e/%2e%2e/pages.py",
    b"/schema.graphql%00",
    b"/health/live#fragment",
    b"/" + b"a" * 5_000,
    b"/" + b"a/" * 3_000,
    b"*",
    b"/graphql?query=%ff%fe",
    b"/graphql?query=%00",
    b"/graphql?%00=%ff&query={__typename}",
    b"/graphql?query={__typename}&variables=%22%ed%a0%80%22",
    b"/graphql?query={__typename}&variables=" + b"[" * 5_000,
    b"/graphql?query={__typename}&operationName=%00",
    b"/graphql?" + b"a&" * 10_000,
]
ODD_HEADERS = {
    "no host": b"GET /mailbox/ HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": request(b"/mailbox/", b"Host: evil.example"),
    "host of odd bytes": b"GET /mailbox/ HTTP/1.1\r\nHost: \xff\xfe:99999999999\r\nConnection: close\r\n\r\n",
    "host that is no address": b"GET /mailbox/ HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n",
    "host with a path": b"GET /mailbox/ HTTP/1.1\r\nHost: localhost:x/y?@z\r\nConnection: close\r\n\r\n",
    "bytes in Accept": request(b"/graphql?query={__typename}", b"Accept: \xff\xfe/\x80;q=\xff"),
    "bytes in Accept-Language": request(b"/graphql?query={__typename}", b"Accept-Language: \xff;q=\x80"),
    "bytes in Origin": request(b"/graphql?query={__typename}", b"Origin: \xff"),
    "bytes in Cookie": request(b"/graphql?query={__typename}", b"Cookie: \xff=\x80"),
    "bytes in If-None-Match": request(b"/graphql?query={__typename}", b'If-None-Match: W/"\xff'),
    "bytes in Content-Type": post(QUERY).replace(b"application/json", b"application/json; charset=\xff"),
    "unknown Content-Encoding": post(QUERY, b"Content-Encoding: gzip"),
    "unknown Expect": post(QUERY, b"Expect: \xff"),
    "Expect": post(QUERY, b"Expect: 100-continue"),
    "bytes in a preflight": request(
        b"/graphql",
        b"Origin: http://localhost\xff",
        b"Access-Control-Request-Method: \xff",
        b"Access-Control-Request-Headers: \xff, \x80",
        method=b"OPTIONS",
    ),
    "odd ranges": request(b"/", b"Range: bytes=-1,5-3,99999999999999999999999-"),
    "many ranges": request(b"/", b"Range: bytes=" + b"0-0," * 5_000 + b"1-"),
    "range of odd bytes": request(b"/", b"Range: \xff=\xff"),
    "odd If-Range": request(b"/", b"Range: bytes=0-1", b"If-Range: \xff"),
    "odd date": request(b"/", b"If-Modified-Since: \xff, 99 Foo 99999 99:99:99 GMT"),
    "far date": request(b"/", b"If-Modified-Since: Mon, 01 Jan 99999999999 00:00:00 GMT"),
    "odd proxy": request(b"/health/live", b"X-Forwarded-For: \xff, 1.2.3.4.5, ::::", b"X-Forwarded-Proto: \xff"),
    "long value": request(b"/health/live", b"X-Long: " + b"a" * 50_000),
    "many headers": request(b"/health/live", *(b"X-%d: a" % number for number in range(2_000))),
    "WebSocket": request(
        b"/graphql",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: x",
        b"Sec-WebSocket-Version: 13",
    ),
    "HTTP/2 by upgrade": request(b"/health/live", b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: \xff"),
    "HTTP/1.0": b"POST /graphql HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n" + QUERY,
    "HTTP/0.9": b"GET /health/live\r\n\r\n",
    "no length": request(b"/graphql", b"Content-Type: application/json", method=b"POST"),
    "length of a part": post(QUERY, length=5),
    "long extension of a chunk": chunked(b"1b;" + b"x" * 20_000 + b"\r\n" + QUERY + b"\r\n" + END),
    **{f"{method.decode()} {target.decode()}": request(target, b"Origin: http://localhost", method=method)
       for method in (b"OPTIONS", b"TRACE", b"CONNECT", b"PUT", b"DELETE", b"PATCH", b"HEAD")
       for target in (b"*", b"/", b"/graphql", b"/mailbox/messages/x", b"evil.example:443")},
}  # fmt: skip
BODIES = {
    "byte order mark": b"\xef\xbb\xbf" + QUERY,
    "member twice": b'{"query": "{ wrong }", "query": "{ __typename }"}',
    "number of no float": b'{"query": "{ __typename }", "variables": {"n": 1e999999}}',
    "number that is next to nothing": b'{"query": "{ __typename }", "variables": {"n": -1e-999999}}',
    "deep variables": b'{"query": "{ __typename }", "variables": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
    "deep query": json.dumps({"query": "{a" * 20_000}).encode(),
    "deep list in the query": json.dumps({"query": f"{{ organisation(identifier: {'[' * 20_000}"}).encode(),
    "deep type in the query": json.dumps({"query": f"query ($a: {'[' * 20_000}"}).encode(),
    "number of 5,000 digits in the query": json.dumps({"query": f"{{ organisation(identifier: {'1' * 5_000}"}).encode(),
}  # fmt: skip

# --- Answers ---


def connect(service: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(service.url).port or 0), timeout=READY_SECONDS)


def ask(service: Server, sent: bytes) -> tuple[HTTPResponse, bytes]:
    """Return the first answer to *sent*, with its body."""
    with connect(service) as connection:
        connection.sendall(sent)
        response = HTTPResponse(connection, method="HEAD" if sent.startswith(b"HEAD") else "GET")
        response.begin()
        return response, response.read()


def check_answer(response: HTTPResponse, body: bytes) -> None:
    """Check that nothing failed inside the server, and that the answer shows no internals."""
    assert response.status < 500
    for inside in (b"Traceback", b'.py"', b"root:", b"SQLite format", b"site-packages"):
        assert inside not in body


def check_service(service: Server) -> None:
    """Check that the next caller is answered."""
    response, body = ask(service, post(QUERY))
    assert (response.status, json.loads(body)) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
def test_bytes_that_are_not_http_are_refused(service: Server, sent: bytes) -> None:
    """Bytes that are no request get a 400, and nothing else happens."""
    response, body = ask(service, sent)
    assert response.status == 400
    check_answer(response, body)
    check_service(service)


@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_request_of_ambiguous_length_is_refused(service: Server, sent: bytes) -> None:
    """A request whose end is ambiguous gets a 400, and is the last of its connection."""
    with connect(service) as connection:
        connection.sendall(sent)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert "smuggled" not in service.log
    check_service(service)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:40].decode())
def test_odd_target_leads_to_no_other_host(service: Server, target: bytes) -> None:
    """An odd target leads to a file of the pages or to none, and never to another host."""
    response, body = ask(service, request(target))
    check_answer(response, body)
    origin = urlsplit(service.url)._replace(netloc="localhost").geturl()
    location = urljoin(origin, response.headers.get("location", "/"))
    assert urlsplit(location).netloc == "localhost"
    assert "set-cookie" not in response.headers
    check_service(service)


@pytest.mark.parametrize("sent", ODD_HEADERS.values(), ids=ODD_HEADERS)
def test_odd_headers_and_methods_are_answered_or_refused(service: Server, sent: bytes) -> None:
    """A request with any header and method is answered or refused."""
    response, body = ask(service, sent)
    check_answer(response, body)
    check_service(service)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_odd_body_is_executed_or_refused(service: Server, body: bytes) -> None:
    """A body that is JSON by one reading only, or very deep, is executed or refused with a code."""
    response, answer = ask(service, post(body))
    check_answer(response, answer)
    assert response.status in {200, 400}
    assert set(json.loads(answer)) in ({"data"}, {"errors"})
    check_service(service)


@pytest.mark.parametrize("after", [b"", b"\0\r\n\r\n"])
def test_pipelined_requests_are_answered_in_order(service: Server, after: bytes) -> None:
    """Requests sent at once are answered in order; bytes that are no request end only their own connection."""
    live = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(service) as connection:
        connection.sendall(live * 2 + live.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + after)
        answer = _all_of(connection)
    assert answer.count(b"HTTP/1.1 200 ") == answer.count(b"HTTP/1.1 ")
    assert after or answer.count(b"HTTP/1.1 200 ") == 3
    check_service(service)


def _all_of(connection: socket.socket) -> bytes:
    """Return all bytes until the connection ends in any way."""
    answer = bytearray()
    with suppress(ConnectionError):
        while received := connection.recv(65536):
            answer += received
    return bytes(answer)


WHOLE = [
    post(QUERY, b"Accept: application/json", b"Accept-Language: en"),
    chunked(CHUNK + END),
    request(b"/graphql?query={__typename}"),
]


@settings(
    database=None,
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # Each example goes to the same server.
)
@given(
    whole=st.sampled_from(WHOLE),
    damages=st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 4), st.binary(max_size=4)), min_size=1, max_size=3),
    end=st.just(1000) | st.integers(0, 1000),
)
@example(whole=WHOLE[0], damages=[], end=990)
@example(whole=WHOLE[1], damages=[], end=990)
def test_damaged_request_is_answered_refused_or_dropped(
    service: Server, whole: bytes, damages: list[tuple[int, int, bytes]], end: int
) -> None:
    """A request with changed bytes, or without its end, is answered, refused or dropped."""
    for thousandths, length, instead in damages:
        start = len(whole) * thousandths // 1000
        whole = whole[:start] + instead + whole[start + length :]
    with connect(service) as connection, suppress(ConnectionError, HTTPException):
        connection.sendall(whole[: len(whole) * end // 1000])
        connection.shutdown(socket.SHUT_WR)
        response = HTTPResponse(connection)
        response.begin()
        check_answer(response, response.read())
    check_service(service)
