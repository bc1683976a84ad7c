//go:build integration

package ingest_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/test/parts"
)

// letterRecords are all records that the topic of dead letters has, and those that come while they are read: one who has lost
// a partition may write a letter once more.
func (w *world) letterRecords(t *testing.T, kafka *parts.Kafka) []*kgo.Record {
	t.Helper()
	ends, err := w.admin.ListEndOffsets(t.Context(), w.letters)
	if err != nil {
		t.Fatal(err)
	}
	var all int64
	for _, p := range ends[w.letters] {
		all += p.Offset
	}
	client := kafka.Client(t, kgo.ConsumeTopics(w.letters), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var list []*kgo.Record
	for int64(len(list)) < all && ctx.Err() == nil {
		list = append(list, client.PollFetches(ctx).Records()...)
	}
	if int64(len(list)) < all {
		t.Fatalf("read %d of %d dead letters", len(list), all)
	}
	return list
}

// buried are the dead letters by where their events stood. A crash may write one twice; it is one all the same.
func (w *world) buried(t *testing.T, kafka *parts.Kafka) map[site]string {
	t.Helper()
	found := map[site]string{}
	for _, r := range w.letterRecords(t, kafka) {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		partition, err := strconv.Atoi(headers["dead-letter-source-partition"])
		if err != nil {
			t.Fatal(err)
		}
		offset, err := strconv.ParseInt(headers["dead-letter-source-offset"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if headers["dead-letter-source-topic"] != w.topic || headers["dead-letter-error"] == "" {
			t.Errorf("headers = %v, want the topic and the error", headers)
		}
		if _, err := time.Parse(time.RFC3339Nano, headers["dead-letter-source-time"]); err != nil {
			t.Errorf("time in headers: %v", err)
		}
		found[site{int32(partition), offset}] = headers["dead-letter-cause"]
	}
	return found
}

// Letters that a broker would refuse together, as a batch that is too large, keep their events, and go back to their source.
func TestManyLettersAtOnce(t *testing.T) {
	w := newWorld(t, 12)
	client := broker.Client(t, kgo.DefaultProduceTopic(w.topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	var records []*kgo.Record
	for range 3000 {
		random := make([]byte, 1000) // what compresses well would pass for small
		_, _ = rand.Read(random)     // never fails
		records = append(records, kgo.StringRecord(hex.EncodeToString(random)))
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w.start(t, "pod-1").endAfter(t, func() { w.wantConsumed(t, patience) })
	letters := w.letterRecords(t, broker)
	for _, r := range letters {
		if len(r.Value) != 2000 {
			t.Fatalf("a letter has %d bytes, want the event's 2000", len(r.Value))
		}
	}
	if out, err := w.command(t, "replay", "--yes").CombinedOutput(); err != nil || !strings.Contains(string(out), strconv.Itoa(len(letters))) {
		t.Errorf("rating replay = %v, want %d letters sent\n%s", err, len(letters), out)
	}
}
