##@ API server tests

.PHONY: test-envtest
test-envtest: ## Test schema, admission and controllers against a real kube-apiserver on loopback (no root).
	@assets="$$(hack/cluster/cluster envtest-assets)"; \
	KUBEBUILDER_ASSETS="$$assets" go test -tags envtest ./test/admission/... ./controllers/... ./cmd/...
