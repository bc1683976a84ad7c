package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/rating/internal/controller"
	"movieexample.com/fleet/services/rating/internal/deadletter"
	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a memory repository that may fail before it stores.
type store struct {
	*memory.Repository

	fail  func(writes []model.Write) error
	spans [][2]int64 // stored
}

func (s *store) Ingest(ctx context.Context, span model.Span, writes []model.Write, now time.Time) ([]model.Outcome, error) {
	if s.fail != nil {
		if err := s.fail(writes); err != nil {
			return nil, err
		}
	}
	outcomes, err := s.Repository.Ingest(ctx, span, writes, now)
	if err == nil {
		s.spans = append(s.spans, [2]int64{span.From, span.Next})
	}
	return outcomes, err
}

// box keeps dead letters; refuse is asked first.
type box struct {
	refuse func(*kgo.Record) error
	got    []*kgo.Record
	purged int
}

func (b *box) ProduceSync(_ context.Context, records ...*kgo.Record) kgo.ProduceResults {
	var results kgo.ProduceResults
	for _, r := range records {
		var err error
		if b.refuse != nil {
			err = b.refuse(r)
		}
		if err == nil {
			b.got = append(b.got, r)
		}
		results = append(results, kgo.ProduceResult{Record: r, Err: err})
	}
	return results
}

func (b *box) PurgeTopicsFromProducing(...string) { b.purged++ }

// causes are the dead letters' by the offsets of their events.
func (b *box) causes(t *testing.T) map[int64]string {
	t.Helper()
	found := map[int64]string{}
	for _, r := range b.got {
		letter, err := deadletter.Read(r)
		if err != nil {
			t.Fatal(err)
		}
		found[letter.Event.Offset] = letter.Cause
	}
	return found
}

// work is a partition at offset 100 with a store and a box of its own.
func work(t *testing.T) (*partition, *store, *box) {
	t.Helper()
	s, b := &store{Repository: memory.New()}, &box{}
	c := New(Options{
		Topic: "ratings", Group: "rating", DeadLetters: "ratings.dlq", Store: s, Now: time.Now, BatchEvents: 10, Fault: func(context.Context, int32) error { return nil },
		Rules:   controller.Rules{RecordTypes: []string{"movie"}, Retention: controller.DefaultRetention},
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Traces: noop.NewTracerProvider(),
	})
	p := newPartition(&member{Consumer: c, letters: b, hard: t.Context()}, model.Source{Group: "rating", Topic: "ratings", Partition: 3})
	t.Cleanup(p.giveUp)
	if _, err := s.Begin(t.Context(), p.source, 100); err != nil {
		t.Fatal(err)
	}
	return p, s, b
}

func put(offset int64, user string) *kgo.Record {
	return record(offset, fmt.Sprintf(
		`{"version":2,"eventId":"e","eventType":"put","userId":%q,"recordId":"1","recordType":"movie","value":4,"occurredAt":%q}`,
		user, time.Now().UTC().Format(time.RFC3339)))
}

func record(offset int64, value string) *kgo.Record {
	return &kgo.Record{Topic: "ratings", Partition: 3, Offset: offset, Timestamp: time.Now(), Key: []byte("movie/1"), Value: []byte(value)}
}

func (p *partition) count(outcome string) float64 {
	return testutil.ToFloat64(p.metrics.events.WithLabelValues(outcome))
}

func TestABadEventIsADeadLetterAndTheOthersAreStored(t *testing.T) {
	p, s, b := work(t)
	next, err := p.take(100, []*kgo.Record{
		put(100, "ann"), record(101, "{"), record(102, `{"eventType":"like","recordType":"movie"}`), record(103, `{"version":9}`),
		record(105, `{"version":2,"eventId":"e","eventType":"put","userId":"bob","recordId":"1","recordType":"movie","value":4,"occurredAt":"2020-01-01T00:00:00Z"}`),
		record(106, `{"eventType":"put","userId":"bob","recordId":"1","recordType":"book","value":4}`), put(109, "bob"),
	})
	if err != nil || next != 110 {
		t.Errorf("take() = %d, %v, want 110", next, err)
	}
	want := map[int64]string{101: "unparsable", 102: "unknown_type", 103: "unsupported_version", 105: "expired", 106: "invalid"}
	if diff := cmp.Diff(want, b.causes(t)); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][2]int64{{100, 110}}, s.spans); diff != "" {
		t.Errorf("stored spans (-want +got):\n%s", diff)
	}
	if got, _ := s.Aggregate(t.Context(), model.Record{Type: "movie", ID: "1"}); got.Count != 2 {
		t.Errorf("Aggregate() = %v, want the 2 good ratings", got)
	}
	if p.count(outcomeApplied) != 2 || p.count(outcomeDeadLettered) != 5 || p.count(outcomeFailed) != 0 {
		t.Error("want 2 events applied, 5 dead-lettered, none failed")
	}
}

