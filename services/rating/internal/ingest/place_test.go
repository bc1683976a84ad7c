package ingest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"movieexample.com/fleet/services/internal/problem"
)

func TestLag(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		do      func(p *place)
		records int64
		oldest  time.Duration
	}{
		"at the end":           {func(p *place) { p.endsAt(10) }, 0, 0},
		"before it":            {func(p *place) { p.endsAt(50) }, 40, time.Hour},
		"at work":              {func(p *place) { p.endsAt(50); p.hold(now.Add(-time.Minute)) }, 40, time.Minute},
		"moved":                {func(p *place) { p.endsAt(50); p.hold(now); p.move(30, now.Add(-time.Second)) }, 20, time.Second},
		"moved beyond the end": {func(p *place) { p.endsAt(5); p.move(30, now) }, 0, 0},
		"rewound":              {func(p *place) { p.endsAt(50); p.begin(0) }, 50, time.Hour},
		"the latest are lost": {func(p *place) {
			p.endsAt(50)
			p.move(50, now)
			p.lost(45)
			p.begin(0)
			p.endsAt(45)
			p.move(45, now)
		}, 0, 0},
		"a clock ahead": {func(p *place) { p.endsAt(50); p.hold(now.Add(time.Minute)) }, 40, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := &place{since: now.Add(-time.Hour)}
			p.begin(10)
			c.do(p)
			_, records, oldest, known := p.lag(now)
			if records != c.records || oldest != c.oldest || !known {
				t.Errorf("lag() = %d, %v, %v, want %d, %v", records, oldest, known, c.records, c.oldest)
			}
		})
	}
}

func TestWhatKafkaIsTold(t *testing.T) {
	p := &place{committed: -1}
	if _, ok := p.uncommitted(); ok {
		t.Error("uncommitted() before the database said where it is, want nothing to tell")
	}
	p.begin(10)
	if next, ok := p.uncommitted(); !ok || next != 10 {
		t.Errorf("uncommitted() = %d, %v, want 10", next, ok)
	}
	p.committedAt(10)
	if _, ok := p.uncommitted(); ok {
		t.Error("uncommitted() after the commit, want nothing to tell")
	}
	p.begin(3)
	if next, ok := p.uncommitted(); !ok || next != 3 {
		t.Errorf("uncommitted() after a rewind = %d, %v, want 3", next, ok)
	}
}

func TestOnlyWhatOthersSetIsAReset(t *testing.T) {
	for name, c := range map[string]struct {
		at       int64
		metadata string
		want     bool
	}{
		"own, in step": {10, mark, false}, "own, behind after a crash": {5, mark, false}, "own, before a rewind": {50, mark, false},
		"by hand, back": {0, "", true}, "by hand, ahead": {50, "", true}, "by hand, to where it is": {10, "", false},
	} {
		var o kadm.OffsetResponse
		o.At, o.Metadata = c.at, c.metadata
		if got := reset(o, 10); got != c.want {
			t.Errorf("%s: reset() = %v, want %v", name, got, c.want)
		}
	}
}

func TestAdviceNamesWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&brokerError{"join the group", "Read on group rating", kerr.GroupAuthorizationFailed}, "grant the user of the binding kafka Read on group rating"},
		{&brokerError{"ask", "Describe on topic ratings", kerr.UnknownTopicOrPartition}, "create the topic"},
		{&brokerError{"join the group", "", kerr.InvalidSessionTimeout}, "ingest.sessionTimeout"},
		{&brokerError{"ask", "", errors.New("dial tcp: refused")}, "must be reachable"},
		{problem.NewUnavailable(nil, "the database cannot be reached"), "database of the binding mysql must be reachable"},
		{errors.New("something new"), "tried again"},
	} {
		if got := advice(c.err); !strings.Contains(got, c.want) {
			t.Errorf("advice(%v) = %q, want it to say %q", c.err, got, c.want)
		}
	}
}

func TestPartitionsAreShownWhileTheyAreHad(t *testing.T) {
	now := []measured{{partition: 3, next: 7, lag: 2, oldest: time.Second, known: true}, {partition: 4}}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(func() []measured { return now }))
	want := `
# HELP ingest_lag_records Offsets of the partition that are not in the database yet.
# TYPE ingest_lag_records gauge
ingest_lag_records{partition="3"} 2
# HELP ingest_partitions Partitions that this instance has.
# TYPE ingest_partitions gauge
ingest_partitions 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "ingest_lag_records", "ingest_partitions"); err != nil {
		t.Error(err)
	}
	now = nil
	if n, err := testutil.GatherAndCount(registry, "ingest_lag_records", "ingest_next_offset", "ingest_oldest_seconds"); err != nil || n != 0 {
		t.Errorf("%d series, %v, of partitions that are gone, want none", n, err)
	}
}
