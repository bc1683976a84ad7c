##@ Benchmarks

.PHONY: bench-canary
bench-canary: test-images ## Measure verdicts on a real cluster and check their bounds (an hour; BENCH_REPEAT=1 for a third of it).
	@go test -tags 'e2e bench' -count=1 -v -timeout 150m -run '^TestBench' ./test/e2e
