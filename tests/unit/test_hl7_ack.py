"""Acknowledgements: which one is asked for, how it is written, and what a received one means."""

from __future__ import annotations

import datetime as dt

import hl7
import pytest

from channels.formats.hl7v2.header import read_header
from channels.wire.hl7_ack import answer_code, build_ack, condition, outcome_of, timestamp
from channels.wire.hl7_reply import Ack, judge, read_ack
from engine.errors import Refused, Rejected, Unavailable
from engine.plugin import Sent

NOW = dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
MSH = "MSH|^~\\&|CARTS|TOYTOWN|HILUM|NORTH|20300101||OMS^O05^OMS_O05|C-77|T|2.5.1|||{}|{}||8859/1"


def head(accept: str = "", application: str = "", version: str = "2.5.1") -> bytes:
    return (MSH.format(accept, application).replace("2.5.1", version) + "\rRQD|1\r").encode()


def ack(raw: bytes, code: str = "AA", refusal: Refused | None = None) -> list[str]:
    header = read_header(raw)
    built = build_ack(header, code=code, control_id="A1", time=timestamp(NOW), refusal=refusal)
    return built.decode(header.charset).removesuffix("\r").split("\r")


@pytest.mark.parametrize(
    ("accept", "application", "answers"),
    [
        ("", "", ["AA", "AE", "AR"]),
        ("AL", "", ["CA", "CE", "CR"]),
        ("AL", "AL", ["CA", "CE", "CR"]),
        ("AL", "NE", ["CA", "CE", "CR"]),
        ("ER", "", ["", "CE", "CR"]),
        ("SU", "NE", ["CA", "", ""]),
        ("NE", "NE", ["", "", ""]),
        ("NE", "", ["", "", ""]),
        ("NE", "AL", ["AA", "AE", "AR"]),
        ("", "ER", ["", "AE", "AR"]),
        ("Y", "", ["CA", "CE", "CR"]),
    ],
)
def test_the_answer_the_header_asks_for(accept: str, application: str, answers: list[str]) -> None:
    header = read_header(head(accept, application))
    assert [answer_code(header, outcome) for outcome in "AER"] == answers


def test_an_answer_is_answered_only_by_an_accept_ack() -> None:
    plain = b"MSH|^~\\&|A|B|C|D|2030||ACK^O05|9|P|2.5.1\rMSA|AA|1\r"
    assert read_header(plain).is_answer
    assert answer_code(read_header(plain), "A", reply=True) == ""
    response = head("AL", "").replace(b"OMS^O05^OMS_O05", b"ORS^O06^ORS_O06").replace(b"RQD|1", b"MSA|AA|1")
    assert read_header(response).is_answer
    assert answer_code(read_header(response), "A", reply=True) == "CA"
    assert not read_header(head()).is_answer


def test_positive_answer() -> None:
    assert ack(head()) == [
        "MSH|^~\\&|HILUM|NORTH|CARTS|TOYTOWN|20300102030405+0000||ACK^O05^ACK|A1|T|2.5.1||||||8859/1",
        "MSA|AA|C-77",
    ]


def test_the_senders_delimiters_and_charset_are_used() -> None:
    raw = "MSH#@~\\&#CÄRTS#TOY@x#HILUM#NORTH#2030##OMS@O05#9#P#2.3##########\r".encode("latin-1")
    msh, msa = ack(raw)
    assert msh.startswith("MSH#@~\\&#HILUM#NORTH#CÄRTS#TOY@x#")
    assert "#ACK@O05@ACK#A1#P#2.3" in msh
    assert msa == "MSA#AA#9"


def test_err_since_2_5() -> None:
    refusal = Refused("hl7.value", "not a | number", place="RQD[2]-5.1", hint="send digits", status="102")
    _, msa, err = ack(head(), "AE", refusal)
    assert msa == "MSA|AE|C-77|not a \\F\\ number"
    assert err == ("ERR||RQD^2^5^1^1|102^data type error^HL70357|E|hl7.value^^L||not a \\F\\ number|send digits")


def test_err_before_2_5_is_an_eld() -> None:
    refusal = Refused("hl7.header", "no type", place="MSH-9", status="101", reject=True)
    assert ack(head(version="2.3"), "AR", refusal)[1:] == [
        "MSA|AR|C-77|no type",
        "ERR|MSH^1^9^101&required field missing",
    ]


def test_msa_3_is_gone_since_2_7() -> None:
    assert ack(head(version="2.7"), "AE", Refused("x", "words", status="100"))[1] == "MSA|AE|C-77"


def test_a_message_without_msh_is_rejected_all_the_same() -> None:
    refusal = Refused("hl7.header", "the message does not start with MSH", place="MSH", status="100", reject=True)
    msh, msa, err = ack(b"PID|1\r", "AR", refusal)
    assert msh.startswith("MSH|^~\\&|||||2030")
    assert msa.startswith("MSA|AR||")
    assert "|MSH^1|100^segment sequence error^HL70357|E|" in err


@pytest.mark.parametrize(
    ("place", "erl"),
    [
        ("ORDER[2]/RQD[3]-5", "RQD^3^5"),
        ("MSH-9.2", "MSH^1^9^1^2"),
        ("PID-3[2].4.1", "PID^1^3^2^4^1"),
        ("PID-3(2).4.1", "PID^1^3^2^4^1"),
        ("PID-3[5=MR].1", "PID^1^3^1^1"),
        ("OBX[3=NOTE]-5", "OBX^1^5"),
        ("ORDER[2]/RQD-5", "RQD^2^5"),
        ("ORDER[2]/OBSERVATION[3]/OBX-5", "OBX^3^5"),
        ("ORDER[2]/NTE[4]-3", "NTE^4^3"),
        ("ORDER[3]: RQD", "RQD^3"),
        ("ORDER", ""),
        ("segment 4", ""),
        ("/lines/0", ""),
        ("", ""),
    ],
)
def test_places_become_erl(place: str, erl: str) -> None:
    assert ack(head(), "AE", Refused("x", "y", place=place))[2].split("|")[2] == erl


