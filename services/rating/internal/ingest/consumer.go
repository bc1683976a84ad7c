package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/telemetry"
	"movieexample.com/fleet/services/rating/internal/controller"
	"movieexample.com/fleet/services/rating/internal/model"
)

// Store keeps ratings together with how far each partition was consumed.
type Store interface {
	// Position is the next offset of the source; found is false where the group has not begun with this topic id.
	Position(ctx context.Context, source model.Source) (next int64, found bool, err error)
	// Begin puts the source at next if it is nowhere yet, and returns the position that holds.
	Begin(ctx context.Context, source model.Source, next int64) (int64, error)
	// Hold notes that a consumer of the revision begins with the source at next.
	Hold(ctx context.Context, source model.Source, revision string, next int64, now time.Time) error
	// Ingest applies all writes, in order, and moves the source from span.From to span.Next, in one transaction. It returns
	// one outcome for each write. [model.ErrMoved]: the source is not at span.From, and nothing was changed.
	Ingest(ctx context.Context, span model.Span, writes []model.Write, now time.Time) ([]model.Outcome, error)
	// Rewind puts the source at next, wherever it is.
	Rewind(ctx context.Context, source model.Source, next int64) error
}

// Options say what is consumed and what becomes of it.
type Options struct {
	Topic       string
	Group       string
	DeadLetters string // topic
	ClientID    string // names the member in the group
	Revision    string // of the program and its settings; empty where nobody gave it one
	// NewProtocol joins by KIP-848 (group.protocol=consumer) instead of the classic protocol, with brokers from 4.3 on. Those from
	// 4.0 on know it too, but may refuse to commit in a rebalance what the client has read, and it joins others by the classic one.
	NewProtocol bool
	// SessionTimeout is how long a member may be silent before its partitions go to others.
	SessionTimeout time.Duration
	BatchEvents    int // the most events of one transaction
	// Shadow reads all partitions from their present ends on and leaves no trace, neither in the database nor in Kafka: Store,
	// Group and the membership in it are of no account.
	Shadow bool

	Read    broker.Read
	Store   Store
	Rules   controller.Rules
	Fault   Fault
	Now     func() time.Time
	Metrics prometheus.Registerer
	Log     *slog.Logger
	Traces  trace.TracerProvider
}

// Fault breaks an event on purpose: it returns an error, or waits until the context ends.
type Fault func(ctx context.Context, partition int32) error

// Consumer is one member of the group, or a shadow beside it.
type Consumer struct {
	Options

	metrics *metrics
	trouble *trouble
	tracer  trace.Tracer
	seen    *sightings // of a shadow, as its Store; else nil

	mu         sync.Mutex
	joined     bool
	partitions map[int32]*partition // those that the member has
}

// New registers the metrics. Nothing is connected before Run.
func New(o Options) *Consumer {
	o.Log = o.Log.With(telemetry.KeyComponent, "ingest", "topic", o.Topic, "group", o.Group)
	c := &Consumer{
		Options: o, trouble: newTrouble(o.Log, o.Now), partitions: map[int32]*partition{},
		tracer: o.Traces.Tracer("movieexample.com/fleet/services/rating/internal/ingest"),
	}
	if o.Shadow {
		c.seen = newSightings()
		c.Store, c.Log = c.seen, c.Log.With("shadow", true)
	}
	tellShadow(o.Metrics, o.Shadow)
	c.metrics = newMetrics(o.Metrics, c.measure)
	showWaiting(o.Metrics, c.trouble.away)
	return c
}

// Run consumes until the context ends, and then gives the partitions back. Brokers and databases that are away do not end
// it: it waits for them.
func (c *Consumer) Run(ctx context.Context) error {
	for wait := newBackoff(); ctx.Err() == nil; {
		err := c.member(ctx)
		if ctx.Err() != nil || errors.Is(err, errRecreated) {
			continue
		}
		c.trouble.tell(ctx, "Events are not consumed", err)
		wait.pause(ctx)
	}
	return nil
}

// Ready is a check of readiness: the member has joined its group, whether or not there is a partition for it. A shadow has
// begun with all partitions.
func (c *Consumer) Ready(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joined {
		return nil
	}
	what := "the group " + c.Group + " was not joined"
	if c.Shadow {
		what = "the topic " + c.Topic + " is not read"
	}
	if last := c.trouble.latest(); last != "" {
		return errors.New(what + ": " + last)
	}
	return errors.New(what + " yet")
}

func (c *Consumer) setJoined(joined bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joined = joined
}

func (c *Consumer) list() []*partition {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*partition, 0, len(c.partitions))
	for _, p := range c.partitions {
		list = append(list, p)
	}
	return list
}
