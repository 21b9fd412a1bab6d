# TinyFleet: `make demo` shows it, `make test` proves it.
# Tests wait for brokers, databases and browsers more than they compute: two processes for any machine.
PROCESSES ?= 2
# In the order of the folders: what is of the whole, the longest, is then not begun last.
SHARED := -n $(PROCESSES) --no-loadscope-reorder
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed

# Comunica 5 needs Node 22; Debian has 18 and 20.
COMUNICA := @comunica/query-sparql@4.5.0
CLIENTS := var/clients/node_modules/.bin/comunica-sparql

.PHONY: clients demo test lint types floors pytest soak bench clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo          the whole idea on real data; ONCE=1 ends by itself"
	@echo "make test          linters, types, floors and every test"
	@echo "make soak          the exhaustive fault sweeps"
	@echo "make bench         every figure, as JSON under var/bench"
	@echo "make clients       Comunica for the tests, with Node and npm, under var/clients"
	@echo "make clean         remove .venv, caches and the demonstration; your installation stays"

$(INSTALLED): requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("TinyFleet needs Python 3.11, this is %d.%d; set PYTHON" % sys.version_info[:2] if sys.version_info[:2] != (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

demo: $(INSTALLED)
	@exec $(BIN)/python manage.py demo $(if $(ONCE),--once)

test: lint types floors pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy .

floors: $(INSTALLED)
	$(BIN)/lint-imports

clients: $(CLIENTS)

$(CLIENTS):
	npm install --prefix var/clients --fetch-retries=1 --fetch-timeout=60000 --ignore-scripts --no-save --no-audit --no-fund --loglevel=error $(COMUNICA)

pytest: $(INSTALLED)
	$(BIN)/python -m pytest $(SHARED) -m "not bench and not soak"

soak: $(INSTALLED)
	$(BIN)/python -m pytest -m soak

bench: $(INSTALLED)
	$(BIN)/python -m pytest -m bench

clean:
	rm -rf .venv var/demo var/bench var/clients var/conformance .mypy_cache .ruff_cache .import_linter_cache .hypothesis
