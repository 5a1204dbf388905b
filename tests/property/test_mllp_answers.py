"""The short way to read a yes never says one where the whole way would not."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.wire.hl7_reply import accepted, judge, read_ack
from engine.plugin import Sent

HEAD = b"MSH|^~\\&|HILUM|NORTH|CARTS|TOYTOWN|20300101||ACK^O05^ACK|R-1|P|2.5.1"
PIECES = [
    HEAD, b"MSH|^~", b"MSA", b"|", b"!", b"\xc2", b"\xa6", b"AA", b"CA", b"AE", b"N-1", b"N-12", b"N", b"-1", b" ",
    b"\xa0", b"\xc2\xa0", b"\xef\xbb\xbf", b"\r", b"\n", b"\rERR|", b"\rMSA|AA|", b"\rMSA|AA|N-1", b"\rMSA|AR|N-1",
    b"MSA|CA|N-1\r",
]  # fmt: skip


@pytest.mark.parametrize("code", ["AA", "CA"])
@pytest.mark.parametrize("rest", [b"", b"\r", b"|words", b"||\rERR|||0\r", b"\rMSA|AR|N-1\r"])
def test_a_plain_yes_is_seen(code: str, rest: bytes) -> None:
    assert accepted(HEAD + f"\rMSA|{code}|N-1".encode() + rest, "N-1") == Sent(code)


@pytest.mark.parametrize("answer", [b"\rMSA|AR|N-1", b"\rMSA|AA|N-12", b"\rMSA|AA|N-", b"\rMSA|AA", b"\rMSA", b""])
def test_anything_else_is_left_to_the_whole_way(answer: bytes) -> None:
    assert accepted(HEAD + answer, "N-1") is None


@settings(max_examples=2000, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=9).map(b"".join), st.sampled_from(["N-1", "N", " N-1", "N-1\xa0", ""])
)
@example(HEAD + b"\rMSA|AA|N-12", "N-1")
@example(HEAD + b"\nMSA|AR|N-1\rMSA|AA|N-1", "N-1")
@example(b"MSA|AR|N-1\rMSA|AA|N-1", "N-1")
@example(HEAD + b"\rMSA|AA|", "")
def test_it_says_yes_only_where_the_whole_way_does(answer: bytes, control_id: str) -> None:
    short = accepted(answer, control_id)
    assert short is None or short == judge(read_ack(answer), control_id)
