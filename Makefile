# Each target makes what it needs: an environment in .venv, the packages, the run.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/quickstart

.PHONY: demo test check bench-curation clean

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

# Peers in an environment of their own: datatrove needs an older xxhash.
bench-curation: .venv-bench/ready
	.venv-bench/bin/python benchmarks/curation.py

.venv-bench/ready: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --editable . spacy nltk rensa datasketch 'xxhash<4'
	touch $@

$(VENV)/demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train]'
	$(BIN)/coupage compile
	touch $@

$(VENV)/test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train,dev]'
	$(BIN)/coupage compile
	touch $@

clean:
	rm -rf $(VENV) .venv-bench runs build *.egg-info
