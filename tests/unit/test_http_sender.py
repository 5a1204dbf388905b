"""What an HTTP sender loads, and when."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from channels.http_sender import HttpSender, HttpSenderOptions
assert "httpx" not in sys.modules
HttpSender("erp", HttpSenderOptions(url="http://127.0.0.1:9"))
print(*(name for name in ("httpx", "httpx._main", "pygments", "rich") if name in sys.modules))
"""


def test_httpx_is_loaded_with_the_sender_and_without_its_command_line() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["httpx"]
