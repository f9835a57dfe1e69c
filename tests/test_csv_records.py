"""CSV cut where records end: nothing gets lost, every piece can be read alone, and lines are counted as people do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.sirene import csv_records
from api.sirene.csv_records import LongRecordError, end_of_records, line_of_record, whole_lines, whole_records

csv_texts = st.text(alphabet='",\r\nA', max_size=40).map(str.encode)


def ends_of_records(text: bytes) -> Iterator[int]:
    """Where records end in *text*, letter by letter."""
    state = "start"
    for place, letter in enumerate(text.decode("latin-1"), start=1):
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
@given(csv_texts, st.sampled_from([4, 1_000]))
def test_records_end_where_their_line_does(text: bytes, window: int) -> None:
    """Whatever stands between the quotes, doubled or not."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_records, "PLAIN_END_BYTES", window)
        assert end_of_records(text) == max(ends_of_records(text), default=0)


@settings(max_examples=1_000)
@given(csv_texts, st.integers(1, 20))
def test_pieces_are_whole_wherever_they_are_cut(text: bytes, chunk: int) -> None:
    """Together they are the text; each but the last ends where a record does."""
    pieces, place = list(whole_records(chunks_of(text, chunk))), 0
    assert b"".join(pieces) == text
    ends = set(ends_of_records(text))
    for piece in pieces[:-1]:
        place += len(piece)
        assert place in ends


@settings(max_examples=1_000)
@given(csv_texts, st.integers(1, 20), st.sets(st.integers(0, 10)))
def test_record_begins_on_the_line_that_people_see(text: bytes, chunk: int, given_pieces: set[int]) -> None:
    """Of the records that one reader was given, each; line feeds between quotes end lines too."""
    pieces = list(whole_records(chunks_of(text, chunk)))
    starts = [0, *ends_of_records(text)][:-1]
    expected, place = [], 0
    for number, piece in enumerate(pieces):
        if number in given_pieces:
            expected += [text.count(b"\n", 0, start) for start in starts if place <= start < place + len(piece)]
        place += len(piece)
    assert [line_of_record(record, pieces, given_pieces) for record in range(len(expected))] == expected


def test_record_without_end_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused once it is longer than any may be, and the lines before it are counted."""
    monkeypatch.setattr(csv_records, "LONGEST_RECORD", 100)
    text = b'A,B\n"C\nD",E\n' + b'"' + b"F\n" * 100
    with pytest.raises(LongRecordError):
        list(whole_records(chunks_of(text, 10)))
    assert whole_lines(whole_records(chunks_of(text, 10))) == 3
    assert list(whole_records(chunks_of(text[:90], 10)))[-1].startswith(b'"F')
