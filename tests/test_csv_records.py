"""CSV: the ends of records, their maximum length, and the line on which each begins."""

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
    """Yield the positions of the ends of records in *text*, read letter by letter."""
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
    """A record ends at a line feed outside quotes. A quote inside a plain value is part of the value."""
    blanked = blank_quoted(text.encode())
    assert len(blanked) == len(text)
    assert [place for place, letter in enumerate(blanked.decode(), start=1) if letter == "\n"] == [
        *ends_of_records(text)
    ]


@settings(max_examples=1_000)
@given(st.lists(st.text(alphabet='",\nA', max_size=10), max_size=5), st.data())
def test_record_has_the_line_number_that_an_editor_shows(values: list[str], data: st.DataObject) -> None:
    """Line feeds between quotes count as lines, but end no record."""
    records = ['A,"{}"\n'.format(value.replace('"', '""')) for value in values] + ["last"]
    number = data.draw(st.integers(1, len(records)))
    line = 1 + "".join(records[: number - 1]).count("\n")
    assert line_of_record(number, io.StringIO("".join(records), newline="")) == line


@pytest.mark.parametrize("chunk_bytes", [1, 100, 900])
@pytest.mark.parametrize("end", [b"", b'",last\n'], ids=["open at the end", "closed"])
@pytest.mark.parametrize("inside", [b"F", b"F\n", b'F""\n', b'""'], ids=["line", "lines", "quotes", "only quotes"])
def test_too_long_record_is_refused_with_its_line(inside: bytes, end: bytes, chunk_bytes: int) -> None:
    """A record over the maximum length is refused, with the line on which it begins."""
    text = b'A,B\n"C\nD",E\n"' + inside * (1_000 // len(inside)) + end
    with pytest.raises(LongRecordError) as refused:
        list(bounded_records(chunks_of(text, chunk_bytes), 1_000))
    assert refused.value.line == 4


@pytest.mark.parametrize("chunk_bytes", [1, 100, 900])
def test_records_of_the_maximum_length_pass(chunk_bytes: int) -> None:
    """Records of the maximum length pass unchanged, one after another."""
    text = (b'"' + b"F\n" * 497 + b'",GH\n') * 3
    assert len(text) == 3_000
    assert b"".join(bounded_records(chunks_of(text, chunk_bytes), 1_000)) == text
