# Each target installs its requirements or prints how to; see scripts/setup.

SHELL := /bin/bash
# A Rust that scripts/setup has just installed is not yet on the caller's PATH.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

# Most tests wait for programs that they have started: with as many tests as cores, 40 % of the processor time is unused.
TEST_THREADS = $(shell echo $$(( $$(nproc) * 2 )))

.DEFAULT_GOAL := help
.PHONY: help demo test lint schemas packages api records chart chart-package chart-registry dashboard trace console figures bench cluster gauges instructions outage reconcile logins soak replicas interop newcomer fuzz mutants image workflows site deb reproducible release-dry-run fmt clean-tools

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run a profile through the whole service, without installing Kafka or anything else
	@echo "Builds the program, the first time in about 2 minutes on 2 cores, and runs a" >&2
	@echo "profile through the service." >&2
	@scripts/setup demo
	@cargo run --locked -- dev --once

test: ## Run the tests, against a real Apache Kafka and Twilio's own libraries
	@echo "Builds and runs the tests: about 25 minutes on 2 cores, 3 of them to build." >&2
	@scripts/setup test
	@scripts/kafka >/dev/null
	@scripts/identity-provider >/dev/null
	@scripts/oracles >/dev/null
	@scripts/interop >/dev/null
	@scripts/helm >/dev/null
	@scripts/registry >/dev/null
	@scripts/release-tools >/dev/null
	@scripts/otel >/dev/null
	@scripts/collector >/dev/null
# `make interop` runs those of the packages and examples in other languages.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$(TEST_THREADS)} cargo test --locked --workspace -- --skip other_languages

lint: ## Check format, code, documentation and dependencies
	@scripts/setup lint
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	cargo package --locked --allow-dirty --quiet --package twilio-signature
	scripts/deny
	scripts/workflows

workflows: ## Check .github/workflows
	@scripts/setup lint
	scripts/workflows

schemas: ## Write the schemas of records, docs/rejections.md and the text of its alert from the Rust types
	@scripts/setup lint
	UPDATE_GOLDEN=1 cargo test --locked --package trusthub-events --lib

api: ## Write the public interface of twilio-signature from its source
	@scripts/setup test
	UPDATE_GOLDEN=1 cargo test --locked --test it public_api

records: ## Update the snapshots of the records that callbacks become
	@scripts/setup test
	@scripts/kafka >/dev/null
	INSTA_UPDATE=always cargo test --locked --test it callback::

chart: ## Update the chart's table of values and its rendered examples
	@scripts/setup test
	@scripts/oracles >/dev/null
	@scripts/helm >/dev/null
	INSTA_UPDATE=always UPDATE_GOLDEN=1 cargo test --locked --test it chart::

chart-package: ## Package the chart, and push it with REGISTRY=oci://HOST/PATH
	@scripts/setup chart-package
	@scripts/chart-package target/chart $(REGISTRY)

chart-registry: ## Push the chart to a registry of its own, and install from there
	@scripts/setup chart-registry
	@scripts/chart-registry

dashboard: ## Redraw docs/dashboard.svg from a test that simulates a day in four minutes
	@scripts/setup test
	@scripts/kafka >/dev/null
	@scripts/oracles >/dev/null
	UPDATE_GOLDEN=1 cargo test --locked --test it monitoring::dashboard
	scripts/dashboard

trace: ## Send a trace of the service and a consumer to an OpenTelemetry Collector, and redraw docs/tracing.svg from it
	@scripts/setup test
	@scripts/kafka >/dev/null
	@scripts/otel >/dev/null
	@scripts/collector >/dev/null
	cargo test --locked --test it traces::consumer
	python3 tests/oracles/traces/draw.py <target/tmp/trace.json >docs/tracing.svg

console: ## Check the console in a real browser, and draw docs/console-*.png; takes about 5 minutes
	@scripts/setup console
	@scripts/kafka >/dev/null
	@scripts/browser >/dev/null
	UPDATE_GOLDEN=1 cargo bench --locked --profile dev --bench console

figures: ## Measure start-up time, idle memory and size of the program as in the image
	@scripts/setup figures
	cargo build --locked --release --features vendored-openssl
	@scripts/figures

bench: ## Compare with a minimal service and common stacks, and scale the load; takes an hour, or PARTS="compare memory"
	@scripts/setup bench
	@scripts/kafka >/dev/null
	@scripts/peers >/dev/null
	cargo bench --locked --bench verify
	cargo bench --locked --bench performance -- $(PARTS)

