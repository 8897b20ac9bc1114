# Kluis. `make` alone prints this help.
#
#   make run      install what is missing, seed the demo city, serve it on http://localhost:8400
#   make test     every test
#   make lint     ruff, mypy --strict, the floor contracts, dead code, dependencies
#   make install  .venv with exactly the packages of requirements.lock
#   make lock     requirements.lock anew from pyproject.toml
#   make prove-house  the slow proofs of the whole house: kills, canaries, the ranker's gain
#   make prove-keys   the proofs of the keys: mutations, consent states, restores, cost, other programs, published vectors
#   make prove-log    the proofs of the log: outside verifiers, kills, speed, erasure
#   make prove-consent  the proofs of consent under load: 100,000 requests racing 1,000 withdrawals, races, random grants
#   make prove-push   the proofs of what goes out: a thousand withdrawals told while one receiver hangs
#   make prove-oauth  the proofs of OAuth: clients of others from npm at a running demo, and the tables of attacks
#   make prove-solid  the proofs of Solid: a test for each requirement, clients of others from npm, path tricks, races, cost
#   make prove-recommender  the proofs of the recommender: lists judged on books, privacy, speed
#
# SHARED names the folder with public sample data; tests that need it say so when it is absent.

SHARED ?= ../shared
PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3))
ifneq ($(wildcard $(SHARED)/.),)
export KLUIS_SHARED := $(abspath $(SHARED))
endif

BIN   := .venv/bin
UV    := .tools/bin/uv
STAMP := .venv/.installed
CODE  := keys vault consent recommender federation web examples tests

.DEFAULT_GOAL := help
.PHONY: help install check-machine run test lint lock prove-house prove-keys prove-log prove-consent prove-push \
  prove-oauth prove-solid prove-recommender

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//;p' Makefile

install: $(STAMP)

run: install
	$(BIN)/kluis demo

test: install
	$(BIN)/python -m pytest -q -n auto --dist loadfile

prove-house: install
	$(BIN)/python -m tests.proof house

prove-keys: install
	$(BIN)/python -m tests.proof keys

prove-log: install
	$(BIN)/python -m tests.proof log

prove-consent: install
	$(BIN)/python -m tests.proof consent

prove-push: install
	$(BIN)/python -m tests.proof push

prove-oauth: install
	$(BIN)/python -m tests.proof oauth

prove-solid: install
	$(BIN)/python -m tests.proof solid

prove-recommender: install
	$(BIN)/python -m tests.proof recommender

lint: install
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/vulture
	$(BIN)/deptry .

# A version younger than a week is not taken: bad releases are mostly found within days.
lock: $(UV)
	$(UV) pip compile --quiet --generate-hashes --exclude-newer "7 days" --no-emit-index-url --python-version 3.11 \
	  --all-extras --custom-compile-command "make lock" pyproject.toml --output-file requirements.lock

# What Debian 12 must bring: named once, checked before anything is written.
check-machine:
	@missing=""; \
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || missing="$$missing python3.11"; \
	"$(PYTHON)" -m pip --version >/dev/null 2>&1 || missing="$$missing python3-pip"; \
	command -v git >/dev/null || missing="$$missing git"; \
	ldconfig=$$(PATH="$$PATH:/usr/sbin:/sbin" command -v ldconfig || echo true); \
	if [ "$$ldconfig" != true ]; then $$ldconfig -p | grep libgomp >/dev/null || missing="$$missing libgomp1"; fi; \
	if [ -n "$$missing" ]; then echo "Missing on this machine. Mend it with: sudo apt-get install -y$$missing"; exit 2; fi

$(UV):
	@$(MAKE) --no-print-directory check-machine
	"$(PYTHON)" -m venv --without-pip .tools
	"$(PYTHON)" -m pip --quiet --python .tools/bin/python install 'uv>=0.9,<1'

$(STAMP): requirements.lock pyproject.toml | $(UV)
	@$(MAKE) --no-print-directory check-machine
	$(UV) venv --quiet --allow-existing --python "$(PYTHON)" .venv
	$(UV) pip sync --quiet --require-hashes requirements.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
