//go:build integration

package ingest_test

import (
	"context"
	"fmt"
	"testing"
)

// All events arrive, once in effect; the bad ones are dead letters; Kafka learns how far the database is.
func TestEventsArrive(t *testing.T) {
	w, s := newWorld(t, 12), newStream(500, 200)
	s.send(t, broker, w.topic, times(t, 20_000), 0)
	c := w.start(t, "pod-1")
	c.wantReady(t)
	w.wantConsumed(t, patience)
	s.check(t, w)
	c.wantMetric(t, 1.01*float64(times(t, 20_000)), "ingest_events_total")
	for outcome, want := range map[string]float64{"dead_lettered": float64(len(s.bad)), "failed": 0} {
		if got := c.metric(t, "ingest_events_total", "outcome", outcome); got != want {
			t.Errorf("ingest_events_total{outcome=%q} = %v, want %v", outcome, got, want)
		}
	}
	if got := c.metric(t, "ingest_partitions"); got != 12 {
		t.Errorf("ingest_partitions = %v, want 12", got)
	}
	eventually(t, patience, func(ctx context.Context) error {
		offsets, err := w.admin.FetchOffsetsForTopics(ctx, w.group, w.topic)
		if err != nil {
			return err
		}
		ends, err := w.ends(ctx)
		if err != nil {
			return err
		}
		for p, end := range ends {
			if got, _ := offsets.Lookup(w.topic, p); got.At != end && end > 0 {
				return fmt.Errorf("Kafka was told %d of partition %d, want %d", got.At, p, end)
			}
			if got := c.metric(t, "ingest_events_total", "partition", fmt.Sprint(p)); got != float64(end) {
				return fmt.Errorf("ingest_events_total of partition %d = %v, want %d", p, got, end)
			}
		}
		if lag := c.metric(t, "ingest_lag_records"); lag != 0 {
			return fmt.Errorf("ingest_lag_records = %v, want 0", lag)
		}
		return nil
	})
}
