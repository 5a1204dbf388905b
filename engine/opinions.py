"""Second opinions: what a partner asks for is judged by another reader too, when the daemon has time for it.

Nothing waits for an opinion and nothing is stopped by one: a copy of each message of an agreement with
`second_opinion:` goes to a process of its own, bounded in time and size; where that reader differs, a person is told
(`x12.second_opinion`). How far it has come is kept in a file, so that a restart neither forgets nor begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engine import ids, logs
from engine.message import Message
from engine.site.model import Site
from engine.store.contract import NewException, Outcome, Store, Work
from engine.store.records import Search
from engine.supervise import forever

CODE = "x12.second_opinion"
FILE = "opinions.json"
COMMAND = (sys.executable, "-m", "channels.second_opinion")

_LENGTH = struct.Struct("!I")
_PAUSE = 2.0  # seconds between two looks
_PATIENCE = 60.0  # seconds for one message, after which the process is ended
_MOST_BYTES = 4 << 20  # of a message; what is larger is told and passed over
_REMEMBERED = 1_000  # messages whose bytes need not be looked at again
_PAGE = 200

Answer = Sequence[tuple[str, str]]  # place and sentence
Asked = tuple[str, str]  # partner, direction


class Opinions:
    """Runs until `stop`; one of them per store owner."""

    def __init__(
        self, store: Store, site: Callable[[], Site], home: Path, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._store = store
        self._site = site
        self._file = home / FILE
        self._environ = environ
        self._started = ids.now()
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._known: OrderedDict[bytes, Answer] = OrderedDict()

    async def start(self) -> None:
        self._task = asyncio.create_task(forever("opinions", self._round))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end()

    async def _round(self) -> None:
        """All that has come since the last look, oldest first; then a pause, without a process when nothing came."""
        come = 0
        for asked, types in _asked(self._site()).items():
            for message in await self._since(asked):
                if types & {*message.type.split("+")}:
                    await self._look(asked, message)
                    come += 1
                self._write({**self._read(), "/".join(asked): message.seq})
        if not come:
            await self._end()
        await asyncio.sleep(_PAUSE)

    async def _since(self, asked: Asked) -> list[Message]:
        """What has come or gone and nobody has looked at, oldest first; the first time, since this daemon started."""
        partner, direction = asked
        last = self._read().get("/".join(asked), 0)
        search = Search(partner=partner, direction=direction, since=0 if last else self._started, limit=_PAGE)
        found: list[Message] = []
        while True:
            page = await self._store.find(search)
            found += [row for row in page.messages if row.seq > last]
            if not page.cursor or any(row.seq <= last for row in page.messages):
                break
            search = search._replace(cursor=page.cursor)
        return found[::-1]

    async def _look(self, asked: Asked, message: Message) -> None:
        answer: Answer = ()
        if message.size > _MOST_BYTES:
            logs.warning("opinion_skipped", message=message.id, bytes=message.size)
        elif message.size:
            answer = await self._opinion(await self._store.body(message.seq), message)
        if answer:
            context = {"partner": asked[0]}
            told = tuple(NewException(CODE, text, place, context) for place, text in answer)
            work = Work(0, "aside", "", 5, 0, message.seq, message)
            await self._store.commit([Outcome(work, exceptions=told)])
            logs.info("opinion_differs", message=message.id, sets=len(told))

    async def _opinion(self, body: bytes, message: Message) -> Answer:
        """Nothing when the process failed on it, which is told in the log: then there is no second opinion."""
        digest = hashlib.sha256(body).digest()
        if digest not in self._known:
            try:
                self._known[digest] = await asyncio.wait_for(self._ask(body), _PATIENCE)
            except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, OSError) as failure:
                logs.warning("opinion_failed", message=message.id, because=type(failure).__name__)
                await self._end()
                return ()
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[digest]

    async def _ask(self, body: bytes) -> Answer:
        process = self._process
        if process is None or process.returncode is not None:
            pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL  # another's words may hold values
            process = await asyncio.create_subprocess_exec(
                *COMMAND, stdin=pipe, stdout=pipe, stderr=none, env=dict(self._environ)
            )
            self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(_LENGTH.pack(len(body)) + body)
        await process.stdin.drain()
        (length,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
        answer: Answer = [(place, text) for place, text in json.loads(await process.stdout.readexactly(length))]
        return answer

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    # --- how far it has come
    def _read(self) -> dict[str, int]:
        try:
            return {str(key): int(seq) for key, seq in json.loads(self._file.read_text()).items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def _write(self, told: Mapping[str, int]) -> None:
        part = self._file.with_suffix(".tmp")
        part.write_text(json.dumps(told))
        part.replace(self._file)


def _asked(site: Site) -> dict[Asked, frozenset[str]]:
    """Types by partner and direction."""
    found: dict[Asked, frozenset[str]] = {}
    for partner in site.partners.values():
        for agreement in partner.agreements:
            if agreement.second_opinion:
                key = (partner.name, agreement.direction)
                found[key] = found.get(key, frozenset()) | {agreement.type}
    return found
