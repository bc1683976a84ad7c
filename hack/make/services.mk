##@ Services

SERVICES := metadata rating movie

.PHONY: build
build: ## Build the services and the load program into bin/.
	@for p in $(SERVICES) load; do hack/make/build $$p dev bin/$$p; done

.PHONY: run-local
run-local: build ## Run the three services on this machine, in memory: no cluster, no database. Ctrl-C ends them.
	@hack/run-local
