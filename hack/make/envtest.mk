##@ API server tests

.PHONY: test-envtest
test-envtest: export FLEET_CONSUL_BIN ?= $(FLEET_CACHE)/bin/consul-1.14.4
test-envtest: $(call tool,gotestsum) ## Test schema, admission and controllers against a real kube-apiserver on loopback (no root).
	@test -x "$(FLEET_CONSUL_BIN)" || hack/cluster/cluster binaries consul
	@assets="$$(hack/cluster/cluster envtest-assets)"; \
	KUBEBUILDER_ASSETS="$$assets" $(real_tests) "./test/admission/... ./controllers/... ./cmd/..." -tags envtest $(GO_TEST_FLAGS)
