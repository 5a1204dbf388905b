"""Real child processes: started, waited for, killed, restarted, and gone when the scene is over."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import pytest

from channels.simulate.processes import Crew, NotReady, Program, exists, free_port, listens, party, says, wait_for


def test_an_erp_process_survives_its_kill(tmp_path: Path) -> None:
    port, state = free_port(), tmp_path / "erp.jsonl"
    program = party("erp", "erp", ["--listen", f"127.0.0.1:{port}", "--state", str(state)], listens(port))
    url, item = f"http://127.0.0.1:{port}", [{"scheme": "buyer_part", "value": "NH-10001"}]
    line = {"number": "1", "item": item, "quantity": {"value": "1", "unit": "EA"}}
    body = json.dumps({"number": "REQ-1", "lines": [line]})
    with Crew(tmp_path / "logs") as crew:
        erp = crew.start(program)
        first = httpx.post(f"{url}/requisitions", content=body, headers={"Idempotency-Key": "D-1"}, timeout=60)
        erp.kill()
        assert not erp.alive
        assert erp.code() == -9
        erp.start()
        again = httpx.post(f"{url}/requisitions", content=body, headers={"Idempotency-Key": "D-1"}, timeout=60)
        assert (first.status_code, again.status_code) == (201, 200)
        assert erp.starts == 2
        assert erp.stop() == 0  # SIGTERM ends it well
    assert not listens(port)()


def test_a_supplier_process_says_when_it_watches(tmp_path: Path) -> None:
    exchange = tmp_path / "exchange"
    arguments = ["--exchange", str(exchange), "--ours", "01:081234567", "--theirs", "ZZ:NORTHHEALTH"]
    with Crew(tmp_path / "logs") as crew:
        supplier = crew.start(
            party("acme", "supplier", [*arguments, "--separators", r"\x1d\x1f\n"], exists(exchange / "in"))
        )
        assert supplier.alive
    assert not supplier.alive


def test_a_program_that_dies_at_once_tells_its_last_words(tmp_path: Path) -> None:
    program = Program("dying", (sys.executable, "-c", "raise SystemExit('no such site')"), ready=lambda: False)
    with Crew(tmp_path) as crew, pytest.raises(NotReady, match="no such site"):
        crew.start(program)


def test_what_does_not_come_true_is_named() -> None:
    with pytest.raises(NotReady, match="the moon"):
        wait_for(lambda: False, 0.01, "the moon")


def test_the_crew_is_gone_even_when_the_scene_fails(tmp_path: Path) -> None:
    program = Program("sleeper", (sys.executable, "-c", "import time; time.sleep(600)"))
    crew = Crew(tmp_path)
    sleeper = crew.start(program)
    with pytest.raises(RuntimeError), crew:
        raise RuntimeError
    assert not sleeper.alive


def test_only_what_is_said_from_now_on_counts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("ready\n")
    again = says(log, "ready")
    assert not again()
    with log.open("a") as file:
        file.write("ready\n")
    assert again()
