##@ Tests

# Given to every `go test`, such as GO_TEST_FLAGS='-run TestPlan -v'.
GO_TEST_FLAGS ?=
# `go test` where real programs run: packages first, as one word.
real_tests = GOTESTSUM=$(call tool,gotestsum) hack/make/real-tests

.PHONY: test test-short test-unit test-integration integration test-e2e
test: ## Run every check and every test, and show how long each took. Needs root on Linux for the cluster.
	@hack/make/run-steps check-generated lint test-unit test-chart test-chart-admission test-envtest test-integration test-e2e

test-short: ## Run the unit tests without the race detector: no root, no network, under two minutes.
	@go test -shuffle=on $(GO_TEST_FLAGS) ./...

test-unit: ## Run the unit tests of the whole repository, with the race detector.
	@go test -race -shuffle=on $(GO_TEST_FLAGS) ./...
	@cd hack/tools && go test -race -shuffle=on $(GO_TEST_FLAGS) ./...

# Only where such tests are: the rest of the unit tests need not run twice. Never from the cache, which does not
# know the programs that these tests start.
integration_packages = grep -rlE '^//go:build .*\bintegration\b' --include='*_test.go' controllers services test | xargs -n1 dirname | sort -u | sed 's|^|./|'
test-integration: export FLEET_CONSUL_BIN ?= $(FLEET_CACHE)/bin/consul-1.14.4
test-integration: export FLEET_KAFKA_JARS ?= $(FLEET_CACHE)/bin/kafka-4.3.0
test-integration: $(call tool,grpcurl) $(call tool,gotestsum) ## Run the services against a real MariaDB (Debian's), Consul (built once) and Kafka (Maven's, needs Java).
	@test -x "$(FLEET_CONSUL_BIN)" || hack/cluster/cluster binaries consul
	@test -d "$(FLEET_KAFKA_JARS)" || hack/cluster/cluster binaries kafka
	@$(real_tests) "$$($(integration_packages) | xargs)" -race -tags integration -count=1 -timeout 25m $(GO_TEST_FLAGS)

.PHONY: soak
soak: export FLEET_CONSUL_BIN ?= $(FLEET_CACHE)/bin/consul-1.14.4
soak: export FLEET_KAFKA_JARS ?= $(FLEET_CACHE)/bin/kafka-4.3.0
soak: export FLEET_INGEST_EVENTS ?= 1000000
soak: export FLEET_INGEST_TIMES ?= 10
soak: export FLEET_INGEST_MINUTES ?= 10
soak: ## Run the ingestor's faults for long: kills while a million events flow (FLEET_INGEST_EVENTS), the others with ten times of their events (FLEET_INGEST_TIMES).
	@test -d "$(FLEET_KAFKA_JARS)" || hack/cluster/cluster binaries kafka
	@go test -tags integration -count=1 -v -timeout 90m $(GO_TEST_FLAGS) ./test/ingest

integration: export TARGET := $(TARGET)
integration: export CA := $(CA)
integration: export CERT := $(CERT)
integration: export KEY := $(KEY)
integration: export IDENTITY := $(IDENTITY)
integration: export LOGIN := $(LOGIN)
integration: export LOGIN2 := $(LOGIN2)
integration: ## Rate a movie of its own at a fleet that runs: TARGET=HOST or metadata=HOST:PORT/HOST:PORT,… (docs/services.md: TLS, tokens).
	@go test -tags deployment -count=1 -v -run '^TestDeployment$$' ./test/deployment

test-e2e: test-images $(call tool,gotestsum) ## Run the whole system on a real cluster.
	@$(real_tests) ./test/e2e/... -tags e2e -count=1 -timeout 45m -parallel 4 $(GO_TEST_FLAGS)
