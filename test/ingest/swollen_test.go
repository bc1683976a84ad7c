//go:build integration

package ingest_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A batch that is small on its way and would fill a pod when it is unpacked ends no process: its partition stands and says how to
// go on, and the others are consumed meanwhile.
func TestABatchThatSwellsIsNotUnpacked(t *testing.T) {
	w, s := newWorld(t, 3), newStream(10, 10)
	w.sendSwollen(t, 0, kgo.GzipCompression())
	w.sendSwollen(t, 1, kgo.ZstdCompression())
	ends, err := w.ends(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.send(t, broker, w.topic, 300, 0) // before and behind them
	c := w.start(t, "pod-1")
	for _, sentence := range []string{
		"at offsets 0 to 99 holds more than 32 MiB when it is unpacked",
		"rating rewind --to 100 --partition 0 --while-consumed --yes", "rating rewind --to 100 --partition 1 --while-consumed --yes",
	} {
		c.wantLog(t, sentence)
	}
	most := 0.0
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) { // it is tried again
		most = max(most, c.metric(t, "process_resident_memory_bytes"))
	}
	if most > 400<<20 {
		t.Errorf("the consumer took %.0f MiB, want much less than the %d that one batch holds", most/(1<<20), swollen>>20)
	}
	t.Logf("the consumer took %.0f MiB", most/(1<<20))
	c.wantMetric(t, 0, "ingest_waiting") // nobody is away
	at, err := w.positions(t.Context())
	if err != nil || at[0] != 0 || at[1] != 0 || at[2] == 0 {
		t.Errorf("positions %v, %v, want partitions 0 and 1 before their batches and 2 at its end", at, err)
	}
	for _, partition := range []string{"0", "1"} {
		w.wantRun(t, "moved 1 partitions", "rewind", "--to", "100", "--partition", partition, "--while-consumed", "--yes")
	}
	w.wantConsumed(t, patience)
	s.check(t, w)
	if ends[0] != 100 || ends[1] != 100 {
		t.Errorf("the partitions ended at %v, want one batch of 100 records in each of two", ends)
	}
}

const swollen = 500 << 20

// sendSwollen sends a hundred records as one batch, which compresses to less than a thousandth.
func (w *world) sendSwollen(t *testing.T, partition int32, codec kgo.CompressionCodec) {
	t.Helper()
	client := broker.Client(t, kgo.DefaultProduceTopic(w.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec),
		kgo.ProducerBatchMaxBytes(1<<30), kgo.BrokerMaxWriteBytes(1<<30), kgo.MaxBufferedBytes(1<<30), kgo.ProducerLinger(time.Second))
	value := make([]byte, swollen/100)
	var records []*kgo.Record
	for range 100 {
		records = append(records, &kgo.Record{Partition: partition, Value: value})
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
