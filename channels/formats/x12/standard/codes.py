"""X12: code lists we hold as complete, and what acknowledgement codes say in our own words. Data only.

A list not given here is open: any code of the right length passes, and whether it means something is the mapping's
business. Units (element 355) are closed in 004010, because a wrong unit is a wrong quantity; 005010 added units, and
its list is open.
"""

from typing import Final

CLOSED_004010: Final = {
    "355": """
        01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 1G 1H 1I 1J 1K 1L 1M 1N 1P 1Q 1R 1X
        20 21 22 23 24 25 26 27 28 29 2A 2B 2C 2D 2F 2G 2H 2I 2J 2K 2L 2M 2N 2P 2Q 2R 2U 2V 2W 2X 2Y 2Z
        30 31 32 33 34 35 36 37 38 39 3B 3C 3E 3F 3G 3H 3I 40 41 43 44 45 46 47 48 4A 4B 4C 4D 4E 4F 4G 4H 4I 4J 4K
        4L 4M 4N 4O 4P 4Q 4R 4S 4T 4U 4V 4W 4X 50 51 52 53 54 56 57 58 59 5A 5B 5C 5E 5F 5G 5H 5I 5J 5K 5P 5Q
        60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 76 77 78 79 80 81 82 83 84 85 86 87 89 8C 8D 8P 8R 8S 8U
        90 91 92 93 94 95 96 97 98 99 A8 AA AB AC AD AE AF AG AH AI AJ AK AL AM AN AP AQ AR AS AT AU AV AW AX AY AZ
        B0 B1 B2 B3 B4 B5 B6 B7 B8 B9 BA BB BC BD BE BF BG BH BI BJ BK BL BM BN BO BP BQ BR BS BT BU BV BW BX BY BZ
        C0 C1 C2 C3 C4 C5 C6 C7 C8 C9 CA CB CC CD CE CF CG CH CI CJ CK CL CM CN CO CP CQ CR CS CT CU CV CW CX CY CZ
        D2 D3 D5 D8 D9 DA DB DC DD DE DF DG DH DI DJ DK DL DM DN DO DP DQ DR DS DT DU DW DX DY DZ
        E1 E3 E4 E5 E7 E8 E9 EA EB EC ED EE EF EG EH EJ EM EP EQ EV EX EY EZ F1 F2 F3 F4 F5 F6 F9 FA FB FC FD FE FF FG
        FH FJ FK FL FM FO FP FR FS FT FZ G2 G3 G4 G5 G7 GA GB GC GD GE GF GG GH GI GJ GK GL GM GN GO GP GQ GR GS GT GU
        GV GW GX GY GZ H1 H2 H4 HA HB HC HD HE HF HG HH HI HJ HK HL HM HN HO HP HQ HR HS HT HU HV HW HY HZ
        IA IB IC IE IF IH II IK IL IM IN IP IT IU IV J2 JA JB JE JG JK JM JO JR JU K1 K2 K3 K4 K5 K6 K7 K9 KA KB KC KD
        KE KF KG KH KI KJ KK KL KM KN KO KP KQ KR KS KT KU KV KW KX L2 LA LB LC LE LF LG LH LI LJ LK LL LM LN LO LP LQ
        LR LS LT LX LY M0 M1 M2 M3 M4 M5 M6 M7 M8 M9 MA MB MC MD ME MF MG MH MI MJ MK ML MM MN MO MP MQ MR MS MT MU MV
        MW MX MY MZ N1 N2 N3 N4 N6 N7 N9 NA NB NC ND NE NF NG NH NI NJ NL NM NN NP NQ NR NS NT NU NV NW NX NY
        OA ON OP OT OZ P0 P1 P2 P3 P4 P5 P6 P7 P8 P9 PA PB PC PD PE PF PG PH PI PJ PK PL PM PN PO PP PQ PR PS PT PU PV
        PW PX PY PZ Q1 Q2 Q3 Q4 Q5 Q6 Q7 QA QB QC QD QE QH QK QR QS QT QU R1 R2 R3 R4 R5 R6 R7 R8 R9 RA RB RC RD RE RG
        RH RK RL RM RN RO RP RS RT RU S1 S2 S3 S4 S5 S6 S7 S8 S9 SA SB SC SD SE SF SG SH SI SJ SK SL SM SN SO SP SQ SR
        SS ST SV SW SX SY SZ T0 T1 T2 T3 T4 T5 T6 T7 T8 T9 TA TB TC TD TE TF TG TH TI TJ TK TL TM TN TO TP TQ TR TS TT
        TU TV TW TX TY TZ U1 U2 U3 U5 UA UB UC UD UE UF UH UL UM UN UP UQ UR US UT UU UV UW UX UY UZ V1 V2 VA VC VI VP
        VR VS W2 WA WB WD WE WG WH WI WK WM WP WR WW X1 X2 X3 X4 X5 X6 X7 X8 X9 XP Y1 Y2 Y3 Y4 YD YL YT
        Z1 Z2 Z3 Z4 Z5 Z6 Z8 ZA ZB ZC ZD ZE ZF ZG ZH ZI ZJ ZK ZL ZM ZN ZO ZP ZQ ZR ZS ZT ZU ZV ZW ZX ZY ZZ
    """,
}