instructions: ## Count the instructions of each step and compare them with benches/baseline.json
	@scripts/setup instructions
	cargo bench --locked --bench instructions

outage: ## Measure what an outage of Kafka costs, and a million records in the spool
	@scripts/setup test
	@scripts/kafka >/dev/null
	cargo bench --locked --bench outage

reconcile: ## Reconcile 200 random streams of callbacks, and 100,000 profiles; takes half an hour
	@scripts/setup test
	@scripts/kafka >/dev/null
	cargo bench --locked --bench reconcile

logins: ## Renew tokens, certificates and passwords for Kafka under a load; takes 7 minutes, or LOGINS_SECONDS
	@scripts/setup test
	@scripts/kafka >/dev/null
	@scripts/identity-provider >/dev/null
	cargo bench --locked --bench logins

soak: ## Inject random faults for an hour, or SOAK_SECONDS, from SOAK_SEED; or run CASES="outages kills"
	@scripts/setup test
	@scripts/kafka >/dev/null
	cargo bench --locked --bench soak -- $(CASES)

gauges: ## Compare the gauges of profiles with an hour of random reviews, in a minute or GAUGES_SECONDS, from GAUGES_SEED
	@scripts/setup test
	@scripts/kafka >/dev/null
	cargo bench --locked --bench gauges

cluster: ## Install and upgrade the chart in a real Kubernetes API server with simulated nodes, in 20 minutes; or CASES="lives drain"
	@scripts/setup cluster
	@scripts/helm >/dev/null
	@scripts/helm 4 >/dev/null
	@scripts/kubernetes >/dev/null
	cargo run --locked --package chart-tests -- $(CASES)

replicas: ## Break instances and brokers at random for five minutes, or REPLICAS_SECONDS, and check the states of profiles
	@scripts/setup test
	@scripts/kafka >/dev/null
	cargo bench --locked --bench replicas

interop: ## Test the packages, examples and schema registry, for 10 minutes or REGISTRY_OUTAGE_SECONDS without it; takes half an hour
	@scripts/setup test
	@scripts/kafka >/dev/null
	@scripts/oracles >/dev/null
	@scripts/interop >/dev/null
	@scripts/packages >/dev/null
	@scripts/registry >/dev/null
	cargo build --locked --package example-consumer
	REGISTRY_OUTAGE_SECONDS=$${REGISTRY_OUTAGE_SECONDS:-600} TEST_TIME_LIMIT_SECS=$${TEST_TIME_LIMIT_SECS:-3600} \
		cargo test --locked --test it -- \
		differential packages:: consumer:: schema_tools:: schema_registry:: --skip other_languages::pages::
# One after the other, because each prints how long it takes.
	cargo test --locked --test it -- --nocapture --test-threads=1 other_languages::pages::

packages: ## Write the types of the packages, and the records and decisions that their tests read
	@scripts/setup test
	@scripts/oracles >/dev/null
	"$$(scripts/oracles)/python/bin/python" -B packages/generate
	UPDATE_GOLDEN=1 cargo test --locked --test it consumer::rules::decisions

newcomer: ## Follow the README of twilio-signature in empty projects; needs the crate registry
	@scripts/setup lint
	@scripts/newcomer

fuzz: ## Fuzz every parser for ten million executions each; needs a nightly compiler
	@scripts/setup figures
	@scripts/fuzz

mutants: ## Check that a test fails for each mutation of the verification; takes 40 minutes
	@scripts/setup figures
	@scripts/mutants

image: ## Build the container image without Docker, and test it by running it; needs root
	@scripts/setup image
	@scripts/image

site: ## Build the site of the documents in target/site, and check its links
	@scripts/setup site
# Without its web server.
	scripts/site "$$(scripts/cargo-tool mdbook 0.5.4 --no-default-features --features search)"

deb: ## Build the Debian package, and test it in an empty system and with a systemd of its own; needs root
	@scripts/setup deb
	scripts/release deb

reproducible: ## Build the program of a release in two folders, and compare; takes twice as long as a release build
	@scripts/setup figures
	scripts/reproducible

release-dry-run: ## Make all artifacts of a release in target/release-dry-run; needs root; RELEASE_IMAGE=no omits the image
	@scripts/setup deb
	@scripts/setup test
	scripts/release

fmt: ## Format the code
	@scripts/setup lint
	cargo fmt --all

clean-tools: ## Remove the cached Kafka, libraries of other languages and cargo tools
	rm -rf "$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/trusthub-bridge"
