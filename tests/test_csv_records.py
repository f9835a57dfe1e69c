"""CSV: where records end, how long one may be, and on which line one begins, as people count lines."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.sirene.csv_records import (
    LongRecordError,
    blank_quoted,
    bounded_records,
    line_of_record,
)

csv_texts = st.text(alphabet='",\r\nA', max_size=40)


def ends_of_records(text: str) -> Iterator[int]:
    """Yield where records end in *text*, which is read letter by letter."""
    state = "start"
    for place, letter in enumerate(text, start=1):
        match state, letter:
            case "quoted", '"':
                state = "quote"
            case (("start" | "quote"), '"'):
                state = "quoted"
            case (("start" | "plain" | "quote"), ("," | "\r" | "\n")):
                state = "start"
                if letter == "\n":
                    yield place
            case (("start" | "plain" | "quote"), _):
                state = "plain"


def chunks_of(text: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


@settings(max_examples=1_000)
@given(csv_texts)
def test_record_ends_at_a_line_feed_outside_quotes(text: str) -> None:
    """Line feeds between quotes, which may be doubled, end no record; a quote inside a plain value is a part of it."""
    blanked = blank_quoted(text.encode())
    assert len(blanked) == len(text)
    assert [place for place, letter in enumerate(blanked.decode(), start=1) if letter == "\n"] == [
        *ends_of_records(text)
    ]


@settings(max_examples=1_000)
@given(st.lists(st.text(alphabet='",\nA', max_size=10), max_size=5), st.data())
def test_record_begins_on_the_line_that_people_see(values: list[str], data: st.DataObject) -> None:
    """Line feeds between quotes end lines, and no records."""
    records = ['A,"{}"\n'.format(value.replace('"', '""')) for value in values] + ["last"]
    number = data.draw(st.integers(1, len(records)))
    line = 1 + "".join(records[: number - 1]).count("\n")
    assert line_of_record(number, io.StringIO("".join(records), newline="")) == line


@pytest.mark.parametrize("chunk_bytes", [1, 100, 900])
@pytest.mark.parametrize("end", [b"", b'",last\n'], ids=["open at the end", "closed"])
@pytest.mark.parametrize("inside", [b"F", b"F\n", b'F""\n', b'""'], ids=["line", "lines", "quotes", "only quotes"])
def test_record_that_is_too_long_is_refused(inside: bytes, end: bytes, chunk_bytes: int) -> None:
    """A record is refused if it is longer than any may be, with the line on which it begins."""
    text = b'A,B\n"C\nD",E\n"' + inside * (1_000 // len(inside)) + end
    with pytest.raises(LongRecordError) as refused:
        list(bounded_records(chunks_of(text, chunk_bytes), 1_000))
    assert refused.value.line == 4


@pytest.mark.parametrize("chunk_bytes", [1, 100, 900])
def test_records_that_are_not_too_long_pass(chunk_bytes: int) -> None:
    """Records as long as they may be, one after another, pass unchanged."""
    text = (b'"' + b"F\n" * 497 + b'",GH\n') * 3
    assert len(text) == 3_000
    assert b"".join(bounded_records(chunks_of(text, chunk_bytes), 1_000)) == text
