##@ Local cluster

CLUSTER := hack/cluster/cluster

.PHONY: cluster-setup cluster-binaries cluster-up cluster-down cluster-status cluster-load cluster-secrets cluster-shell
cluster-setup: ## Install the Debian packages that the local cluster needs (root); WITH=kafka adds Java and Maven.
	@$(CLUSTER) setup $(addprefix --with ,$(WITH))

cluster-binaries: ## Build Kubernetes, containerd, Consul and the rest from source, once.
	@$(CLUSTER) binaries

cluster-up: ## Start a real one-node Kubernetes with MariaDB and Consul beside it (root); WITH="gateway metrics-server kafka jaeger" adds.
	@$(CLUSTER) up $(addprefix --with ,$(WITH))

cluster-down: ## Remove the local cluster with all its data.
	@$(CLUSTER) down

cluster-status: ## Say what runs in the local cluster and how to reach it.
	@$(CLUSTER) status

cluster-load: ## Import container image archives: make cluster-load IMAGES="dist/a.tar dist/b.tar".
	@$(CLUSTER) load $(IMAGES)

cluster-secrets: ## Apply the Service Binding Secrets for MariaDB and Consul: NAMESPACE=movies APP=movies.
	@$(CLUSTER) secrets $(NAMESPACE) $(APP)

cluster-shell: ## Open a shell inside the node: its processes, mounts and network.
	@$(CLUSTER) exec bash

.PHONY: cluster-lint
cluster-lint: ## Check the local cluster's scripts (Debian package shellcheck).
	@cd hack/cluster && shellcheck -x cluster lib/*.sh parts/*.sh node/*.sh
