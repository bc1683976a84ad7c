##@ Lint

.PHONY: lint lint-go lint-shell lint-chart fmt
lint: lint-go lint-shell lint-proto check-proto-breaking lint-chart ## Check style, layers and limits of everything: Go, shell, protobuf, chart.

lint-go: $(call tool,golangci-lint) ## Check the Go code (.golangci.yml says what and why).
	@$(call tool,golangci-lint) run --allow-parallel-runners ./...
	@cd hack/tools && $(call tool,golangci-lint) run --allow-parallel-runners --config ../../.golangci.yml ./...

# Every script, by name or by its first line: those without a suffix too.
scripts = git ls-files --cached --others --exclude-standard -z | xargs -0 grep -lIE -m1 '^\#!/(usr/bin/env bash|bin/(ba)?sh)' --
lint-shell: ## Check the shell scripts.
	@command -v shellcheck >/dev/null || { echo 'shellcheck is missing: apt-get install shellcheck' >&2; exit 1; }
	@$(scripts) | xargs shellcheck --external-sources --source-path=SCRIPTDIR

lint-chart: $(call tool,helm) ## Check the chart: structure, and its values against their schema.
	@$(call tool,helm) lint --strict --quiet charts/movie-fleet
	@$(call tool,helm) lint --strict --quiet charts/movie-fleet --set 'watchNamespaces={movies}' --set crds.install=false

fmt: $(call tool,golangci-lint) ## Format the Go code.
	@$(call tool,golangci-lint) fmt ./...
