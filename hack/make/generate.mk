##@ Generated files

.PHONY: generate manifests
generate: $(call tool,controller-gen) generate-proto ## Write the Go code that is generated: deep copies and protobuf.
	@$(call tool,controller-gen) object:headerFile=/dev/null paths=./api/...

manifests: $(call tool,controller-gen) ## Write the CRDs and RBAC rules from the markers in the code, for config/ and the chart.
	@$(call tool,controller-gen) crd:maxDescLen=400 paths=./api/... output:crd:dir=config/crd
	@$(call tool,controller-gen) rbac:roleName=movie-fleet paths=./controllers/... paths=./cmd/manager/... output:rbac:dir=config/rbac

.PHONY: check-generated
check-generated: generate manifests ## Fail when a generated file differs from what is committed.
	@git diff --exit-code --stat -- api config charts services/proto || { echo 'Generated files are out of date: run `make generate manifests` and commit.' >&2; exit 1; }
