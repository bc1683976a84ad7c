##@ Simulations

.PHONY: simulate
simulate: ## Check the error bounds and speed of verdicts by thousands of simulated releases (many minutes).
	@go test -count=1 -timeout 3h -v -run '^TestSimulate' ./controllers/fleetservice/verdict -args -simulate=1
