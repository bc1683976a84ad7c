//go:build integration

package ingest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/test/parts"
)

// key is one user's place at one record.
type key struct{ record, user string }

// row is what the database must hold: rank is the value, or 6 for a deletion, so that the greatest (at, rank) is the last
// word whatever the order in which events come.
type row struct {
	at   time.Time
	rank int
}

const deleted = 6

// site is where an event stands.
type site struct {
	partition int32
	offset    int64
}

// stream makes events, and knows what must become of them.
type stream struct {
	random  *rand.Rand
	records int
	users   int
	begin   time.Time
	pad     string // makes each event larger

	want map[key]row

	mu  sync.Mutex
	bad map[site]string // dead letters that must be there, with their causes
}

func newStream(records, users int) *stream {
	return &stream{
		random: rand.New(rand.NewPCG(7, 11)), records: records, users: users, begin: time.Now().Add(-time.Hour).Truncate(time.Second).UTC(),
		want: map[key]row{}, bad: map[site]string{},
	}
}

// poison are events that can never be taken, by their causes.
func poison() map[string]string {
	return map[string]string{
		"unparsable":          `{"version":2,`,
		"invalid":             `{"version":2,"eventId":"x","eventType":"put","userId":"1","recordId":"1","recordType":"movie","value":9,"occurredAt":"2026-11-21T10:00:00Z"}`,
		"unknown_type":        `{"version":2,"eventId":"x","eventType":"like","userId":"1","recordId":"1","recordType":"movie","occurredAt":"2026-11-21T10:00:00Z"}`,
		"unsupported_version": `{"version":3,"eventId":"x","eventType":"put","userId":"1","recordId":"1","recordType":"movie","value":4}`,
		"expired":             `{"version":2,"eventId":"x","eventType":"put","userId":"1","recordId":"1","recordType":"movie","value":4,"occurredAt":"2020-01-01T00:00:00Z"}`,
	}
}

// next is an event and its cause if it is a bad one. One in a thousand is.
func (s *stream) next(n int) (record *kgo.Record, cause string) {
	if n%1000 == 999 {
		causes := []string{"unparsable", "invalid", "unknown_type", "unsupported_version", "expired"}
		cause = causes[n/1000%len(causes)]
		return &kgo.Record{Key: fmt.Appendf(nil, "movie/%d", s.random.IntN(s.records)), Value: []byte(poison()[cause])}, cause
	}
	k := key{fmt.Sprint(s.random.IntN(s.records)), fmt.Sprint(s.random.IntN(s.users))}
	r := row{at: s.begin.Add(time.Duration(s.random.IntN(3600_000)) * time.Millisecond), rank: 1 + s.random.IntN(5)}
	if s.random.IntN(20) == 0 {
		r.rank = deleted
	}
	s.apply(k, r)
	return &kgo.Record{Key: []byte("movie/" + k.record), Value: encode(n, k, r, s.pad)}, ""
}

// apply notes a write: the latest holds, whatever the order.
func (s *stream) apply(k key, r row) {
	if before, ok := s.want[k]; !ok || before.at.Before(r.at) || before.at.Equal(r.at) && before.rank < r.rank {
		s.want[k] = r
	}
}

// encode is an event in one of the forms that there are.
func encode(n int, k key, r row, pad string) []byte {
	e := map[string]any{"eventType": "put", "userId": k.user, "recordId": k.record, "recordType": "movie", "value": r.rank, "occurredAt": r.at}
	if r.rank == deleted {
		e["eventType"] = "delete"
		delete(e, "value")
	}
	if pad != "" {
		e["pad"] = pad
	}
	switch n % 3 {
	case 0:
		e["recordType"] = 1 // version 1
	default:
		e["version"], e["eventId"], e["providerId"] = 2, fmt.Sprint("event-", n), "imdb"
	}
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // a map of strings and numbers
	}
	return text
}

