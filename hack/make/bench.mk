##@ Benchmarks

.PHONY: bench-canary bench-conviction bench-ingest bench-scale bench-services bench-serialization
bench-canary: bench-scale bench-conviction ## Measure verdicts and their cost and check the bounds (an hour and a half; BENCH_REPEAT=1 for a third of it).

bench-conviction: test-images
	@go test -tags 'e2e bench' -count=1 -v -parallel 8 -timeout 150m -run '^TestBench' -skip '^TestBenchIngestor$$' ./test/e2e

bench-scale: # what fifty canaries at once cost the operator
	@assets="$$(hack/cluster/cluster envtest-assets)"; \
	KUBEBUILDER_ASSETS="$$assets" go test -tags 'envtest bench' -count=1 -v -timeout 20m ./test/scale

bench-services: ## Measure the services beside bare gRPC, check the bounds, and end in a table (some minutes; on a machine that does nothing else).
	@rc=0; { \
		go test -tags bench -p 1 -count=1 -v -timeout 30m -run '^TestBench' ./test/bench/services ./services/rating/internal/repository/mysqlbench || rc=1; \
		go test -run '^$$' -bench '^Benchmark(Open|Closed|DeadTarget|Hit|CachedGet)$$' ./services/internal/breaker ./services/internal/rpc ./services/internal/cache ./services/metadata/... || rc=1; \
		go test -count=1 -v -run '^TestSizes$$' -bench . ./test/bench/serialization || rc=1; \
		exit $$rc; } 2>&1 | hack/make/bench-table

bench-serialization: ## Compare size and speed of one record as JSON, XML and Protobuf.
	@go test -count=1 -v -run '^TestSizes$$' -bench . ./test/bench/serialization

bench-ingest: export FLEET_KAFKA_JARS ?= $(FLEET_CACHE)/bin/kafka-4.3.0
bench-ingest: test-images ## Measure what ingested ratings cost, beside one by one and the limit, and how fast the operator answers lag and bad releases (half an hour, as root; BENCH_EVENTS=100000 for a tenth of the events).
	@test -d "$(FLEET_KAFKA_JARS)" || hack/cluster/cluster binaries kafka
	@rc=0; { \
		go test -tags bench -p 1 -count=1 -v -timeout 60m -run '^TestBench' ./services/rating/internal/repository/ingestbench || rc=1; \
		go test -tags 'integration bench' -count=1 -v -timeout 60m -run '^TestBenchKafka$$' ./test/ingest || rc=1; \
		go test -tags 'e2e bench' -count=1 -v -timeout 60m -run '^TestBenchIngestor$$' ./test/e2e || rc=1; \
		exit $$rc; } 2>&1 | hack/make/bench-table
