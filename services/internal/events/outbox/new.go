package outbox

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/events/kafka"
	"movieexample.com/fleet/services/internal/telemetry"
)

// Options say for which service changes are told, and how.
type Options struct {
	Service string
	Events  config.Events
	Outbox  config.Outbox
	Metrics prometheus.Registerer
	Log     *slog.Logger
	Traces  trace.TracerProvider
}

// Open makes the outbox in db and the work that publishes what is in it; both are nil if nobody is to be told.
func Open(db *sql.DB, o Options) (*Outbox, func(context.Context) error) {
	if o.Events.Kind == config.None {
		return nil, nil
	}
	outbox := New()
	publisher := kafka.NewPublisher(broker.FromBinding, o.Service, o.Events.Topic, o.Traces)
	relay := NewRelay(db, outbox, publisher, o.Outbox.Retention, o.Metrics, o.Log)
	return outbox, func(ctx context.Context) error {
		defer publisher.Close()
		return relay.Run(ctx)
	}
}

// NewRelay makes the relay of an outbox whose table is in db. Published events stay in the table for the retention, for
// people who look for what happened.
func NewRelay(
	db *sql.DB, outbox *Outbox, publisher events.Publisher, retention time.Duration, registerer prometheus.Registerer, log *slog.Logger,
) *Relay {
	return &Relay{
		db: db, outbox: outbox, publisher: publisher, retention: retention,
		metrics: newMetrics(registerer), log: log.With(telemetry.KeyComponent, "outbox"),
	}
}
