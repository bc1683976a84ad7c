package ingest

import (
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/rating/internal/event"
	"movieexample.com/fleet/services/rating/internal/model"
)

// TestEventsAreCountedByPartition: what is counted is there at zero before the first partition and before its first event.
func TestEventsAreCountedByPartition(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newMetrics(registry, func() []measured { return nil })
	if n, err := testutil.GatherAndCount(registry, "ingest_events_total"); err != nil || n != len(outcomes()) {
		t.Errorf("%d series, %v, without a partition, want one for each outcome", n, err)
	}
	m.show("3")
	m.show("4")
	if n, err := testutil.GatherAndCount(registry, "ingest_events_total"); err != nil || n != 3*len(outcomes()) {
		t.Errorf("%d series, %v, with two partitions, want one for each outcome of each", n, err)
	}
	good, bad := item{record: &kgo.Record{Partition: 3}}, item{record: &kgo.Record{Partition: 3}}
	bad.bury(event.CauseInvalid, errors.New("no value"))
	m.failed(3, []item{good})
	m.consumed(3, []item{good, bad}, []model.Outcome{model.Applied})
	m.consumed(4, []item{good}, []model.Outcome{model.Stale})
	got := ""
	for _, series := range [][2]string{{"applied", "3"}, {"dead_lettered", "3"}, {"failed", "3"}, {"stale", "3"}, {"stale", "4"}, {"applied", "4"}, {"applied", ""}} {
		if testutil.ToFloat64(m.events.WithLabelValues(series[0], series[1])) == 1 {
			got += " " + strings.Join(series[:], "/")
		}
	}
	if want := " applied/3 dead_lettered/3 failed/3 stale/4"; got != want {
		t.Errorf("counted once are%s, want%s", got, want)
	}
}
