##@ Protobuf

PROTO_PLUGINS := protoc-gen-go protoc-gen-go-grpc protoc-gen-grpc-gateway
empty :=
space := $(empty) $(empty)
proto_path = $(subst $(space),:,$(foreach p,$(PROTO_PLUGINS),$(call tooldir,$p)))

.PHONY: tools-proto generate-proto lint-proto check-proto-breaking release-proto
tools-proto: $(call tool,buf) $(foreach p,$(PROTO_PLUGINS),$(call tool,$p))

generate-proto: tools-proto ## Write the Go code of the services' proto files: messages, gRPC, REST.
	@cd services/proto && PATH="$(proto_path):$$PATH" $(call tool,buf) generate

lint-proto: $(call tool,buf) ## Check the services' proto files: layout, names, comments.
	@cd services/proto && $(call tool,buf) lint

check-proto-breaking: $(call tool,buf) ## Fail when the proto files break callers of the last release.
	@hack/make/proto-breaking $<

release-proto: $(call tool,buf) ## Keep the proto files as those of a release: commit the result together with the version, then tag it.
	@cd services/proto && $(call tool,buf) build --exclude-source-info -o released.binpb.gz
