# Each target makes what it needs: an environment in .venv, the packages, the run.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/quickstart

.PHONY: demo test check bench clean

demo: $(VENV)/demo
	$(BIN)/coupage run quickstart
	$(BIN)/coupage train $(RUN) --stage stage1 --resume
	$(BIN)/coupage train $(RUN) --stage stage2 --resume
	$(BIN)/coupage verify $(RUN)
	@echo "Shards: $(RUN)/shards  Report: $(RUN)/report.html  Model: $(RUN)/train/stage2"

test: $(VENV)/test
	$(BIN)/python -m pytest

check: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train]'
	touch $@

$(VENV)/test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train,dev]'
	touch $@

clean:
	rm -rf $(VENV) runs build *.egg-info
