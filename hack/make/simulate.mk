##@ Simulations

verdict := controllers/fleetservice/verdict
# A claim that held is not simulated again for the same code: an interrupted run goes on where it was.
simulated = $(FLEET_CACHE)/simulated-$(shell cat $(filter-out %/picture_test.go,$(wildcard $(verdict)/*.go)) | sha256sum | cut -c1-12).md

.PHONY: simulate
simulate: ## Check the error bounds and speed of verdicts by thousands of simulated releases (most of an hour on two cores).
	@mkdir -p $(FLEET_CACHE)
	@nice -n 10 go test -count=1 -timeout 4h -v -run '^TestSimulate' ./$(verdict) -args -simulate=1 -record=$(simulated)
	@printf '\n| claim | bound | simulated | runs |\n|---|---|---|---|\n'
	@cat $(simulated)

.PHONY: pictures
pictures: ## Draw docs/pictures/verdict-*.svg from simulated releases.
	@go test -count=1 -run '^TestPictures$$' ./$(verdict) -args -update
