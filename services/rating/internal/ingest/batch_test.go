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
	p := newPartition(&member{Consumer: c, letters: b, alone: b, hard: t.Context()}, model.Source{Group: "rating", Topic: "ratings", Partition: 3})
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
	return testutil.ToFloat64(p.metrics.counts(p.source.Partition).WithLabelValues(outcome))
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
		if p.count(outcomeFailed) != 2 || p.count(outcomeApplied) != 1 || p.count(outcomeDeadLettered) != 1 {
			t.Errorf("%v events failed in 19 tries, want each counted once", p.count(outcomeFailed))
		}
		if len(b.got) != 1 {
			t.Errorf("%d dead letters, want the one to be written once", len(b.got))
		}
	})
}

// An event that has failed is not counted anew when its batch is split, and its halves fail too.
func TestASplitBatchCountsNoFailureTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, _ := work(t)
		tries := 0
		s.fail = func(writes []model.Write) error {
			switch tries++; {
			case tries%2 == 1:
				return problem.NewUnavailable(errors.New("gone"), "the database cannot be reached")
			case slices.ContainsFunc(writes, func(w model.Write) bool { return w.Key.UserID == "poison" }):
				return &mysql.MySQLError{Number: 1406}
			}
			return nil
		}
		records := []*kgo.Record{put(100, "ann"), put(101, "poison"), put(102, "bob"), put(103, "eve")}
		if next, err := p.take(100, records); err != nil || next != 104 {
			t.Errorf("take() = %d, %v, want 104", next, err)
		}
		if p.count(outcomeFailed) != 4 || p.count(outcomeApplied) != 3 || p.count(outcomeDeadLettered) != 1 {
			t.Errorf("%v failed, %v applied, %v dead-lettered in %d tries, want 4, 3 and 1", p.count(outcomeFailed), p.count(outcomeApplied), p.count(outcomeDeadLettered), tries)
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
		if b.purged != 8 || len(b.got) != 1 || p.count(outcomeFailed) != 2 {
			t.Errorf("topic forgotten %d times, %d letters, %v failed, want 8 (by both outlets), 1 and both events", b.purged, len(b.got), p.count(outcomeFailed))
		}
	})
}

// A letter that is too large leaves out what it must, at once, and no other event is the worse for it.
func TestALetterThatIsTooLargeLeavesOutWhatItMust(t *testing.T) {
	large := make([]byte, 2000)
	for name, c := range map[string]struct {
		bad     *kgo.Record
		omitted int
	}{
		"value":  {&kgo.Record{Value: large, Key: []byte("1")}, 2000},
		"header": {&kgo.Record{Value: []byte("{"), Key: []byte("1"), Headers: []kgo.RecordHeader{{Key: "more", Value: large}}}, 2006},
		"key":    {&kgo.Record{Key: large}, 2000},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, b := work(t)
			b.refuse = func(r *kgo.Record) error {
				size := len(r.Key) + len(r.Value)
				for _, h := range r.Headers {
					size += len(h.Value)
				}
				if size > 1000 {
					return kerr.MessageTooLarge
				}
				return nil
			}
			c.bad.Topic, c.bad.Partition, c.bad.Offset, c.bad.Timestamp = "ratings", 3, 100, time.Now()
			if next, err := p.take(100, []*kgo.Record{c.bad, put(101, "ann")}); err != nil || next != 102 || p.count(outcomeFailed) != 0 {
				t.Errorf("take() = %d, %v, %v failed, want 102 and none", next, err, p.count(outcomeFailed))
			}
			letter, err := deadletter.Read(b.got[0])
			if err != nil || letter.Omitted != c.omitted || letter.Event.Offset != 100 {
				t.Errorf("letter = %+v, %v, want one that names its event and that %d bytes were left out", letter, err, c.omitted)
			}
		})
	}
}

// crowd refuses letters that are sent together.
type crowd struct{ box }

func (c *crowd) ProduceSync(ctx context.Context, records ...*kgo.Record) kgo.ProduceResults {
	if len(records) == 1 {
		return c.box.ProduceSync(ctx, records...)
	}
	var results kgo.ProduceResults
	for _, r := range records {
		results = append(results, kgo.ProduceResult{Record: r, Err: kerr.MessageTooLarge})
	}
	return results
}

// Letters that are too large only together keep their values.
func TestManyLettersKeepTheirValues(t *testing.T) {
	p, _, _ := work(t)
	b := &crowd{}
	p.letters, p.alone = b, b
	if _, err := p.take(100, []*kgo.Record{record(100, "{"), record(101, "{"), record(102, "{")}); err != nil {
		t.Errorf("take() = %v, want no error", err)
	}
	for _, r := range b.got {
		if string(r.Value) != "{" {
			t.Errorf("letter %v has the value %q, want the event's", r.Headers, r.Value)
		}
	}
	if len(b.got) != 3 || p.count(outcomeFailed) != 0 {
		t.Errorf("%d letters, %v failed, want 3 and none", len(b.got), p.count(outcomeFailed))
	}
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

// A database that came back is waited for no longer, though no event comes that could be stored.
func TestAnOutageWithoutEventsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, _ := work(t)
		p.note(problem.NewUnavailable(nil, "the database cannot be reached"))
		time.Sleep(lingers + time.Second)
		if !p.trouble.away.waits(forDatabase) {
			t.Error("waits(database) = false while it is away, want true")
		}
		if _, err := p.begin(); err != nil {
			t.Fatal(err)
		}
		if p.trouble.away.waits(forDatabase) {
			t.Error("waits(database) = true after the partition began anew, want false")
		}
	})
}

// What the client tells of a topic by itself is no other topic.
func TestWhatTheClientTellsIsHeard(t *testing.T) {
	r := &reader{source: model.Source{Topic: "ratings", TopicID: [16]byte{1}}}
	fetched := func(id [16]byte, err error) kgo.Fetches {
		return kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "ratings", TopicID: id, Partitions: []kgo.FetchPartition{{Err: err}}}}}}
	}
	_, _, err := r.sort(fetched([16]byte{}, &kgo.ErrDataLoss{ResetTo: 7}))
	if loss, ok := errors.AsType[*kgo.ErrDataLoss](err); !ok || loss.ResetTo != 7 {
		t.Errorf("sort() = %v, want the loss", err)
	}
	if _, _, err := r.sort(fetched([16]byte{2}, nil)); !errors.Is(err, errRecreated) {
		t.Errorf("sort() of another topic's events = %v, want that it was made anew", err)
	}
}

// Where a broker has lost events that were consumed, those that came in their place are read; a loss beyond that moves nothing.
func TestEventsInPlaceOfLostOnesAreRead(t *testing.T) {
	for to, want := range map[int64]int64{90: 90, 100: 100, 120: 100} {
		p, s, _ := work(t)
		if err := p.goBack(100, to); !errors.Is(err, errAgain) {
			t.Errorf("goBack(100, %d) = %v, want to begin anew", to, err)
		}
		if next, _, err := s.Position(t.Context(), p.source); err != nil || next != want {
			t.Errorf("Position() after goBack(100, %d) = %d, %v, want %d", to, next, err, want)
		}
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