CLOSED: Final = {
    "478": "C D",
    "715": "A E M P R W X",
    "717": "A E M R W X",
}

# AK304: what is wrong with a segment.
SEGMENT_FAULTS: Final = {
    "1": "unknown segment",
    "2": "unexpected segment",
    "3": "mandatory segment missing",
    "4": "loop occurs too often",
    "5": "segment occurs too often",
    "6": "segment is not part of this set",
    "7": "segment out of order",
    "8": "segment has element faults",
    "I4": "segment there that the guide does not use",
    "I6": "segment missing that another requires",
    "I7": "loop occurs too rarely",
    "I8": "segment occurs too rarely",
    "I9": "segment there that the guide does not use beside another",
}

# AK403: what is wrong with an element.
ELEMENT_FAULTS: Final = {
    "1": "mandatory element missing",
    "2": "element missing that others require",
    "3": "too many elements",
    "4": "too short",
    "5": "too long",
    "6": "invalid character",
    "7": "code value not in the list",
    "8": "invalid date",
    "9": "invalid time",
    "10": "element excluded by another",
    "12": "too many repetitions",
    "13": "too many components",
    "I6": "code value that the guide does not use",
    "I9": "element missing that another requires",
    "I10": "element there that the guide does not use",
    "I11": "too few repetitions",
    "I12": "value not of the form that the guide wants",
    "I13": "element there that the guide does not use beside another",
}

# AK502: what is wrong with a transaction set.
SET_FAULTS: Final = {
    "1": "transaction set not supported",
    "2": "set trailer (SE) missing",
    "3": "control numbers of ST and SE differ",
    "4": "segment count in SE does not match",
    "5": "one or more segments in error",
    "6": "transaction set id missing or wrong",
    "7": "transaction set control number missing or wrong",
    "8": "authentication key name unknown",
    "9": "encryption key name unknown",
    "10": "security service not available",
    "11": "security recipient unknown",
    "12": "length wrong after encryption",
    "13": "message authentication failed",
    "15": "security originator unknown",
    "16": "syntax wrong after decryption",
    "17": "security not supported",
    "23": "transaction set control number not unique in the group",
    "I5": "one or more segments in error against the guide",
    "I6": "the guide's version (ST03) is not supported",
}

# AK905: what is wrong with a functional group.
GROUP_FAULTS: Final = {
    "1": "functional group not supported",
    "2": "group version not supported",
    "3": "group trailer (GE) missing",
    "4": "control numbers of GS and GE differ",
    "5": "number of sets in GE does not match",
    "6": "group control number is malformed",
    "10": "authentication key name unknown",
    "11": "encryption key name unknown",
    "12": "security service not available",
    "13": "security recipient unknown",
    "14": "security originator unknown",
    "15": "syntax wrong after decryption",
    "16": "security not supported",
    "17": "length wrong after encryption",
    "18": "message authentication failed",
    "19": "group control number not unique in the interchange",
    "23": "end of security (S3E) missing",
    "24": "start of security (S3S) missing",
    "25": "end of security (S4E) missing",
    "26": "start of security (S4S) missing",
}

# TA105, the words our refusals of an interchange use too.
INTERCHANGE_NOTES: Final = {
    "000": "no error",
    "001": "interchange control numbers differ",
    "002": "standard not supported",
    "003": "version of the controls not supported",
    "004": "segment terminator invalid",
    "005": "sender qualifier invalid",
    "006": "sender id invalid",
    "007": "receiver qualifier invalid",
    "008": "receiver id invalid",
    "009": "receiver unknown",
    "010": "authorisation qualifier invalid",
    "011": "authorisation value invalid",
    "012": "security qualifier invalid",
    "013": "security value invalid",
    "014": "interchange date invalid",
    "015": "interchange time invalid",
    "016": "standards id invalid",
    "017": "version id invalid",
    "018": "interchange control number invalid",
    "019": "acknowledgement request invalid",
    "020": "usage indicator invalid",
    "021": "number of groups wrong",
    "022": "control structure invalid",
    "023": "premature end of file",
    "024": "interchange content invalid",
    "025": "interchange control number used before",
    "026": "element separator invalid",
    "027": "component separator invalid",
}
