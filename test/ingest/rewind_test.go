//go:build integration

package ingest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// What a bad release has buried is read once more by the good one from where the bad one began, on its partitions and on no
// other, and the table has every event.
func TestABadRevisionIsRewound(t *testing.T) {
	w, s := newWorld(t, 4), newStream(200, 100)
	good := w.startWith(t, "good", rating, []string{"FLEET_REVISION=good"})
	s.send(t, broker, w.topic, 2000, 0)
	w.wantConsumed(t, patience)
	trial := time.Now().UTC().Format(time.RFC3339)
	bad := w.startWith(t, "bad", rating+"-faults", []string{"FLEET_REVISION=bad", "FLEET_FAULT=event=0.1"})
	bad.wantPartitions(t, 2)
	began, err := w.positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.send(t, broker, w.topic, 8000, 0)
	w.wantConsumed(t, patience)
	bad.end(t)
	good.wantPartitions(t, 4)
	s.send(t, broker, w.topic, 500, 0)
	w.wantConsumed(t, patience)
	panicked := w.panicked(t)
	if len(panicked) != 2 {
		t.Fatalf("good events of partitions %v were buried, want the bad one's two", panicked)
	}

	w.wantRefused(t, "those that have read it are bad, good", "rewind", "--revision", "worse", "--while-consumed", "--yes")
	w.wantRefused(t, "revision bad since 2100-01-01T00:00:00Z has begun with no such partition", "rewind", "--revision", "bad",
		"--since", "2100-01-01T00:00:00Z", "--while-consumed", "--yes")
	w.wantRun(t, "revision worse has begun with no such partition", "rewind", "--revision", "worse", "--if-begun", "--while-consumed", "--yes")
	w.wantRefused(t, "--to and --revision say two things", "rewind", "--revision", "bad", "--to", "earliest")
	w.wantRefused(t, "--since goes with --revision", "rewind", "--since", trial, "--to", "earliest")
	w.wantRefused(t, "1 consumers are at work (good)", "rewind", "--revision", "bad", "--since", trial, "--yes")
	report := filepath.Join(t.TempDir(), "report")
	rewind := []string{"rewind", "--revision", "bad", "--since", trial, "--while-consumed", "--yes", "--report", report}
	at, err := w.positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, p := range panicked {
		fmt.Fprintf(&want, "partition %d: %d → %d\n", p, at[p], began[p])
	}
	w.wantExactly(t, fmt.Sprintf("%smoved 2 partitions of group %s\n", &want, w.group), rewind...)
	told := fmt.Sprintf("partitions %d from %d, %d from %d are read again", panicked[0], began[panicked[0]], panicked[1], began[panicked[1]])
	if text, err := os.ReadFile(report); err != nil || string(text) != told {
		t.Errorf("report = %q, %v, want %q", text, err, told)
	}
	w.wantConsumed(t, patience)
	s.checkRows(t, w)
	s.checkAggregates(t, w)

	w.removeBefore(t, panicked[0], began[panicked[0]]+10)
	w.wantRun(t, fmt.Sprintf("→ %d (the topic has the 10 offsets before it no more)", began[panicked[0]]+10), rewind...)
	w.wantConsumed(t, patience)
	s.checkRows(t, w)
}

// panicked are the partitions with good events that a release broke on.
func (w *world) panicked(t *testing.T) []int32 {
	t.Helper()
	var list []int32
	for at, cause := range w.buried(t, broker) {
		if cause == "panic" {
			list = append(list, at.partition)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (c *consumer) wantPartitions(t *testing.T, n float64) {
	t.Helper()
	eventually(t, patience, func(context.Context) error {
		if got := c.metric(t, "ingest_partitions"); got != n {
			return fmt.Errorf("%s has %v partitions, want %v", c.name, got, n)
		}
		return nil
	})
}

func (w *world) wantExactly(t *testing.T, want string, args ...string) {
	t.Helper()
	if out, err := w.run(t, args...); err != nil || out != want {
		t.Fatalf("rating %s = %v, %q, want %q", strings.Join(args, " "), err, out, want)
	}
}

// removeBefore is what retention does.
func (w *world) removeBefore(t *testing.T, partition int32, offset int64) {
	t.Helper()
	offsets := kadm.Offsets{}
	offsets.AddOffset(w.topic, partition, offset, -1)
	if answers, err := w.admin.DeleteRecords(t.Context(), offsets); err != nil || answers.Error() != nil {
		t.Fatalf("DeleteRecords = %v, %v, want nil", err, answers.Error())
	}
}
