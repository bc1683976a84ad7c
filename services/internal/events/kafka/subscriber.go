package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/otel/trace"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/telemetry"
)

const (
	// batch bounds what is handed over at once, and so what a slow subscriber holds in memory.
	batch = 1000
	// quietFor is how long a subscriber hears nothing before it asks whether it could.
	quietFor = 5 * time.Second
	// againAfter is the pause after a failure, before a new client is made.
	againAfter = 2 * time.Second
	// overlap covers clocks that differ when a new client goes on where the last one ended.
	overlap = time.Minute
	// logEvery bounds log lines while the same failure lasts.
	logEvery = time.Minute
)

// Subscriber reads all partitions of a topic by itself, without a group: each subscriber is told of every event that is
// published after it was made. It is told at least once, in order for each record.
type Subscriber struct {
	read    broker.Read
	id      string
	topic   string
	since   time.Time // what was published before is of no interest
	metrics *metrics
	log     *slog.Logger
	spans   spans

	reason string // of the last failure
	logged time.Time
}

// Options say what a subscriber reports to.
type Options struct {
	Metrics prometheus.Registerer
	Log     *slog.Logger
	Traces  trace.TracerProvider
}

// NewSubscriber makes a subscriber to the topic. id names it in the brokers' logs; it wants what is published after since.
func NewSubscriber(read broker.Read, id, topic string, since time.Time, o Options) *Subscriber {
	return &Subscriber{
		read: read, id: id, topic: topic, since: since, metrics: newMetrics(o.Metrics),
		log: o.Log.With(telemetry.KeyComponent, "events", "topic", topic), spans: newSpans(o.Traces, topic),
	}
}

// Subscribe implements [events.Subscriber]. Brokers that are away, a topic that is not there and a right that is not granted
// are counted and logged, and tried again: events then come late, and the service goes on. Call it once.
func (s *Subscriber) Subscribe(ctx context.Context, handle func(context.Context, []events.Event)) error {
	for ctx.Err() == nil {
		if err := s.follow(ctx, handle); err != nil && ctx.Err() == nil {
			s.failed(ctx, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(againAfter):
		}
	}
	return nil
}

func (s *Subscriber) failed(ctx context.Context, err error) {
	before := s.reason
	s.reason = broker.Reason(err)
	s.metrics.failures.WithLabelValues(s.reason).Inc()
	if s.reason == before && time.Since(s.logged) < logEvery {
		return
	}
	s.logged = time.Now()
	s.log.WarnContext(ctx, "Events of other services do not arrive",
		"reason", s.reason, "advice", broker.Advice(s.reason), telemetry.KeyError, err)
}

// follow hands on events until something fails. A new client for each try follows a binding that has changed.
func (s *Subscriber) follow(ctx context.Context, handle func(context.Context, []events.Event)) error {
	start := kgo.NewOffset().AfterMilli(s.since.UnixMilli())
	client, err := broker.NewClient(s.read, s.id,
		kgo.ConsumeTopics(s.topic), kgo.ConsumeStartOffset(start), kgo.ConsumeResetOffset(start), kgo.FetchMaxWait(time.Second))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		list, err := s.poll(ctx, client)
		if len(list) > 0 {
			end := s.spans.record(ctx, list, "process", trace.SpanKindConsumer, func(i int, e events.Event) { list[i] = e })
			handle(ctx, list)
			end()
			s.metrics.handled.Add(float64(len(list)))
		}
		if err != nil {
			return err
		}
	}
}

// poll waits for events. When none come, it makes sure that some could.
func (s *Subscriber) poll(ctx context.Context, client *kgo.Client) ([]events.Event, error) {
	waiting, cancel := context.WithTimeout(ctx, quietFor)
	defer cancel()
	fetches := client.PollRecords(waiting, batch)
	list := s.decode(ctx, fetches)
	var errs []error
	fetches.EachError(func(topic string, partition int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) || waiting.Err() == nil {
			errs = append(errs, fmt.Errorf("read %s/%d: %w", topic, partition, err))
		}
	})
	if err := errors.Join(errs...); err != nil || len(list) > 0 || ctx.Err() != nil {
		return list, errors.Join(err, ctx.Err())
	}
	return nil, s.look(ctx, client)
}

// look asks for the topic: a client that polls waits without a word for one that is not there.
func (s *Subscriber) look(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(s.topic)
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("ask for the topic: %w", err)
	}
	for _, t := range response.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("ask for the topic: %w", err)
		}
	}
	return nil
}

// decode leaves out what is no event: counted and logged, since whoever wrote it is not here to be told.
func (s *Subscriber) decode(ctx context.Context, fetches kgo.Fetches) []events.Event {
	list := make([]events.Event, 0, fetches.NumRecords())
	fetches.EachRecord(func(r *kgo.Record) {
		if since := r.Timestamp.Add(-overlap); since.After(s.since) {
			s.since = since
		}
		e, err := events.Decode(r.Value)
		if err != nil {
			s.metrics.unreadable.Inc()
			s.log.WarnContext(ctx, "Passing over a record that is no event",
				"partition", r.Partition, "offset", r.Offset, telemetry.KeyError, err)
			return
		}
		for _, h := range r.Headers {
			if h.Key == events.TraceHeader {
				e.Trace = string(h.Value)
			}
		}
		list = append(list, e)
	})
	return list
}
