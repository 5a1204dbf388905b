# Two commands do everything on a fresh machine with Python 3.11+ and make: `make demo` and `make test`.
#
# The system's own Python goes first where it can do this: distributions build theirs with the optimisations that
# version managers leave out, and Hilum needs a fifth less time on such a build. `make PYTHON=...` takes another.
FIT := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell /usr/bin/python3 -c '$(FIT)' 2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check format pages bench crash clean

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test,check,bench]'
	@touch $@

demo: $(VENV)/.ready
	$(BIN)/hilum demo

test: $(VENV)/.ready
	$(BIN)/python -m pytest -n 2 --dist loadgroup

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pages: $(VENV)/.ready
	$(BIN)/python -c "import pathlib; from channels.formats.x12.pages import pages; \
	[pathlib.Path('docs/x12', name).write_text(text) for name, text in pages().items()]"

bench: $(VENV)/.ready
	$(BIN)/python -m bench

crash: $(VENV)/.ready
	HILUM_KILLS=300 $(BIN)/python -m pytest tests/functional/test_crash.py -n 0 -s --timeout 3600

clean:
	rm -rf $(VENV) var build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
