"""The one thread that waits for the disk, so that the event loop does not.

As `run_in_executor` with one thread, but with one hand-over each way and nothing else: a commit takes about as long as
an executor needs to pass a call on and back, and every sender waits for that. The caller stands still until the thread
has the interpreter: beside a busy event loop it would get it late, and the disk would lie idle until then.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

Call = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], None], Callable[..., Any], tuple[Any, ...]]
_LONGEST = 0.005  # seconds to stand still for a thread that gets no processor; usually it takes 0.0001


class Disk:
    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hilum-store-disk", daemon=True)
        self._thread.start()

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """What the function returns or raises, in the thread. It runs to its end also when the caller is cancelled."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        begun = threading.Lock()
        begun.acquire()
        self._calls.put((loop, future, begun.release, function, args))
        begun.acquire(timeout=_LONGEST)
        return await future

    def stop(self) -> None:
        self._calls.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            loop, future, begin, function, args = call
            begin()
            result, error = None, None
            try:
                result = function(*args)
            except BaseException as raised:
                error = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
