//go:build integration

package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/trace/noop"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/events/eventstest"
	"movieexample.com/fleet/services/internal/events/kafka"
	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/internal/storage/storagetest"
	"movieexample.com/fleet/test/parts"
)

//nolint:gochecknoglobals // one of each for the tests of this package
var (
	server *parts.MariaDB
	broker *parts.Kafka
)

func TestMain(m *testing.M) {
	os.Exit(parts.WithMariaDB(func(s *parts.MariaDB) int {
		server = s
		return parts.WithKafka(func(k *parts.Kafka) int { broker = k; return m.Run() })
	}))
}

var start = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)

func newDatabase(t *testing.T) *sql.DB {
	t.Helper()
	return storagetest.Migrated(t, server, os.DirFS("testdata"))
}

func change(n int) outbox.Change {
	return outbox.Change{
		Type: "rating.put", Record: events.Record("movie", fmt.Sprint(n%5)), Subject: fmt.Sprint("user", n),
		After: map[string]int{"n": n}, Time: start,
	}
}

// add makes changes one after another.
func add(t *testing.T, db *sql.DB, o *outbox.Outbox, changes ...outbox.Change) {
	t.Helper()
	for _, c := range changes {
		err := storage.InTx(t.Context(), db, func(ctx context.Context, tx *sql.Tx) error { return o.Add(ctx, tx, c) })
		if err != nil {
			t.Fatal(err)
		}
		o.Committed()
	}
}

func changes(from, to int) []outbox.Change {
	list := make([]outbox.Change, 0, to-from)
	for n := from; n < to; n++ {
		list = append(list, change(n))
	}
	return list
}

// relay runs until the function it returns is called, or the test ends.
func relay(t *testing.T, db *sql.DB, o *outbox.Outbox, p events.Publisher, retention time.Duration) (registry *prometheus.Registry, stop func()) {
	t.Helper()
	registry = prometheus.NewRegistry()
	r := outbox.NewRelay(db, o, p, retention, registry, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil after its context ended", err)
		}
	})
	t.Cleanup(stop)
	return registry, stop
}

// recorder notes what is published; before may refuse it.
type recorder struct {
	mu     sync.Mutex
	got    []events.Event
	before func([]events.Event) error
}

func (r *recorder) Publish(_ context.Context, list []events.Event) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.before != nil {
		if err := r.before(list); err != nil {
			return nil, err
		}
	}
	r.got = append(r.got, list...)
	return events.Stored(list, func(int) bool { return false }), nil
}

func (r *recorder) published() []events.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]events.Event{}, r.got...)
}

// wantStates waits until the events of each record have come in the order of n, each at least once. Repeats do not count:
// what was published and not marked when the database went away comes again before what is new.
func (r *recorder) wantStates(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() error {
		if list := r.published(); !eventstest.AtLeast(n)(list) {
			return fmt.Errorf("%d events published, want %d different ones", len(list), n)
		}
		return nil
	})
	wantInOrder(t, r.published(), n)
}

func wantInOrder(t *testing.T, list []events.Event, n int) {
	t.Helper()
	got, want := map[string][]string{}, map[string][]string{}
	for record, sorted := range eventstest.ByRecord(list) {
		for _, e := range sorted {
			got[record] = append(got[record], string(e.After))
		}
	}
	for i := range n {
		record := change(i).Record
		want[record] = append(want[record], fmt.Sprintf(`{"n":%d}`, i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states by record (-want +published):\n%s", diff)
	}
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // servers give no signal that could be waited for
	}
}

func wantCount(t *testing.T, db *sql.DB, where string, want int) {
	t.Helper()
	eventually(t, func() error {
		var got int
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM outbox WHERE "+where).Scan(&got); err != nil || got != want {
			return fmt.Errorf("%d rows where %s, %w, want %d", got, where, err, want)
		}
		return nil
	})
}

func TestStatements(t *testing.T) {
	storagetest.Prepare(t, newDatabase(t), "queries.go")
}

