# make setup | lab | test | test-all | test-lowest | report | docs | lint | bench | clean. Needs Python 3.11+ and a network to the package registries.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
TEST_PROCESSES ?= 3
UV ?= $(BIN)/uv
LOWEST ?= build/lowest
LOWEST_TESTS := tests/test_without_torch.py tests/test_models.py tests/test_images.py tests/test_feeds.py tests/test_plots.py \
	tests/targets tests/compare/test_comparison.py tests/compare/test_values.py tests/views/test_netron.py \
	tests/runtimes/test_kept_outputs.py \
	tests/rewrite/rules/test_pad_gather.py tests/rewrite/rules/test_instance_norm.py \
	tests/rewrite/rules/test_resize_gather.py tests/rewrite/rules/test_function_body.py \
	tests/rewrite/rules/test_average_pool_matmul.py tests/rewrite/rules/test_dft_matmul.py \
	tests/rewrite/rules/test_layer_norm_reduce.py

# Where it is set, each of the hundreds of programs that the tests start would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup lab test test-all test-lowest report docs lint bench clean help
.DELETE_ON_ERROR:

help:
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/'

setup: $(READY)-package $(READY)-engines $(READY)-browser $(READY)-filter ## install .venv, the package, npm engines, a browser; a second run takes a second
	@echo "setup: ready; $(BIN)/fns-lab doctor says what works here"

# A stamp per unit: it is installed again when the file that lists it changes. What cannot be installed is reported,
# leaves no stamp, and is tried again next time; `fns-lab doctor` names its fix.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make setup: $$($(PYTHON) --version) is too old; set PYTHON=python3.11 or later" >&2; exit 3; }
	@echo "setup: a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(READY)-package: pyproject.toml | $(BIN)/python
	@echo "setup: the package and what it needs (about 3 GB to download the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[torch,notebooks,engines,dev]'
	@touch $@

$(READY)-engines: package.json package-lock.json $(READY)-package
	@if $(BIN)/python -m fns_lab.runtimes.install engines; then touch $@; fi

$(READY)-browser: $(READY)-package
	@if $(BIN)/python -m fns_lab.runtimes.install browser; then touch $@; fi

# git strips the outputs of notebooks when they are added; a test refuses any that are committed without it.
$(READY)-filter: $(READY)-package
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
		git config filter.nbstripout.clean '"$(abspath $(BIN))/python" -m nbstripout' && \
		git config filter.nbstripout.smudge cat && \
		git config diff.ipynb.textconv '"$(abspath $(BIN))/python" -m nbstripout -t'; \
	fi
	@touch $@

lab: setup ## open JupyterLab on the notebooks
	$(BIN)/jupyter lab --ServerApp.root_dir=$(CURDIR) --LabApp.default_url=/lab/tree/notebooks/00_start.ipynb

test: QUICK := --quick
test: test-all ## lint, then the tests but slow ones, and a sample where the cases are many of one kind

test-all: setup lint ## lint, then every test
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(QUICK) $(PYTEST)

# Old packages warn of each other's new ones, so that a warning is no error here. What a notebook shows needs ipywidgets.
test-lowest: setup ## test with the lowest version of each dependency that pyproject.toml allows, without torch
	$(UV) venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(UV) pip install --quiet --python $(LOWEST) --resolution lowest-direct --requirement pyproject.toml
	$(UV) pip install --quiet --python $(LOWEST) pytest pytest-timeout hypothesis
	PYTHONPATH=$(CURDIR) $(LOWEST)/bin/python -m pytest -q -W default::DeprecationWarning \
		-W default::PendingDeprecationWarning $(LOWEST_TESTS) \
		--deselect tests/views/test_netron.py::test_show_gives_images_to_a_report_and_frames_to_a_notebook

report: docs ## run the notebooks and write reports/index.html, which opens offline
	$(BIN)/fns-lab report

docs: setup ## write the documentation to reports/docs/index.html, which opens offline
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lint: setup ## check style, types of Python and JavaScript, import direction, notebooks without outputs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	PATH="$(abspath $(BIN)):$$PATH" node_modules/.bin/tsc --project fns_lab/web/jsconfig.json
	git ls-files -z -- '*.ipynb' | xargs -0 -r $(BIN)/nbstripout --verify

bench: setup ## measure what lowering costs and gains; python -m benchmarks --help lists parts and options
	$(BIN)/python -m benchmarks

clean: ## delete everything that make can create again, .venv included
	rm -rf $(VENV) node_modules reports .cache build *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
