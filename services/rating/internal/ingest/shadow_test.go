package ingest

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/rating/internal/deadletter"
	"movieexample.com/fleet/services/rating/internal/model"
)

// along is the partition of a shadow at offset 100, beside a store and a registry of metrics.
func along(t *testing.T) (*partition, *store, *prometheus.Registry) {
	t.Helper()
	like, s, _ := work(t)
	o, registry := like.Options, prometheus.NewRegistry()
	o.Shadow, o.Metrics = true, registry
	p := newPartition(&member{Consumer: New(o), letters: nowhere{}, hard: t.Context()}, like.source)
	t.Cleanup(p.giveUp)
	if _, err := p.Store.Begin(t.Context(), p.source, 100); err != nil {
		t.Fatal(err)
	}
	return p, s, registry
}

// A shadow judges as a consumer does, counts what would become of events, and stores nothing.
func TestAShadowCountsAndStoresNothing(t *testing.T) {
	p, s, registry := along(t)
	n := 0
	p.Fault = func(context.Context, int32) error {
		if n++; n == 4 {
			return errors.New("a fault")
		}
		return nil
	}
	next, err := p.take(100, []*kgo.Record{put(100, "ann"), record(101, "{"), put(103, "bob"), put(104, "eve")})
	if at, _, _ := p.Store.Position(t.Context(), p.source); err != nil || next != 105 || at != 105 {
		t.Errorf("take() = %d, %v, then Position() = %d; want 105", next, err, at)
	}
	for outcome, want := range map[string]float64{outcomeRead: 2, outcomeDeadLettered: 2, outcomeApplied: 0, outcomeFailed: 0} {
		if got := p.count(outcome); got != want {
			t.Errorf("%v events %s, want %v", got, outcome, want)
		}
	}
	for cause, want := range map[string]float64{"unparsable": 1, deadletter.CausePanic: 1} {
		if got := testutil.ToFloat64(p.metrics.letters.WithLabelValues(cause)); got != want {
			t.Errorf("%v dead letters of cause %s, want %v", got, cause, want)
		}
	}
	if got, _ := s.Aggregate(t.Context(), model.Record{Type: "movie", ID: "1"}); got.Count != 0 || len(s.spans) != 0 {
		t.Errorf("Aggregate() = %v after %d batches, want nothing stored", got, len(s.spans))
	}
	if got, err := testutil.GatherAndCount(registry, "ingest_shadow"); got != 1 || err != nil {
		t.Errorf("ingest_shadow is shown %d times, %v, want once", got, err)
	}
}

// A shadow knows its positions as the database would: it begins once, and where the partition has none any more it leaps.
func TestAShadowKnowsItsPositions(t *testing.T) {
	p, _, _ := along(t)
	other := p.source
	other.Partition = 4
	if _, found, _ := p.Store.Position(t.Context(), other); found {
		t.Error("Position() of a partition that was never read is known")
	}
	for _, c := range []struct {
		does string
		at   int64
		do   func() error
	}{
		{"Begin again", 100, func() error { _, err := p.Store.Begin(t.Context(), p.source, 7); return err }},
		{"Rewind", 50, func() error { return p.Store.Rewind(t.Context(), p.source, 50) }},
		{"Ingest", 60, func() error {
			_, err := p.Store.Ingest(t.Context(), model.Span{Source: p.source, From: 50, Next: 60}, nil, p.Now())
			return err
		}},
	} {
		if err := c.do(); err != nil {
			t.Errorf("%s = %v", c.does, err)
		}
		if at, found, _ := p.Store.Position(t.Context(), p.source); !found || at != c.at {
			t.Errorf("Position() after %s = %d, %v, want %d", c.does, at, found, c.at)
		}
	}
}

func TestAShadowSaysThatItDoesNotReadYet(t *testing.T) {
	p, _, _ := along(t)
	if err := p.Ready(t.Context()); err == nil || err.Error() != "the topic ratings is not read yet" {
		t.Errorf("Ready() = %v, want that the topic is not read", err)
	}
}
