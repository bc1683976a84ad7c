##@ Packages

.PHONY: test-chart chart
# Never from the cache, which does not know what helm and kustomize read.
test-chart: export HELM := $(abspath $(call tool,helm))
test-chart: export KUSTOMIZE := $(abspath $(call tool,kustomize))
test-chart: $(call tool,helm) $(call tool,kustomize) ## Test what the chart and the kustomization render, and that they agree.
	@go test -tags chart -count=1 ./hack/chart $(CHART_TEST_FLAGS)

chart: $(call tool,helm) ## Write the chart as an archive into dist/.
	@mkdir -p dist; $(call tool,helm) package charts/movie-fleet --destination dist

.PHONY: test-chart-admission
test-chart-admission: export HELM := $(abspath $(call tool,helm))
test-chart-admission: export KUSTOMIZE := $(abspath $(call tool,kustomize))
test-chart-admission: $(call tool,helm) $(call tool,kustomize) ## Install the chart and the kustomization on a real kube-apiserver, and uninstall them.
	@KUBEBUILDER_ASSETS="$${KUBEBUILDER_ASSETS:-$$(hack/cluster/cluster envtest-assets)}" \
		go test -tags chart,envtest -count=1 -run '^TestServer' ./hack/chart $(CHART_TEST_FLAGS)
