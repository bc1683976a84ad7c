package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/transaction"
)

// pingTimeout bounds the question why nothing could be published.
const pingTimeout = 2 * time.Second

// Publisher writes events to a topic, keyed by their records, and takes them as stored when all replicas in sync have
// them. It makes no topic. It is safe for concurrent use; Close ends it.
type Publisher struct {
	read  broker.Read
	id    string
	topic string
	spans spans

	mu     sync.Mutex
	client *kgo.Client // nil until it is used, and after a failure
}

// NewPublisher connects when it is first used. id names it in the brokers' logs.
func NewPublisher(read broker.Read, id, topic string, traces trace.TracerProvider) *Publisher {
	return &Publisher{read: read, id: id, topic: topic, spans: newSpans(traces, topic)}
}

// Publish implements [events.Publisher]. After a failure the next call begins with a new client: it follows a binding
// that names other brokers or another protocol, and nothing of the failed call is sent later, behind newer events.
func (p *Publisher) Publish(ctx context.Context, list []events.Event) ([]string, error) {
	if err := transaction.Outside(ctx); err != nil {
		return nil, err
	}
	records, err := p.records(list)
	if err != nil {
		return nil, err
	}
	defer p.spans.record(ctx, list, "publish", trace.SpanKindProducer, func(i int, e events.Event) {
		records[i].Headers = []kgo.RecordHeader{{Key: events.TraceHeader, Value: []byte(e.Trace)}}
	})()
	p.mu.Lock()
	defer p.mu.Unlock()
	client, err := p.connected()
	if err != nil {
		return nil, err
	}
	results := client.ProduceSync(ctx, records...)
	if err = results.FirstErr(); err != nil {
		err = cause(ctx, client, err)
		p.drop()
	}
	failed := make(map[*kgo.Record]bool, len(results))
	for _, r := range results { // in the order in which they were answered
		failed[r.Record] = r.Err != nil
	}
	return events.Stored(list, func(i int) bool { return failed[records[i]] }), err
}

func (p *Publisher) records(list []events.Event) ([]*kgo.Record, error) {
	records := make([]*kgo.Record, len(list))
	for i, e := range list {
		text, err := events.Encode(e)
		if err != nil {
			return nil, err
		}
		records[i] = &kgo.Record{Topic: p.topic, Key: []byte(e.Record), Value: text} // stamped with the time of publishing
	}
	return records, nil
}

func (p *Publisher) connected() (*kgo.Client, error) {
	if p.client != nil {
		return p.client, nil
	}
	client, err := broker.NewClient(p.read, p.id,
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0), // a batch is there as a whole
		kgo.UnknownTopicRetries(1),
		kgo.AllowIdempotentProduceCancellation(), // the caller's time holds: what it gives up is published again
	)
	p.client = client
	return client, err
}

func (p *Publisher) drop() {
	p.client.Close()
	p.client = nil
}

// cause asks the cluster: a client that cannot log in says of a record only that its time is up.
func cause(ctx context.Context, client *kgo.Client, err error) error {
	if broker.Reason(err) != broker.ReasonUnreachable {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	if refusal := client.Ping(ctx); refusal != nil {
		return refusal
	}
	return err
}

// Close gives up what is on its way.
func (p *Publisher) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil {
		p.drop()
	}
}