// An event without a time occurred when it came to Kafka.
func TestAnEventWithoutATimeOccurredWhenItCame(t *testing.T) {
	p, _, b := work(t)
	r := record(100, `{"eventType":"put","userId":"bob","recordId":"1","recordType":1,"value":4}`)
	r.Timestamp = time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	write, cause, err := p.judgeOne(r)
	if err != nil || !write.OccurredAt.Equal(r.Timestamp) {
		t.Errorf("judgeOne() = %v, %s, %v, want it to have occurred at %v; dead letters %v", write, cause, err, r.Timestamp, b.got)
	}
}

// What breaks on an event before it is stored harms no other.
func TestAFaultyEventIsADeadLetter(t *testing.T) {
	for name, fault := range map[string]Fault{
		"error": func(context.Context, int32) error { return errors.New("a fault") },
		"panic": func(context.Context, int32) error { panic("a bug") },
	} {
		p, s, b := work(t)
		n := 0
		p.Fault = func(ctx context.Context, partition int32) error {
			if n++; n == 2 {
				return fault(ctx, partition)
			}
			return nil
		}
		_, err := p.take(100, []*kgo.Record{put(100, "ann"), put(101, "bob"), put(102, "eve")})
		if diff := cmp.Diff(map[int64]string{101: deadletter.CausePanic}, b.causes(t)); err != nil || diff != "" || len(s.spans) != 1 {
			t.Errorf("%s: take() = %v, stored %v, dead letters (-want +got):\n%s", name, err, s.spans, diff)
		}
	}
}

// Whatever event breaks a batch, by a panic or by a value that the database does not take, is found; the others are stored.
func TestAPoisonousEventIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		broken func() error
		cause  string
	}{
		"panic":    {func() error { panic("a bug") }, deadletter.CausePanic},
		"bad data": {func() error { return fmt.Errorf("ingest: %w", &mysql.MySQLError{Number: 1406}) }, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			p, s, b := work(t)
			s.fail = func(writes []model.Write) error {
				if slices.ContainsFunc(writes, func(w model.Write) bool { return w.Key.UserID == "poison" }) {
					return c.broken()
				}
				return nil
			}
			var records []*kgo.Record
			for offset := range int64(9) {
				records = append(records, put(100+2*offset, fmt.Sprint("user-", offset)))
			}
			records[4] = put(108, "poison")
			if next, err := p.take(100, records); err != nil || next != 117 {
				t.Errorf("take() = %d, %v, want 117", next, err)
			}
			if diff := cmp.Diff(map[int64]string{108: c.cause}, b.causes(t)); diff != "" {
				t.Errorf("dead letters (-want +got):\n%s", diff)
			}
			at := int64(100)
			for _, span := range s.spans {
				if span[0] != at {
					t.Errorf("stored spans %v, want each to begin where the one before it ends", s.spans)
				}
				at = span[1]
			}
			if got := p.count(outcomeApplied); got != 8 {
				t.Errorf("%v events applied, want 8", got)
			}
		})
	}
}