// send produces so many events, one in a hundred of them twice, at most rate a second, and waits for all acknowledgements.
func (s *stream) send(t *testing.T, kafka *parts.Kafka, topic string, events, rate int) {
	t.Helper()
	wantSent(t, <-s.sending(t, kafka, topic, events, rate))
}

func wantSent(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sending sends while the test goes on. The channel tells once how it ended, and is closed then.
func (s *stream) sending(t *testing.T, kafka *parts.Kafka, topic string, events, rate int) <-chan error {
	t.Helper()
	client := kafka.Client(t, kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(5*time.Millisecond))
	sent, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		defer close(sent)
		sent <- s.produce(t.Context(), client, events, rate)
	}()
	t.Cleanup(func() { <-over })
	return sent
}

func (s *stream) produce(ctx context.Context, client *kgo.Client, events, rate int) error {
	var failed error
	began := time.Now()
	for n := 0; n < events && ctx.Err() == nil; n++ {
		record, cause := s.next(n)
		for range 1 + boolean(n%100 == 50) {
			copied := *record
			client.Produce(ctx, &copied, func(r *kgo.Record, err error) { s.sent(r, err, cause, &failed) })
		}
		if rate > 0 && n%100 == 0 {
			time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / time.Duration(rate))))
		}
	}
	if err := errors.Join(client.Flush(ctx), failed); err != nil {
		return fmt.Errorf("sending events: %w", err)
	}
	return nil
}

func boolean(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func (s *stream) sent(r *kgo.Record, err error, cause string, failed *error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		*failed = err
	}
	if cause != "" {
		s.bad[site{r.Partition, r.Offset}] = cause
	}
}

// check compares what the database and the topic of dead letters hold with what they must.
func (s *stream) check(t *testing.T, w *world) {
	t.Helper()
	s.checkIn(t, w, broker)
}

func (s *stream) checkIn(t *testing.T, w *world, kafka *parts.Kafka) {
	t.Helper()
	s.checkRows(t, w)
	s.checkAggregates(t, w)
	if diff := cmp.Diff(s.bad, w.buried(t, kafka), cmp.AllowUnexported(site{})); diff != "" {
		t.Errorf("dead letters (-want +got):\n%.2000s", diff)
	}
}

func (s *stream) checkRows(t *testing.T, w *world) {
	t.Helper()
	got, err := w.rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.want, got, cmp.AllowUnexported(key{}, row{})); diff != "" {
		t.Errorf("%d rows in the database, want %d (-want +got):\n%.2000s", len(got), len(s.want), diff)
	}
}

func (w *world) rows(ctx context.Context) (map[key]row, error) {
	rows, err := w.db.QueryContext(ctx, "SELECT record_id, user_id, deleted, value, occurred_at FROM ratings")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := map[key]row{}
	for rows.Next() {
		var k key
		var r row
		var gone bool
		if err := rows.Scan(&k.record, &k.user, &gone, &r.rank, &r.at); err != nil {
			return nil, err
		}
		if gone {
			r.rank = deleted
		}
		found[k] = r
	}
	return found, rows.Err()
}

type mean struct{ Sum, Count int64 }

func (s *stream) checkAggregates(t *testing.T, w *world) {
	t.Helper()
	want := map[string]mean{}
	for k, r := range s.want {
		if r.rank != deleted {
			m := want[k.record]
			want[k.record] = mean{m.Sum + int64(r.rank), m.Count + 1}
		}
	}
	got := map[string]mean{}
	rows, err := w.db.QueryContext(t.Context(), "SELECT record_id, rating_sum, rating_count FROM rating_aggregates WHERE rating_count <> 0 OR rating_sum <> 0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		var m mean
		if err := rows.Scan(&id, &m.Sum, &m.Count); err != nil {
			t.Fatal(err)
		}
		got[id] = m
	}
	if diff := cmp.Diff(want, got); diff != "" || rows.Err() != nil {
		t.Errorf("aggregates (-want +got), %v:\n%.2000s", rows.Err(), diff)
	}
}
