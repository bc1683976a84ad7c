##@ Tools

# One line a tool: module path and pinned version. `$(call tool,NAME)` is the path of the built binary;
# name it as a prerequisite and it is built on first use.
CONTROLLER_GEN := sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0
GOLANGCI_LINT  := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BUF            := github.com/bufbuild/buf/cmd/buf@v1.73.0
PROTOC_GEN_GO  := google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
PROTOC_GEN_GO_GRPC := google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
PROTOC_GEN_GRPC_GATEWAY := github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@v2.31.0
HELM           := helm.sh/helm/v3/cmd/helm@v3.22.0
KUSTOMIZE      := sigs.k8s.io/kustomize/kustomize/v5@v5.8.2
GOTESTSUM      := gotest.tools/gotestsum@v1.13.0
GRPCURL        := github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4

TOOLS := controller-gen golangci-lint buf protoc-gen-go protoc-gen-go-grpc protoc-gen-grpc-gateway helm kustomize gotestsum grpcurl
toolvar = $(subst -,_,$(shell echo $1 | tr a-z A-Z))
toolver = $(lastword $(subst @, ,$($(call toolvar,$1))))
tooldir = $(FLEET_CACHE)/tools/$1-$(call toolver,$1)
tool = $(call tooldir,$1)/$1

define toolrule
$(call tool,$1):
	@echo "building $1 $(call toolver,$1) (once; kept in $(FLEET_CACHE))" >&2
	@CGO_ENABLED=0 GOFLAGS= GOBIN=$$(@D) go install -trimpath -ldflags '-s -w' $($(call toolvar,$1))
endef
$(foreach t,$(TOOLS),$(eval $(call toolrule,$t)))

.PHONY: tools
tools: $(foreach t,$(TOOLS),$(call tool,$t)) ## Build the development tools (linters, generators) into the cache.
