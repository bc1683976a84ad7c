##@ Images

VERSION ?= $(shell awk -F'"' '/^appVersion:/ {print $$2}' charts/movie-fleet/Chart.yaml)
REGISTRY ?= localhost/fleet
TAG ?= $(VERSION)

.PHONY: images test-images
images: ## Write the images of the operator and the services as archives to dist/images (REGISTRY, TAG). Needs no Docker.
	@hack/make/images dist/images release $(REGISTRY) $(TAG)

test-images: ## Write the images that tests and the demo run (v1, v2, broken; operator; load; ratingproducer) to dist/test-images.
	@hack/make/images dist/test-images test
