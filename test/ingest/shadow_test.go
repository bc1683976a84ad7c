//go:build integration

package ingest_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shadow starts one whose binding gives it nothing but to read: no database, no right on the group, none to write.
func (w *world) shadow(t *testing.T, name, program string, env ...string) *consumer {
	t.Helper()
	root := t.TempDir()
	broker.User(t).MayRead(t, w.topic).MayDescribe(t, w.letters).WriteBinding(t, filepath.Join(root, "kafka"))
	c := w.startWith(t, name, program, append(env, "SERVICE_BINDING_ROOT="+root), "--ingest.shadow=true")
	c.wantReady(t)
	return c
}

// seen is what became of events, with everything that a database takes as one.
func (c *consumer) seen(t *testing.T) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	for _, outcome := range []string{"applied", "stale", "duplicate", "read"} {
		found["good"] += c.metric(t, "ingest_events_total", "outcome", outcome)
	}
	found["failed"] = c.metric(t, "ingest_events_total", "outcome", "failed")
	for _, cause := range []string{"unparsable", "invalid", "unknown_type", "unsupported_version", "expired", "panic"} {
		found[cause] = c.metric(t, "ingest_dead_letters_total", "cause", cause)
	}
	return found
}

// wantSeen waits until the instance has seen so many events.
func (c *consumer) wantSeen(t *testing.T, events float64) {
	t.Helper()
	eventually(t, patience, func(context.Context) error {
		if got := c.metric(t, "ingest_events_total"); got != events {
			return fmt.Errorf("%s has seen %v events, want %v", c.name, got, events)
		}
		return nil
	})
}

// Shadows read beside a consumer what it reads from then on, come to the same outcomes, or to those of a release that is
// broken, and leave no trace: not in the table, the positions, the dead letters, the group.
func TestShadowsLeaveNoTrace(t *testing.T) {
	w, s := newWorld(t, 4), newStream(300, 100)
	s.send(t, broker, w.topic, 3000, 0)
	w.start(t, "before").endAfter(t, func() { w.wantConsumed(t, patience) })
	c := w.start(t, "pod-1")
	c.wantReady(t)
	good, bad := w.shadow(t, "shadow", rating), w.shadow(t, "broken", rating+"-faults", "FLEET_FAULT=event=0.1")

	events := times(t, 10_000)
	s.send(t, broker, w.topic, events, 0)
	w.wantConsumed(t, patience)
	all := 1.01 * float64(events)
	for _, reader := range []*consumer{c, good, bad} {
		reader.wantSeen(t, all)
	}
	if diff := cmp.Diff(c.seen(t), good.seen(t)); diff != "" {
		t.Errorf("what a shadow saw (-consumer +shadow):\n%s", diff)
	}
	if got := bad.seen(t)["panic"]; got < 0.05*all || got > 0.15*all {
		t.Errorf("a shadow that breaks on a tenth of the events broke on %v of %v", got, all)
	}
	s.check(t, w) // the table, and the letters of the bad events, each from the consumer

	group, err := w.admin.DescribeGroups(t.Context(), w.group)
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, m := range group[w.group].Members {
		members = append(members, m.ClientID)
	}
	if !slices.Equal(members, []string{"pod-1"}) {
		t.Errorf("members of the group are %q, want the consumer alone", members)
	}
	if n := len(w.letterRecords(t, broker)); n != len(s.bad) {
		t.Errorf("%d dead letters, want the %d of the consumer", n, len(s.bad))
	}
	for _, shadow := range []*consumer{good, bad} {
		if got := []float64{shadow.metric(t, "ingest_shadow"), shadow.metric(t, "ingest_partitions"), shadow.metric(t, "ingest_rebalances_total")}; !slices.Equal(got, []float64{1, 4, 0}) {
			t.Errorf("ingest_shadow, ingest_partitions, ingest_rebalances_total of %s = %v, want 1, all 4 and 0", shadow.name, got)
		}
	}
	if got := c.metric(t, "ingest_shadow"); got != 0 {
		t.Errorf("ingest_shadow of the consumer = %v, want 0", got)
	}
}

// A shadow that hangs on a partition shows it as a consumer does: there are records, and its next offset stays.
func TestAShadowThatHangsShowsIt(t *testing.T) {
	w, s := newWorld(t, 3), newStream(100, 50)
	c := w.shadow(t, "hanging", rating+"-faults", "FLEET_FAULT=hangOn=1")
	s.send(t, broker, w.topic, 3000, 0)
	eventually(t, patience, func(context.Context) error {
		waits, rest := c.metric(t, "ingest_lag_records", "partition", "1"), c.metric(t, "ingest_lag_records")
		if waits == 0 || waits != rest {
			return fmt.Errorf("ingest_lag_records = %v of partition 1 and %v of all, want partition 1 alone to wait", waits, rest)
		}
		return nil
	})
	if got := c.metric(t, "ingest_next_offset", "partition", "1"); got != 0 {
		t.Errorf("ingest_next_offset of partition 1 = %v, want 0", got)
	}
}

// A shadow reads partitions that come, and a topic that was made anew, from their first event on.
func TestAShadowFollowsItsTopic(t *testing.T) {
	w, s := newWorld(t, 2), newStream(100, 50)
	s.send(t, broker, w.topic, 1000, 0) // before its time
	c := w.shadow(t, "shadow", rating)
	if _, err := w.admin.CreatePartitions(t.Context(), 3, w.topic); err != nil {
		t.Fatal(err)
	}
	w.wantAlong(t, c, 5)
	s.send(t, broker, w.topic, 2000, 0)
	c.wantSeen(t, 2020)
	if _, err := w.admin.DeleteTopics(t.Context(), w.topic); err != nil {
		t.Fatal(err)
	}
	broker.Topic(t, w.topic, 3)
	s.send(t, broker, w.topic, 1000, 0)
	c.wantSeen(t, 3030)
	w.wantAlong(t, c, 3)
	if positions, err := w.positions(t.Context()); err != nil || len(positions) != 0 {
		t.Errorf("positions in the database = %v, %v, want none", positions, err)
	}
}

func (w *world) wantAlong(t *testing.T, c *consumer, partitions float64) {
	t.Helper()
	eventually(t, patience, func(context.Context) error {
		if got := c.metric(t, "ingest_partitions"); got != partitions {
			return fmt.Errorf("%s has %v partitions, want all %v", c.name, got, partitions)
		}
		return nil
	})
}
