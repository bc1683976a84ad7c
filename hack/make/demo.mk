##@ Demo

DEMO := hack/demo/demo

.PHONY: demo demo-up demo-seed demo-rollout demo-broken demo-canary demo-tokens demo-ingest demo-next demo-down
demo: ## Bring the movie fleet up on a real Kubernetes and show a good and a bad release (root; docs/demo.md).
	@$(DEMO) all

demo-up: ## Bring up cluster, MariaDB, Consul, the operator and the fleet at v1.
	@$(DEMO) up

demo-seed: ## Put a dozen movies and read one back, by gRPC and REST.
	@$(DEMO) seed

demo-rollout: ## Roll v2 out under load and count failed requests.
	@$(DEMO) rollout

demo-broken: ## Release an image that dies at its start and see it taken back.
	@$(DEMO) broken

demo-canary: ## Release errors in 5 % of the answers, see them convicted, then a fixed release go through.
	@$(DEMO) canary

demo-tokens: ## Add auth, post a rating with a token and show a request's trace.
	@$(DEMO) tokens

demo-ingest: ## Stream rating events through Kafka, and see a bad release of their consumer taken back.
	@$(DEMO) ingest

demo-next: ## Say what to try by hand.
	@$(DEMO) next

demo-down: ## Remove everything that the demo brought up.
	@$(DEMO) down

.PHONY: tool-helm
tool-helm: $(call tool,helm)
	@echo $(call tool,helm)
