##@ Protobuf

PROTO_PLUGINS := protoc-gen-go protoc-gen-go-grpc protoc-gen-grpc-gateway
empty :=
space := $(empty) $(empty)
proto_path = $(subst $(space),:,$(foreach p,$(PROTO_PLUGINS),$(call tooldir,$p)))

.PHONY: generate-proto lint-proto
generate-proto: $(call tool,buf) $(foreach p,$(PROTO_PLUGINS),$(call tool,$p)) ## Write the Go code of the services' proto files: messages, gRPC, REST.
	@cd services/proto && PATH="$(proto_path):$$PATH" $(call tool,buf) generate

lint-proto: $(call tool,buf) ## Check the services' proto files: layout, names, comments.
	@cd services/proto && $(call tool,buf) lint
