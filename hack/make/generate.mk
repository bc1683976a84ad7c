##@ Generated files

.PHONY: generate manifests
generate: $(call tool,controller-gen) generate-proto ## Write the Go code that is generated: deep copies and protobuf.
	@$(call tool,controller-gen) object:headerFile=/dev/null paths=./api/...

manifests: $(call tool,controller-gen) ## Write the CRDs and RBAC rules from the markers in the code, for config/ and the chart.
	@$(call tool,controller-gen) crd:maxDescLen=400 paths=./api/... output:crd:dir=config/crd
	@go run ./hack/crds config/crd/fleet.*.yaml
	@$(call tool,controller-gen) rbac:roleName=movie-fleet paths=./controllers/... paths=./cmd/manager/... output:rbac:dir=config/rbac
	@hack/chart/sync

# Compares the files before and after, not with the last commit: uncommitted work is no drift.
generated_sums = find api config charts services/proto -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
.PHONY: check-generated
check-generated: ## Fail when a generated file differs from what its source says.
	@before=$$($(generated_sums)); \
	$(MAKE) --no-print-directory generate manifests; \
	after=$$($(generated_sums)); \
	if ! changed=$$(diff <(echo "$$before") <(echo "$$after")); then \
		echo "$$changed" | awk '/^[<>]/ {print $$3}' | sort -u; \
		echo 'These generated files were out of date. They are written anew now: commit them (make generate manifests).' >&2; exit 1; \
	fi