func TestEventIsThereWithItsChangeOnly(t *testing.T) {
	db, p := newDatabase(t), &recorder{}
	o := outbox.New()
	err := storage.InTx(t.Context(), db, func(ctx context.Context, tx *sql.Tx) error {
		return errors.Join(o.Add(ctx, tx, change(0)), errors.New("the change failed"))
	})
	if err == nil {
		t.Fatal("InTx = nil, want the error")
	}
	c := outbox.Change{
		Type: "rating.delete", Record: "movie/tt1", Subject: "bob", Before: map[string]any{"value": 4, "note": `Zoë "quoted"`}, Time: start,
	}
	add(t, db, o, c)
	relay(t, db, o, p, time.Hour)
	eventually(t, func() error {
		if len(p.published()) == 0 {
			return errors.New("nothing published")
		}
		return nil
	})
	want := []events.Event{{
		Type: "rating.delete", Record: "movie/tt1", Before: []byte(`{"note":"Zoë \"quoted\"","value":4}`), Time: start,
	}}
	if diff := cmp.Diff(want, p.published(), cmpopts.IgnoreFields(events.Event{}, "ID")); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

func TestNobodyIsTold(t *testing.T) {
	db := newDatabase(t)
	add(t, db, nil, change(0))
	wantCount(t, db, "TRUE", 0)
}

// Many instances, writers at once and failures in between: nothing is lost, and records keep their order. What was published
// may be published again: its mark is lost where a connection to the database is.
func TestManyInstances(t *testing.T) {
	db := newDatabase(t)
	p := &recorder{}
	calls := 0
	p.before = func([]events.Event) error {
		if calls++; calls%3 == 0 {
			return errors.New("refused")
		}
		return nil
	}
	const writers, each = 4, 300
	outboxes := []*outbox.Outbox{outbox.New(), outbox.New(), outbox.New()}
	for _, o := range outboxes {
		relay(t, db, o, p, time.Hour)
	}
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				c := change(i)
				c.Record = events.Record("movie", fmt.Sprint(w))
				add(t, db, outboxes[w%len(outboxes)], c)
			}
		})
	}
	group.Wait()
	wantCount(t, db, "publish_time IS NULL", 0)
	for record, list := range eventstest.ByRecord(p.published()) {
		for i, e := range list {
			if string(e.After) != fmt.Sprintf(`{"n":%d}`, i) {
				t.Fatalf("event %d of %s = %s, want n = %d", i, record, e.After, i)
			}
		}
		if len(list) != each {
			t.Errorf("%d events of %s, want %d", len(list), record, each)
		}
	}
}

// The connection is lost between publishing and marking, as when the process is killed there: the batch comes once more.
func TestKilledBetweenPublishAndMark(t *testing.T) {
	db := newDatabase(t)
	o := outbox.New()
	p := &recorder{}
	add(t, db, o, changes(0, 10)...)
	first := true
	p.before = func([]events.Event) error {
		if !first {
			return nil
		}
		first = false // what is published now is stored, but not marked
		if err := killRelay(t.Context(), db); err != nil {
			t.Error(err)
		}
		return nil
	}
	relay(t, db, o, p, time.Hour)
	wantCount(t, db, "publish_time IS NOT NULL", 10)
	p.wantStates(t, 10)
	if got := len(p.published()); got <= 10 {
		t.Errorf("%d events published, want some twice", got)
	}
}

// killRelay ends the connection that holds the relay's lock.
func killRelay(ctx context.Context, db *sql.DB) error {
	var id int64
	err := db.QueryRowContext(ctx, "SELECT IS_USED_LOCK(CONCAT('fleet-outbox-', LEFT(SHA2(DATABASE(), 256), 32)))").Scan(&id)
	if err != nil {
		return fmt.Errorf("who has the relay's lock: %w", err)
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("KILL CONNECTION %d", id))
	return err
}

// An event that cannot be published holds back its record's later ones, and no other record's.
func TestOneRecordIsRefused(t *testing.T) {
	db, p := newDatabase(t), &recorder{}
	o := outbox.New()
	_, stop := relay(t, db, o, refusing{p, "movie/1"}, time.Hour)
	add(t, db, o, changes(0, 20)...)
	wantCount(t, db, "publish_time IS NOT NULL", 16)
	wantCount(t, db, "publish_time IS NULL AND record = 'movie/1'", 4)
	stop()
	relay(t, db, o, p, time.Hour)
	p.wantStates(t, 20)
}

// refusing does not take events of one record.
type refusing struct {
	next   events.Publisher
	record string
}

