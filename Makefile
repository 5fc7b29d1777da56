# docmill's commands. `make` lists them.
#
#   make run    build and start the embedded docmill, ready for a document
#   make test   every test that this machine can run

SHELL := /bin/bash
CACHE ?= .cache
PDFIUM := $(CACHE)/pdfium/libpdfium.so
PROGRAMS := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)/debug
LISTEN ?= 127.0.0.1:8080
DATA ?= data

export DOCMILL_EXTRACT__PDFIUM ?= $(abspath $(PDFIUM))

.DEFAULT_GOAL := help
.PHONY: help build run test test-full lint fmt openapi bench torture helm-test terraform-test terraform-cost terraform-apply-test clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(PDFIUM):
	@scripts/fetch-pdfium $(dir $@)

build: $(PDFIUM) ## build every program (dev profile, dependencies optimised)
	cargo build --locked

run: build ## start the embedded docmill on $(LISTEN), its data in $(DATA)/
	@exec $(PROGRAMS)/docmill up --data $(DATA) --listen $(LISTEN)

test: $(PDFIUM) ## every test that this machine can run; says what it left out
	@scripts/test

test-full: test torture ## the long runs too

lint: ## formatting, clippy, licences and bans
	@scripts/lint

fmt: ## format the code
	cargo fmt --all

openapi: ## write docs/openapi.json anew
	cargo run --locked -q -p docmill-api -- openapi >docs/openapi.json

bench: $(PDFIUM) ## figures against peers and floors, each ratio from one run
	@scripts/bench

torture: $(PDFIUM) ## kill docmill at every durable step, and at random, for long
	@scripts/torture

helm-test: ## the charts: renders, refusals, admission
	@scripts/helm-test

terraform-test: ## the Terraform modules
	@scripts/terraform-test

terraform-cost: ## write docs/cost.md anew from plans and the price table
	@scripts/terraform-cost

terraform-apply-test: ## the modules against TARGET=localstack or TARGET=account (which costs money)
	@scripts/terraform-apply-test $(TARGET)

clean: ## remove what was built and fetched; documents in $(DATA)/ stay
	cargo clean
	rm -rf $(CACHE)
