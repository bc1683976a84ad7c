//go:build integration

package ingest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/test/parts"
)

// A batch is a span that points at the traces in which its events were sent, and has what the database did below it.
func TestABatchPointsAtTheTracesOfItsEvents(t *testing.T) {
	const sender = "0af7651916cd43dd8448eb211c80319c"
	w, s, collector := newWorld(t, 1), newStream(10, 10), parts.StartCollector(t)
	record, _ := s.next(0)
	record.Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-" + sender + "-b7ad6b7169203331-01")}}
	if err := broker.Client(t, kgo.DefaultProduceTopic(w.topic)).ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w.start(t, "pod-1", "--telemetry.traces.endpoint="+collector.Endpoint(), "--telemetry.traces.ratio=1")
	collector.Wait(t, "a batch that points at "+sender+", with a statement below it", func(spans []parts.Span) bool {
		return slices.ContainsFunc(spans, func(batch parts.Span) bool {
			return batch.Name == "process "+w.topic && slices.Contains(batch.Links, sender) &&
				slices.ContainsFunc(spans, func(below parts.Span) bool {
					return below.Parent == batch.ID && strings.HasPrefix(below.Name, "sql")
				})
		})
	})
}