def test_words_tell_the_place_where_erl_cannot() -> None:
    def told(place: str) -> list[str]:
        _, msa, err = ack(head(), "AE", Refused("x", "words", place=place))
        return [msa.split("|")[3], err.split("|")[7]]

    assert told("segment 4") == ["words (at segment 4)"] * 2
    assert told("ORDER[2]/RQD-5") == ["words (at ORDER[2]/RQD-5)"] * 2
    assert told("RQD[2]-5") == told("") == ["words"] * 2


def test_conditions() -> None:
    assert condition(Refused("x", "", status="204")) == "204"
    assert condition(Refused("map.miss", "", status="422")) == "204"
    assert condition(Refused("anything", "")) == "207"
    assert outcome_of(None) + outcome_of(Refused("x", "")) + outcome_of(Refused("x", "", reject=True)) == "AER"


def test_no_value_of_ours_becomes_structure() -> None:
    refusal = Refused("c^d", "a|b^c~d\\e&f\rMSA|AA|C-77", place="RQD-1", hint="x\ny", status="100")
    lines = ack(head(), "AE", refusal)
    assert [line[:3] for line in lines] == ["MSH", "MSA", "ERR"]
    message = hl7.parse("\r".join(lines))
    assert message.unescape(str(message["ERR"][0][7])) == "a|b^c~d\\e&f MSA|AA|C-77"


def test_python_hl7_reads_it() -> None:
    message = hl7.parse("\r".join(ack(head(), "AE", Refused("x", "words", place="RQD[1]-2", status="101"))))
    assert str(message["MSA"][0][2]) == "C-77"
    assert str(message["ERR"][0][3][0][0]) == "101"


# --- being answered --------------------------------------------------------------------------------------------------
GOOD = b"MSH|^~\\&|R|R|H|N|2030||ACK|1|P|2.5.1\rMSA|AA|M-1\r"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (GOOD, Ack("AA", "M-1")),
        (GOOD.replace(b"\r", b"\r\n"), Ack("AA", "M-1")),
        (GOOD.replace(b"|", b"#"), Ack("AA", "M-1")),
        (b"\xef\xbb\xbf" + GOOD, Ack("AA", "M-1")),
        (b"MSA| AA |M-1", Ack("AA", "M-1")),
        (GOOD.replace(b"|AA|M-1", b"|AE|M-1|bad thing|||204^key"), Ack("AE", "M-1", "204", "bad thing")),
        (GOOD.replace(b"|AA|", b"|AE|") + b"ERR|RQD^1^5^102&oops\r", Ack("AE", "M-1", "102", "oops", "RQD[1]-5")),
        (
            GOOD.replace(b"|AA|", b"|AR|") + b"ERR||MSH^1^11|202^unsupported^HL70357|E||||say why\r",
            Ack("AR", "M-1", "202", "say why", "MSH[1]-11"),
        ),
        (GOOD.replace(b"|AA|", b"|AE|") + b"ERR||J\xc3\xb6rg^x|102\r", Ack("AE", "M-1", "102")),
        (b"MSH|^~\\&|R\rPID|1\r", None),
        (b"MSH|^~\\&|R\rMSA\r", None),
        (b"\xff\xfe\x00", None),
    ],
)
def test_reading_an_answer(raw: bytes, expected: Ack | None) -> None:
    assert read_ack(raw) == expected


def test_what_an_answer_means() -> None:
    assert judge(Ack("AA", "M-1"), "M-1") == Sent("AA")
    assert judge(Ack("CA", "M-1"), "M-1") == Sent("CA")
    for silent in (None, Ack("AA", "M-2"), Ack("XX", "M-1"), Ack("aa", "M-1"), Ack("", "M-1")):
        assert judge(silent, "M-1") is None
    assert judge(Ack("AA", ""), "") is None


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (Ack("AE", "1"), Unavailable, "mllp.nak_error"),
        (Ack("CE", "1", "102"), Unavailable, "mllp.nak_error"),
        (Ack("AR", "1"), Rejected, "mllp.rejected"),
        (Ack("CR", "1", "202"), Rejected, "mllp.rejected"),
        (Ack("AR", "1", "207"), Unavailable, "mllp.nak_busy"),
        (Ack("CR", "1", "207"), Unavailable, "mllp.nak_busy"),
    ],
)
def test_negative_answers(answer: Ack, kind: type[Exception], code: str) -> None:
    verdict = judge(answer, "1")
    assert isinstance(verdict, (Unavailable, Rejected))
    assert (type(verdict), verdict.code, verdict.context["status"]) == (kind, code, answer.code)


@pytest.mark.parametrize("again", [True, False])
def test_the_receivers_words_are_context_and_never_text(again: bool) -> None:
    verdict = judge(Ack("AE", "1", "J|ones", "Jones, Davy", "PID[1]-5"), "1", retry_errors=again)
    assert isinstance(verdict, Unavailable if again else Rejected)
    assert "ones" not in str(verdict)
    assert verdict.context == {"status": "AE", "code": "J|ones", "message": "Jones, Davy", "pointer": "PID[1]-5"}
