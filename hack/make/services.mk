##@ Services

SERVICES := metadata rating movie

.PHONY: build
build: ## Build the services, the load program, uploadclient and ratingproducer into bin/.
	@for p in $(SERVICES) load uploadclient ratingproducer; do hack/make/build $$p dev bin/$$p; done

.PHONY: certs
certs: ## Make an authority and certificates for this machine in .certs: of the services, and of dev for a person.
	@go run ./hack/certs --dir .certs $(SERVICES) dev

.PHONY: run-local
run-local: build $(if $(filter 1,$(TLS)),certs) ## Run the three services on this machine, in memory: no cluster, no database. TLS=1 protects all calls; TRACES=http://host:4317 records them. Ctrl-C ends them.
	@TLS=$(TLS) TRACES=$(TRACES) hack/run-local
