//go:build bench

package ingestbench

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"movieexample.com/fleet/services/rating/internal/model"
)

const (
	users      = 1_000_000
	replaced   = 5 // one event in so many replaces a rating that there is
	partitions = 12
)

// events is how many there are: BENCH_EVENTS, for a machine that is busy with other things, or a million.
func events(t *testing.T) int {
	t.Helper()
	text := os.Getenv("BENCH_EVENTS")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("BENCH_EVENTS is %q, want a number", text)
	}
	return n
}

// stream is what lies in each partition, and what the table must come to.
type stream struct {
	events     int
	partitions [partitions][]model.Write
	rows       int64
	sum        model.Aggregate
}

// newStream has the same events in each run. A record's are in one partition, as Kafka's keys have it.
func newStream(events, records int) *stream {
	random := rand.New(rand.NewPCG(1, uint64(records)))
	start := time.Now().UTC().Add(-time.Hour).Truncate(time.Microsecond)
	s, keys, last := &stream{events: events}, []model.Key{}, map[model.Key]model.Write{}
	for i := range events {
		key := model.Key{
			Record: model.Record{Type: "movie", ID: fmt.Sprintf("tt%07d", random.IntN(records))},
			UserID: fmt.Sprintf("user%d", random.IntN(users)),
		}
		if i > 0 && random.IntN(replaced) == 0 {
			key = keys[random.IntN(len(keys))]
		}
		keys = append(keys, key)
		w := model.Write{Key: key, Value: random.IntN(model.MaxValue) + 1, OccurredAt: start.Add(time.Duration(i) * time.Microsecond)}
		last[key] = w
		p := partition(key.Record)
		s.partitions[p] = append(s.partitions[p], w)
	}
	for _, w := range last {
		s.sum = s.sum.Plus(model.Contribution(w))
	}
	s.rows = int64(len(last))
	return s
}

func partition(record model.Record) uint32 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(record.ID)) // never fails
	return hash.Sum32() % partitions
}
