# docmill's commands. `make` lists them.
#
#   make run    build and start the embedded docmill, ready for a document
#   make test   every test that this machine can run

SHELL := /bin/bash
CACHE ?= .cache
PDFIUM := $(CACHE)/pdfium/libpdfium.so
BUILT := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)/debug
LISTEN ?= 127.0.0.1:8080
DATA ?= data
WORKERS ?= 1
# --no-build: the images that are there already.
COMPOSE_BUILD ?= --build

export DOCMILL_EXTRACT__PDFIUM ?= $(abspath $(PDFIUM))

.DEFAULT_GOAL := help
.PHONY: help build run dev test test-full lint fmt openapi bench bench-scale torture chaos compose-up compose-down compose-logs scale compose-test images dist sbom \
	helm-test cluster cluster-down cluster-test argocd-test fleet-test terraform-test terraform-cost terraform-apply-test clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(PDFIUM):
	@scripts/fetch-pdfium $(dir $@)

build: $(PDFIUM) ## build every program (dev profile, dependencies optimised)
	cargo build --locked

run: build ## start the embedded docmill on $(LISTEN), its data in $(DATA)/
	@exec $(BUILT)/docmill up --data $(DATA) --listen $(LISTEN)

dev: $(PDFIUM) ## like run, built and started anew at every change of the code
	@scripts/dev up --data $(DATA) --listen $(LISTEN)

test: $(PDFIUM) ## every test that this machine can run; says what it left out
	@scripts/test

test-full: test torture chaos compose-test ## the long runs too

lint: ## formatting, clippy, licences and bans
	@scripts/lint

fmt: ## format the code
	cargo fmt --all

openapi: ## write docs/openapi.json anew
	cargo run --locked -q -p docmill-api -- openapi >docs/openapi.json

bench: $(PDFIUM) ## figures against peers and floors, each ratio from one run
	@scripts/bench

bench-scale: ## status and list on PostgreSQL, from ten thousand to ten million documents
	@scripts/bench-scale

torture: $(PDFIUM) ## kill docmill at every durable step, and at random, for long
	@scripts/torture

compose-up: ## docmill with PostgreSQL, BROKER=nats, rabbitmq or sqs, and S3, in containers; waits until it is ready
	@scripts/compose-env $(BROKER)
	@COMMIT=$$(git rev-parse HEAD 2>/dev/null) docker compose up --detach --wait $(COMPOSE_BUILD)
	@echo "docmill answers at http://$$(docker compose port api 8080); the key is FIRST_KEY in .env"

compose-down: ## stop it; what it keeps stays in its volumes
	@docker compose --profile '*' down

compose-logs: ## what its containers say, as they say it
	@docker compose logs --follow --tail 50

scale: ## run WORKERS=3 workers
	@docker compose up --detach --wait --no-build --no-recreate --scale worker=$(WORKERS) worker

compose-test: ## every broker under compose: a document, three workers, a broker killed, down and up again
	@scripts/compose-test

images: ## the four container images, tagged docmill/…:local
	@scripts/images

dist: ## a tarball with all programs and libpdfium, and its checksum, in dist/
	@scripts/dist

sbom: ## what is in the programs of dist/, as CycloneDX
	@scripts/sbom

chaos: $(PDFIUM) ## kill everything at random, ten minutes for each broker, and check every promise
	@scripts/chaos

helm-test: ## the charts: renders, refusals, admission
	@scripts/helm-test

cluster: build ## docmill on the cluster of KUBECONFIG, or one that k3d or kind makes, with PostgreSQL, NATS and S3 beside it
	@scripts/cluster up

cluster-down: ## take it away; volumes and secrets stay
	@scripts/cluster down

cluster-test: $(PDFIUM) ## the charts on a real cluster: KUBECONFIG's, as kind or k3d make one
	@scripts/cluster-test $(STAGES)

argocd-test: ## argocd/: what clusters get, and whether a real API server takes it
	@scripts/argocd-test

fleet-test: ## argocd/ and docmill-fleet on two clusters with Argo CD (HUB=, EDGE=: their KUBECONFIGs); SABOTAGE=1 to see it turn red
	@scripts/fleet-test $(if $(SABOTAGE),sabotage) $(HUB) $(EDGE)

terraform-test: ## the Terraform modules
	@scripts/terraform-test

terraform-cost: ## write docs/cost.md anew from plans and the price table
	@scripts/terraform-cost

terraform-apply-test: ## the modules against TARGET=localstack or TARGET=account (which costs money)
	@scripts/terraform-apply-test $(TARGET)

clean: ## remove what was built and fetched; documents in $(DATA)/ stay
	cargo clean
	rm -rf $(CACHE)
