# movie-fleet. `make help` lists every target; the parts live in hack/make and hack/cluster.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export GOTOOLCHAIN := local
# Everything that is built once (Kubernetes, Consul, linters) is kept here, by version, and shared by all checkouts.
export FLEET_CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/movie-fleet

# First, because rules name the tools as prerequisites, and make reads prerequisites at once.
include hack/make/tools.mk
include $(filter-out hack/make/tools.mk,$(sort $(wildcard hack/make/*.mk)))
include hack/cluster/cluster.mk

.PHONY: help
help: ## List every target with what it does.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z0-9_.-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
