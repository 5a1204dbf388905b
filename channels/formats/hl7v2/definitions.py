"""The standard as data: message structures in its own abstract syntax, and the fields of each segment.

Structures follow v2.5.1; what later versions add in the same places (PRT, UAC, ARV, notes after ORC) is optional here,
because senders of every version share a channel. In ORM_O01 all order details are optional beside each other: the
standard lets one of them stand, and RQ1 follow RQD.
"""

from __future__ import annotations

from channels.formats.hl7v2.grammar import GroupDefinition, read_notation

_PATIENT = """
    [PATIENT( PID [PD1] [{PRT}] [{NTE}] [{NK1}] [{ARV}] [VISIT( PV1 [PV2] [{PRT}] )]
        [{INSURANCE( IN1 [IN2] [{IN3}] )}] [GT1] [{AL1}] )]
"""
_REQUISITION = f"""
    MSH [{{ARV}}] [{{SFT}}] [UAC] [{{NTE}}] {_PATIENT}
    {{ORDER( ORC [{{NTE}}] [{{PRT}}] [{{TIMING( TQ1 [{{TQ2}}] )}}] RQD [RQ1] [{{NTE}}]
        [{{OBSERVATION( OBX [{{PRT}}] [{{NTE}}] )}}] [BLG] )}}
"""
_ANSWER = """
    MSH MSA [{ERR}] [{SFT}] [UAC] [{NTE}]
    [RESPONSE( [PATIENT( PID [{NTE}] )] {ORDER( ORC [{TIMING( TQ1 [{TQ2}] )}] RQD [RQ1] [{NTE}] )} )]
"""
NOTATIONS = {
    "ACK": "MSH [{SFT}] [UAC] MSA [{ERR}]",
    "OMS_O05": _REQUISITION,
    "OMN_O07": _REQUISITION,
    "ORS_O06": _ANSWER,
    "ORN_O08": _ANSWER,
    "ORM_O01": f"""
        MSH [{{SFT}}] [{{NTE}}] {_PATIENT}
        {{ORDER( ORC [{{TIMING( TQ1 [{{TQ2}}] )}}]
            [DETAIL( [OBR] [RQD] [RQ1] [RXO] [ODS] [ODT] [{{NTE}}] [CTD] [{{DG1}}] [{{OBSERVATION( OBX [{{NTE}}] )}}] )]
            [{{FT1}}] [{{CTI}}] [BLG] )}}
    """,
}
STRUCTURES: dict[str, GroupDefinition] = {name: read_notation(text) for name, text in NOTATIONS.items()}

# Message types to structures where MSH-9.3 is not sent; ACK stands for every event it answers.
_TYPES = {"OMS^O05": "OMS_O05", "OMN^O07": "OMN_O07", "ORM^O01": "ORM_O01", "ORS^O06": "ORS_O06", "ORN^O08": "ORN_O08"}

