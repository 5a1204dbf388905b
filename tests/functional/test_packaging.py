"""The wheel holds exactly our three packages and the reference site, and works where nothing else of us is."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.functional.scene import PATIENCE, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    options = "--quiet --disable-pip-version-check --no-deps --no-build-isolation"
    command = [sys.executable, "-m", "pip", "wheel", *options.split(), "-w", target, ROOT]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
    (built,) = target.glob("hilum-*.whl")
    return built


@pytest.mark.xdist_group("packaging")
def test_its_top_level_names_are_ours_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"engine", "channels", "canonical"}
    assert "engine/reference_site/config/engine.yaml" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


@pytest.mark.slow
@pytest.mark.xdist_group("packaging")
def test_it_runs_from_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "clean", with_pip=False)
    python = tmp_path / "clean" / "bin" / "python"
    (purelib,) = (tmp_path / "clean" / "lib").glob("python3.*/site-packages")
    zipfile.ZipFile(wheel).extractall(purelib)
    # our dependencies are those of the running environment; ours come first on the path, from the wheel
    (purelib / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    work = tmp_path / "work"
    work.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HILUM", "PYTHON"))}

    def hilum(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [python, "-m", "engine.cli", *arguments]
        return subprocess.run(
            command, cwd=work, env=clean, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    where = subprocess.run(
        [python, "-c", "import engine; print(engine.__file__)"],
        cwd=work,
        env=clean,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(purelib) in where.stdout
    assert hilum("version").stdout.startswith("hilum ")
    checked = hilum("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "0 errors" in checked.stderr
