package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/telemetry"
)

const (
	// maxLetter is the largest dead letter that is tried; what a broker takes is the topic's max.message.bytes.
	maxLetter = 64 << 20
	// postTimeout bounds one try to write dead letters.
	postTimeout = 10 * time.Second
)

// letterBox is what it takes of a Kafka client to write dead letters.
type letterBox interface {
	ProduceSync(ctx context.Context, records ...*kgo.Record) kgo.ProduceResults
	PurgeTopicsFromProducing(topics ...string)
}

// post writes the dead letters among the items that are not written yet, and returns when all replicas in sync have them.
func (p *partition) post(ctx context.Context, items []item) error {
	var waiting []*item
	for n := range items {
		if i := &items[n]; i.letter != nil && !i.posted {
			waiting = append(waiting, i)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	records := make([]*kgo.Record, len(waiting))
	owners := map[*kgo.Record]*item{}
	for n, i := range waiting {
		records[n] = i.letter.Record(p.DeadLetters)
		owners[records[n]] = i
	}
	defer func() { p.tellBuried(ctx, waiting) }()
	var failed error
	for _, result := range p.letters.ProduceSync(ctx, records...) { // in the order in which they were answered
		i, err := owners[result.Record], result.Err
		if broker.Reason(err) == broker.ReasonTooLarge { // or it was sent together with too many others
			err = p.postAlone(ctx, i)
		}
		i.posted = err == nil
		if err != nil {
			failed = p.unposted(err) // one stands for all: there may be thousands
		}
	}
	return failed
}

// postAlone writes a letter that was refused with others, and leaves out as much of its event as it has to.
func (p *partition) postAlone(ctx context.Context, i *item) error {
	for {
		err := p.alone.ProduceSync(ctx, i.letter.Record(p.DeadLetters)).FirstErr()
		if broker.Reason(err) != broker.ReasonTooLarge {
			return err
		}
		short, ok := i.letter.Shorter()
		if !ok {
			return err
		}
		i.letter = &short
	}
}

func (p *partition) unposted(err error) error {
	if errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.UnknownTopicOrPartition) {
		p.letters.PurgeTopicsFromProducing(p.DeadLetters) // made anew: the clients know it by its old id
		p.alone.PurgeTopicsFromProducing(p.DeadLetters)
	}
	return &brokerError{"write a dead letter", "Write on topic " + p.DeadLetters, err}
}

// tellBuried logs where letters stood, one line a batch: what they hold is for whoever may read their topic.
func (p *partition) tellBuried(ctx context.Context, letters []*item) {
	var offsets []int64
	causes := map[string]int{}
	for _, i := range letters {
		if i.posted {
			offsets = append(offsets, i.record.Offset)
			causes[i.letter.Cause]++
		}
	}
	if len(offsets) == 0 {
		return
	}
	what := "Events became dead letters"
	if p.Shadow {
		what = "Events would become dead letters"
	}
	p.Log.WarnContext(ctx, what, "partition", p.source.Partition, "events", len(offsets), "causes", causes,
		"first", offsets[0], "last", offsets[len(offsets)-1], telemetry.KeyTarget, p.DeadLetters)
}
