//go:build integration && bench

package ingest_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"movieexample.com/fleet/test/bench/table"
	"movieexample.com/fleet/test/parts"
)

// podLimit is what automemlimit makes of the limit of an ingestor's pods, 512 MiB by default.
const podLimit = "460MiB"

// TestBenchKafka consumes a backlog from a real broker into a server as one in production is set up: every commit reaches
// the disk. Broker, server and consumers share the machine.
func TestBenchKafka(t *testing.T) {
	events := 1_000_000
	if text := os.Getenv("BENCH_EVENTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("BENCH_EVENTS is %q, want a number", text)
		}
		events = n
	}
	server := startMariaDB(t, "--innodb-flush-log-at-trx-commit=1", "--innodb-log-file-size=1G", "--innodb-buffer-pool-size=1G")
	for _, records := range []int{100_000, 500} {
		for _, consumers := range []int{1, 2, 4} {
			benchConsumers(t, server, events, records, consumers)
		}
	}
}

func benchConsumers(t *testing.T, server *parts.MariaDB, events, records, consumers int) {
	t.Helper()
	w, s := newWorldIn(t, server, broker, 12), newStream(records, 1_000_000)
	s.send(t, broker, w.topic, events, 0)
	var running []*consumer
	began := time.Now()
	for n := range consumers {
		running = append(running, w.startWith(t, fmt.Sprintf("pod-%d", n), rating, []string{"GOMEMLIMIT=" + podLimit}))
	}
	w.wantConsumed(t, 30*time.Minute)
	took := time.Since(began)
	memory, cpu := 0.0, 0.0
	for _, c := range running {
		cpu += c.metric(t, "process_cpu_seconds_total")
		memory = max(memory, c.metric(t, "process_resident_memory_bytes"))
		c.end(t)
	}
	s.check(t, w)
	what := fmt.Sprintf("Kafka → MySQL, %d records, %d consumers", records, consumers)
	table.Row(t, what, fmt.Sprintf("%.0f events/s; all stored after %.1f s; %.1f µs of the consumers' processors an event",
		float64(events)/took.Seconds(), took.Seconds(), cpu*1e6/float64(events)))
	table.AtMost(t, what+", MiB at most in one of them", memory/(1<<20), 512)
}
