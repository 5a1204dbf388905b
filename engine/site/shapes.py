"""What each kind of YAML file may hold: one declaration feeds checking, JSON Schema and docs alike.

Options of listeners and connections are open here (`Any`): they belong to their kind and are fitted to its own models.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
)
from pydantic_core import PydanticCustomError

from engine.business_time import MIDNIGHT
from engine.business_time import Calendar as BusinessTime
from engine.positions import did_you_mean
from engine.site.fit import Duration
from engine.site.hours import Days, Hours, Minute

NAME: Final = r"^[a-z][a-z0-9_]{0,63}$"
GUIDE: Final = r"^((guides/)?[a-z][a-z0-9_]{0,63})?$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
LINE: Final = r"^[^\r\n]*$"
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=LINE)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
Usage = Literal["P", "T", "D"]


def _zone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (ValueError, OSError, KeyError):  # KeyError: ZoneInfoNotFoundError
        from zoneinfo import available_timezones

        near = did_you_mean(str(value), available_timezones())
        raise PydanticCustomError("CFG105", "not a time zone of the IANA database", {"hint": near}) from None
    return value


Zone = Annotated[str, BeforeValidator(_zone)]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# --- config/engine.yaml ----------------------------------------------------------------------------------------------
class Logs(Shape):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe line that is written")


class EngineFile(Shape):
    apiVersion: str
    name: Line = Field(description="the site's name, as people say it")
    zone: Zone = Field("UTC", description="IANA time zone for times that name none")
    owner: Line = Field("", description="the team told about what has no owner of its own")
    logs: Logs = Logs()


# --- config/channels.yaml, config/connections.yaml -------------------------------------------------------------------
class Retry(Shape):
    first: Duration = Field(1_000_000, ge=1_000, description="wait before the second attempt")
    factor: float = Field(2.0, ge=1, le=10, allow_inf_nan=False, description="each wait is this many times the last")
    most: Duration = Field(300_000_000, ge=1_000, description="longest wait")
    jitter: float = Field(0.2, ge=0, le=1, allow_inf_nan=False, description="part of each wait that is random")
    attempts: int = Field(0, ge=0, le=100_000, description="0: until the deadline")
    deadline: Duration = Field(86_400_000_000, ge=1_000_000, description="then it is an exception")


class Endpoint(Shape):
    """What listeners and connections share."""

    owner: Line = Field("", description="the team that is told when it fails")
    runbook: Line = Field("", description="where to read what to do")
    limits: dict[Name, Count] = Field({}, description="caps of its format by name")
    format_options: dict[Name, Line] = Field({}, description="switches of its format by name")


class ListenerEntry(Endpoint):
    kind: Name
    format: Name
    partner: Name
    owner: Line = Field(description="the team that is told when it fails")
    usage: Usage | None = Field(None, description="the traffic it is for; as the partner's identity says, if not given")


class ConnectionEntry(Endpoint):
    kind: Name
    format: Name = Field("x12", description="format of what it fetches")
    in_flight: int = Field(8, ge=1, le=1_000, description="deliveries at one time")
    retry: Retry = Retry()


class ChannelsFile(Shape):
    apiVersion: str
    listeners: dict[Name, Any] = {}


class ConnectionsFile(Shape):
    apiVersion: str
    connections: dict[Name, Any] = {}


# --- config/routes.yaml ----------------------------------------------------------------------------------------------
class ByField(Shape):
    field: Name = Field(description="the document's field that names the partner")


class RouteEntry(Shape):
    name: Name
    document: Name
    source: Name = Field("", alias="from", description="only documents of this partner")
    when: str = Field("", max_length=1_000, description="a condition on the document")
    to: Annotated[
        Annotated[list[Name], Tag("<list>")] | Annotated[ByField, Tag("<field>")],
        Discriminator(lambda value: "<field>" if isinstance(value, dict | ByField) else "<list>"),
    ] = Field([], description="partners by name, or {field: NAME} for the partner a document names")
    order_by: Name = Field("", description="field whose value is the delivery lane; `sender` keeps the sender's order")
    drop: bool = Field(False, description="true: these documents go nowhere, by intent")


class RoutesFile(Shape):
    apiVersion: str
    routes: list[RouteEntry]


# --- partners/NAME.yaml ----------------------------------------------------------------------------------------------
class IdentityEntry(Shape):
    ours: dict[Name, Line] = Field({}, description="who we are to them: isa, gs, hl7")
    theirs: dict[Name, Line] = Field({}, description="who they are to us: isa, gs, hl7")
    usage: Usage | None = None


class Side(Shape):
    """How a partner is reached and known: for real traffic, or for tests."""

    connection: Any = Field(None, description="a name of config/connections.yaml, or {KIND: {options}}")
    identity: IdentityEntry = IdentityEntry()


_YEAR: Final = 366 * 86_400_000_000


class BatchEntry(Shape):
    count: int = Field(ge=2, le=1_000, description="so many go together at once")
    every: Duration = Field(ge=1_000_000, le=_YEAR, description="none waits longer")


class AgreementEntry(Shape):
    direction: Literal["in", "out", "both"]
    mapping: Name = ""
    connection: Name = ""
    expect: dict[Line, Annotated[Duration, Field(ge=1_000_000, le=_YEAR)]] = Field(
        {}, description="answers awaited, and how long"
    )
    reply: Line = Field("", description="type of the answer's body on the same connection")
    advice: Line = Field("", description="type in which the sender is told that a document breaks business rules: 824")
    send: dict[Name, Line] = Field({}, description="words for the sender, such as `path`")
    batch: BatchEntry | None = Field(None, description="X12, out: how many wait for each other, how long")
    group: Literal["parts", "whole"] = Field("parts", description="X12: whether a group stands only if all its sets do")
    release: Literal["", "004010", "005010"] = Field("", description="X12: release of our 997s; the group's, if empty")
    second_opinion: Literal["", "pyx12"] = Field("", description="X12: who else judges it, when there is time")
    guide: Annotated[str, StringConstraints(pattern=GUIDE)] = Field("", description="a file of guides that narrows it")


class Tolerance(Shape):
    """X12 faults that only warn, by the element of the answer that tells them; none that leaves content unreadable."""

    TA105: list[Literal["001", "010", "012", "014", "015", "019", "021"]] = []
    AK905: list[Literal["4", "5"]] = []
    AK502: list[Literal["3", "4"]] = []
    AK304: list[Literal["1", "3", "4", "5", "6"]] = []
    AK403: list[Literal["1", "2", "3", "4", "5", "7", "8", "9", "10"]] = []


def _use(value: object) -> object:
    return {"use": value} if isinstance(value, str | list) else value


def _tables(value: object) -> object:
    return [value] if isinstance(value, str) else value


Tables = Annotated[list[Name], Field(min_length=1, max_length=8)]


class CrosswalkUse(Shape):
    use: Annotated[Tables, BeforeValidator(_tables, json_schema_input_type=Name | Tables)] = Field(
        description="a table of config/crosswalks, or several: the first that knows a word tells"
    )
    on_miss: Literal["exception", "skip", "pass", "default"] = "exception"
    default: Line = Field("", description="the enterprise's word for what the table does not know")
    default_out: Line = Field("", description="the partner's word for what the table does not know")


class Calendar(Shape):
    """With anything but a zone, what a partner promises is counted in its business time."""

    zone: Zone
    days: Days = Field(frozenset(range(7)), min_length=1, description="business days: mon-fri, or a list")
    hours: Hours = Field((0, MIDNIGHT), description="when they are open, on a business day")
    cutoff: Minute = Field(MIDNIGHT, description="what is handed over later counts from the next business day")
    holidays: list[dt.date] = Field([], max_length=1_000, description="days on which they are closed, as 2026-12-25")

    def business_time(self) -> BusinessTime | None:
        """None when all time is."""
        found = BusinessTime(ZoneInfo(self.zone), self.days, *self.hours, self.cutoff, frozenset(self.holidays))
        return None if found == BusinessTime(found.zone) else found


class PartnerFile(Shape):
    apiVersion: str
    name: Name
    title: Line = ""
    extends: Line = Field("", description="a file of partners/templates to start from: templates/NAME")
    status: Literal["draft", "testing", "live"]
    owner: Line
    runbook: Line = ""
    contacts: dict[Name, Line] = {}
    live: Side | None = None
    test: Side | None = None
    documents: dict[Line, AgreementEntry] = {}
    crosswalks: dict[
        Name, Annotated[CrosswalkUse, BeforeValidator(_use, json_schema_input_type=str | list[str] | CrosswalkUse)]
    ] = {}
    envelope: dict[Name, str] = Field({}, description="separators and versions its format writes")
    tolerate: Tolerance = Field(Tolerance(), description="X12 faults that only warn")
    calendar: Calendar | None = None
    charset: Line = ""


# --- guides/NAME.yaml ------------------------------------------------------------------------------------------------
def _rule(value: object) -> object:
    return {"use": value} if isinstance(value, str) else value


def _length(value: object) -> object:
    return value if isinstance(value, list) else [0, value]


Size = Annotated[int, Field(ge=0, le=100_000)]


class Rule(Shape):
    """What a guide says of one place; what it leaves out stays as the standard has it."""

    use: Literal["required", "never", ""] = Field("", description="required: it must be there; never: it must not")
    most: Size = Field(0, description="how often a segment or loop may occur")
    codes: list[Line] = Field([], description="the only codes an element may have")
    length: Annotated[tuple[Size, Size], BeforeValidator(_length, json_schema_input_type=int | tuple[int, int])] = (
        Field((0, 0), description="longest length of an element, or [least, longest]")
    )


class GuideFile(Shape):
    apiVersion: str
    description: str = Field("", max_length=2_000, description="whose guide it is, and which edition")
    format: Name = "x12"
    set: Line = Field("", description="X12: the transaction set")
    release: Line = Field("004010", description="X12: the release")
    rules: dict[Line, Annotated[Rule, BeforeValidator(_rule, json_schema_input_type=str | Rule)]]


FILES: Final[dict[str, type[Shape]]] = {
    "engine": EngineFile,
    "channels": ChannelsFile,
    "connections": ConnectionsFile,
    "routes": RoutesFile,
    "partner": PartnerFile,
    "guide": GuideFile,
}