func (r refusing) Publish(ctx context.Context, list []events.Event) ([]string, error) {
	var taken []events.Event
	for _, e := range list {
		if e.Record != r.record {
			taken = append(taken, e)
		}
	}
	if stored, err := r.next.Publish(ctx, taken); err != nil || len(taken) == len(list) {
		return stored, err
	}
	return events.Stored(taken, func(int) bool { return false }), errors.New("too large")
}

func TestRetentionAndErasure(t *testing.T) {
	db, p := newDatabase(t), &recorder{}
	o := outbox.New()
	add(t, db, o, changes(0, 3)...)
	var told []string
	err := outbox.About(t.Context(), db, "user1", func(e outbox.Told) error {
		told = append(told, fmt.Sprint(e.Record, " ", string(e.After), " ", e.Published))
		return nil
	})
	if diff := cmp.Diff([]string{`movie/1 {"n":1} <nil>`}, told); err != nil || diff != "" {
		t.Errorf("About = %v (-want +got):\n%s", err, diff)
	}
	for i, want := range []int64{1, 0} {
		before, countErr := outbox.CountAbout(t.Context(), db, "user1")
		if n, err := outbox.Erase(t.Context(), db, "user1"); countErr != nil || err != nil || n != want || before != want {
			t.Errorf("time %d: CountAbout, Erase = %d, %d, %v, want %d", i+1, before, n, errors.Join(countErr, err), want)
		}
	}
	wantCount(t, db, "actor = '' AND subject = '' AND before_state IS NULL AND after_state IS NULL AND record = 'movie/1'", 1)
	if _, err := db.ExecContext(t.Context(), "UPDATE outbox SET publish_time = UTC_TIMESTAMP(6) - INTERVAL 2 HOUR WHERE record = 'movie/0'"); err != nil {
		t.Fatal(err)
	}
	relay(t, db, o, p, time.Hour)
	wantCount(t, db, "record = 'movie/0'", 0)
	wantCount(t, db, "publish_time IS NOT NULL", 2)
}

// Kafka is away for a while: writes go on, the backlog shows, and all of it arrives.
func TestKafkaIsAway(t *testing.T) {
	topic := broker.Name("changes")
	broker.Topic(t, topic, 3)
	user := broker.User(t).MayWrite(t, topic).MayRead(t, topic)
	dir := user.Binding(t)
	read := func() (binding.Kafka, error) { return binding.ReadKafka(dir) }
	p := kafka.NewPublisher(read, "test", topic, noop.NewTracerProvider())
	t.Cleanup(p.Close)
	s := kafka.NewSubscriber(read, "test", topic, time.Now(), kafka.Options{
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Traces: noop.NewTracerProvider(),
	})
	until := eventstest.Receive(t, s)

	db := newDatabase(t)
	o := outbox.New()
	registry, _ := relay(t, db, o, p, time.Hour)
	add(t, db, o, changes(0, 100)...)
	until(eventstest.AtLeast(100))
	wantCount(t, db, "publish_time IS NULL", 0) // the relay knows too: what is marked no more is published again

	if err := broker.Kill(); err != nil {
		t.Fatal(err)
	}
	add(t, db, o, changes(100, 700)...) // nobody who writes waits for Kafka
	eventually(t, func() error {
		return testutil.GatherAndCompare(registry, strings.NewReader("# HELP outbox_backlog Changes in the database that wait to be "+
			"published, counted up to 100000; all instances tell the same.\n# TYPE outbox_backlog gauge\noutbox_backlog 600\n"), "outbox_backlog")
	})
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	wantInOrder(t, until(eventstest.AtLeast(700)), 700)
	wantCount(t, db, "publish_time IS NULL", 0)
}

// A database that goes away and comes back needs nobody's help.
func TestDatabaseIsAway(t *testing.T) {
	db, p := newDatabase(t), &recorder{}
	o := outbox.New()
	relay(t, db, o, p, time.Hour)
	add(t, db, o, changes(0, 10)...)
	p.wantStates(t, 10)
	if err := errors.Join(server.Stop(), server.Start()); err != nil {
		t.Fatal(err)
	}
	eventually(t, db.Ping)
	add(t, db, o, changes(10, 20)...)
	p.wantStates(t, 20)
}