// What time may heal is tried until it is healed, with longer and longer pauses, and is never a dead letter.
func TestATransientFailureIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, b := work(t)
		var at []time.Time
		s.fail = func([]model.Write) error {
			if at = append(at, time.Now()); len(at) < 20 {
				return problem.NewUnavailable(errors.New("gone"), "the database cannot be reached")
			}
			return nil
		}
		if next, err := p.take(100, []*kgo.Record{put(100, "ann"), record(101, "{")}); err != nil || next != 102 {
			t.Errorf("take() = %d, %v, want 102", next, err)
		}
		if first, last := at[1].Sub(at[0]), at[19].Sub(at[18]); first > shortestPause || last < longestPause/2 || last > longestPause {
			t.Errorf("pauses grew from %v to %v, want up to %v and then up to %v", first, last, shortestPause, longestPause)
		}
		if p.count(outcomeFailed) != 38 || p.count(outcomeApplied) != 1 || p.count(outcomeDeadLettered) != 1 {
			t.Errorf("%v events failed, want both of 19 tries", p.count(outcomeFailed))
		}
		if len(b.got) != 1 {
			t.Errorf("%d dead letters, want the one to be written once", len(b.got))
		}
	})
}

// The position does not pass a dead letter that is not written.
func TestNothingIsStoredBeforeItsDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, b := work(t)
		tries := 0
		b.refuse = func(*kgo.Record) error {
			if len(s.spans) > 0 {
				t.Error("the position has moved, want it to wait for the dead letter")
			}
			if tries++; tries < 5 {
				return kerr.UnknownTopicOrPartition
			}
			return nil
		}
		if _, err := p.take(100, []*kgo.Record{record(100, "{"), put(101, "ann")}); err != nil {
			t.Errorf("take() = %v", err)
		}
		if b.purged != 4 || len(b.got) != 1 || p.count(outcomeFailed) != 8 {
			t.Errorf("topic forgotten %d times, %d letters, %v failed, want 4, 1 and 8", b.purged, len(b.got), p.count(outcomeFailed))
		}
	})
}

func TestALetterThatIsTooLargeLeavesItsValueOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, b := work(t)
		b.refuse = func(r *kgo.Record) error {
			if len(r.Value) > 1000 {
				return kerr.MessageTooLarge
			}
			return nil
		}
		if next, err := p.take(100, []*kgo.Record{record(100, "{"+string(make([]byte, 2000)))}); err != nil || next != 101 {
			t.Errorf("take() = %d, %v, want 101", next, err)
		}
		letter, err := deadletter.Read(b.got[0])
		if err != nil || letter.Omitted != 2001 || letter.Event.Offset != 100 {
			t.Errorf("letter = %+v, %v, want one that names its event and how much was left out", letter, err)
		}
	})
}

// Whoever has lost the partition stores nothing and does not try again.
func TestABatchOfAMovedPartitionIsGivenUp(t *testing.T) {
	p, s, _ := work(t)
	if err := s.Rewind(t.Context(), p.source, 500); err != nil {
		t.Fatal(err)
	}
	if next, err := p.take(100, []*kgo.Record{put(100, "ann")}); !errors.Is(err, model.ErrMoved) || next != 100 {
		t.Errorf("take() = %d, %v, want ErrMoved", next, err)
	}
	if got, _ := s.Aggregate(t.Context(), model.Record{Type: "movie", ID: "1"}); got.Count != 0 {
		t.Errorf("Aggregate() = %v, want nothing stored", got)
	}
}

// Who waits for events learns that the partition was rewound.
func TestARewindIsNoticedWhileNothingComes(t *testing.T) {
	p, s, _ := work(t)
	if err := p.confirm(100); err != nil {
		t.Errorf("confirm() = %v, want the position to hold", err)
	}
	if err := s.Rewind(t.Context(), p.source, 0); err != nil {
		t.Fatal(err)
	}
	if err := p.confirm(100); !errors.Is(err, model.ErrMoved) {
		t.Errorf("confirm() after a rewind = %v, want ErrMoved", err)
	}
}

// A partition that is given back while its batch waits for the database is given back at once, and nothing of it is stored.
func TestARevokedPartitionDoesNotWaitForTheDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, _ := work(t)
		s.fail = func([]model.Write) error { return problem.NewUnavailable(nil, "the database cannot be reached") }
		began := time.Now()
		time.AfterFunc(time.Minute, p.end)
		if _, err := p.take(100, []*kgo.Record{put(100, "ann")}); !errors.Is(err, context.Canceled) {
			t.Errorf("take() = %v, want the end of the partition's life", err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("take() returned after %v, want it as soon as the partition is revoked", took)
		}
	})
}
