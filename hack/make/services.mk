##@ Services

SERVICES := metadata rating movie auth

.PHONY: build
build: ## Build the services, the load program, uploadclient and ratingproducer into bin/.
	@for p in $(SERVICES) load uploadclient ratingproducer; do hack/make/build $$p dev bin/$$p; done

.PHONY: certs
certs: ## Make an authority and certificates for this machine in .certs: of the services, and of dev for a person.
	@go run ./hack/certs --dir .certs $(SERVICES) dev

.PHONY: run-local
run-local: build $(if $(filter 1,$(TLS)),certs) ## Run the four services on this machine, in memory: no cluster, no database. TLS=1 protects all calls, AUTH=1 asks for tokens, TRACES=http://host:4317 records calls. Ctrl-C ends them.
	@TLS=$(TLS) AUTH=$(AUTH) TRACES=$(TRACES) hack/run-local

.PHONY: tool-grpcurl
tool-grpcurl: $(call tool,grpcurl)
	@echo $<