# Data types of the fields in order, `*` where a field repeats. As v2.5.1 has them, then what 2.6 to 2.9 add.
_FIELDS = """
MSH ST ST HD HD HD HD TS ST MSG ST PT VID NM ST ID ID ID ID* CE ID EI* XON XON HD HD CWE CWE CWE
SFT XON ST ST ST TX TS
UAC CWE ED
MSA ID ST ST NM ID CE NM ID
ERR ELD* ERL* CWE ID CWE ST* TX TX IS* CWE CWE* XTN*
NTE SI ID FT* CE XCN DTM DTM DTM CWE*
PID SI CX CX* CX* XPN* XPN* TS IS XPN* CE* XAD* IS XTN* XTN* CE CE CE CX ST DLN CX* CE* ST ID NM CE* CE CE TS ID
    ID IS* TS HD CE CE ST CE CWE* XTN*
PD1 IS* IS XON* XCN* IS IS IS IS ID CX* CE ID DT XON* CE* IS DT DT IS IS IS DT
PV1 SI IS PL IS CX PL XCN* XCN* XCN* IS PL IS IS IS IS* IS XCN* IS CX FC* IS IS IS IS* DT* NM* NM* IS IS DT IS NM
    NM IS DT IS DLD CE IS IS IS PL PL TS TS* NM NM NM NM CX IS XCN* ST CX
PV2 PL CE CE CE ST* ST IS* TS TS NM NM ST XCN* DT ID IS DT IS ID NM IS ID XON* IS IS DT IS DT DT CE IS ID TS ID ID
    ID ID CE CE* CE CE* CE IS IS CE* DT TS TS IS* DT
NK1 SI XPN* CE XAD* XTN* XTN* CE DT DT ST JCC CX XON* CE IS TS IS* IS* CE* CE IS CE ID IS CE XPN* CE CE* CE* XPN*
    XTN* XAD* CX* IS CE* IS ST ST IS XTN XTN
IN1 SI CE CX* XON* XAD* XPN* XTN* ST XON* CX* XON* DT DT AUI IS XPN* CE TS XAD* IS IS ST ID DT ID DT IS ST TS XCN*
    IS IS NM NM IS ST CP CP NM CP CP CE IS XAD* ST IS IS IS CX* IS DT ST IS CX* ID
IN2 CX* ST XCN* IS IS* ST XPN* ST XPN* ST CE ST ST IS IS IS DT ID ID ID ST XPN* ST IS* CX* CX* IS RMC* PTA* DDI IS
    IS* CE* CE IS CE ID IS CE XPN* CE CE* CE* DT DT ST JCC IS XPN* XTN* IS XPN* XTN* IS* DT DT* IS XTN IS IS CX CE
    XTN* XTN* CE ID ID ID XON* XON* CE* CE
IN3 SI CX XCN* ID MOP TS TS XCN* DT DT DTN CE TS XCN* ST XTN* CE CE XTN* ICD* ST DT IS IS* XCN* CWE CWE
GT1 SI CX* XPN* XPN* XAD* XTN* XTN* TS IS IS CE ST DT DT NM XPN* XAD* XTN* CX* IS XON* ID CE TS ID CE CP NM CX* CE
    DT DT IS IS* CE* CE IS CE ID IS CE XPN* CE CE* XPN* XTN* CE IS ST JCC XON* IS IS FC CE* ST IS
AL1 SI CE CE CE ST* DT
ARV SI CNE CWE CWE* ST* DR
ORC ID EI EI EI ID ID TQ* EIP TS XCN* XCN* XCN* PL XTN* TS CE CE CE XCN* CE XON* XAD* XTN* XAD* CWE CWE TS CWE CWE
    CNE CWE DT CX* CWE* ID DR DTM EI
TQ1 SI CQ RPT* TM* CQ* CQ TS TS CWE* TX TX ID CQ NM
TQ2 SI ID EI* EI* EI* ID ID CQ NM ID
RQD SI CE CE CE NM CE IS IS CE DT
RQ1 ST CE ST CE ST ID ID
OBR SI EI EI CE ID TS TS TS CQ XCN* ID CE ST TS SPS XCN* XTN* ST ST ST ST TS MOC ID ID PRL TQ* XCN* EIP ID CE* NDL
    NDL* NDL* NDL* TS NM CE* CE* CE ID ID CE* CE CE* CE* CE* CWE IS CWE EI EI CX* EIP
RXO CE NM NM CE CE CE* CE* LA1 ID CE NM CE NM XCN* XCN* ID ST NM CE CE* ST CE CQ CE* NM CWE ID NM EI EI CNE CWE XAD
    PL XAD XTN*
ODS ID CE* CE* ST*
ODT CE CE* ST
CTD CE* XPN* XAD* PL XTN* CE PLN*
DG1 SI ID CE ST TS IS CE CE ID IS CE NM CP ST ID XCN* IS ID TS EI ID EI CWE ID CWE CWE
OBX SI ID CE ST varies* CE ST IS* NM ID* ID TS ST TS CE XCN* CE* EI* TS varies* varies* varies* XON XAD XCN ID* CWE
    CWE* ID* ID* ID CWE EIP
PRT EI* ID CWE CWE XCN* CWE CWE XON* PL* EI* DTM DTM CWE XAD* XTN* EI DTM DTM ST ST EI CNE XTN* EI
BLG CCD ID CX CWE
FT1 SI ST ST DR TS IS CE ST ST NM CP CP CE CE CP PL IS IS CE* XCN* XCN* CP EI XCN* CE CE* CE CWE CNE CX SI* XON* XON
    CWE ST CWE* CWE CX CX CWE CWE ST CQ
CTI EI CE CE
"""


def _read_fields(text: str) -> dict[str, tuple[str, ...]]:
    lines = " ".join(line if line.startswith(" ") else f"\n{line}" for line in text.splitlines()).splitlines()
    return {words[0]: tuple(words[1:]) for words in map(str.split, lines) if words}


SEGMENTS: dict[str, tuple[str, ...]] = _read_fields(_FIELDS)
# A field of these types has one value; of any other type (and of no known one) its components are told apart.
_SIMPLE = frozenset({"ST", "TX", "FT", "NM", "SI", "ID", "IS", "DT", "TM", "TS", "DTM", "varies"})


def structure_of(kind: str, named: str = "") -> str:
    """The structure of a message type (`OMS^O05`), else the one named in MSH-9.3; empty when none is defined."""
    if kind.split("^", 1)[0] == "ACK":
        return "ACK"
    known = _TYPES.get(kind, named)
    return known if known in STRUCTURES else ""


def is_simple(segment: str, field: int) -> bool:
    """Whether the standard gives the field one value only; false for what it does not define (Z segments too)."""
    types = SEGMENTS.get(segment, ())
    return field <= len(types) and types[field - 1].rstrip("*") in _SIMPLE
