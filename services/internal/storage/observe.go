package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strconv"
	"strings"

	"github.com/XSAM/otelsql"
	"github.com/go-sql-driver/mysql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Option changes what a pool does beside its work.
type Option func(*options)

type options struct {
	traces  trace.TracerProvider
	metrics prometheus.Registerer
}

// Traced makes each statement of a recorded trace a span. Its text has placeholders where the values are, and of an error
// only the server's number is kept: messages hold values.
func Traced(provider trace.TracerProvider) Option {
	return func(o *options) {
		if _, off := provider.(noop.TracerProvider); !off {
			o.traces = provider
		}
	}
}

// Metered registers what the pool does: connections in use, waits for one (go_sql_…).
func Metered(metrics prometheus.Registerer) Option {
	return func(o *options) { o.metrics = metrics }
}

// pool opens the connector as the options say.
func pool(connector driver.Connector, name string, opts []Option) *sql.DB {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	db := o.open(connector)
	if o.metrics != nil {
		o.metrics.MustRegister(collectors.NewDBStatsCollector(db, name))
	}
	return db
}

func (o options) open(connector driver.Connector) *sql.DB {
	if o.traces == nil {
		return sql.OpenDB(connector)
	}
	return otelsql.OpenDB(connector,
		otelsql.WithTracerProvider(o.traces),
		otelsql.WithAttributes(semconv.DBSystemNameMySQL),
		otelsql.WithSpanNameFormatter(spanName),
		otelsql.WithSpanErrorAttributesGetter(errorAttributes),
		otelsql.WithSpanOptions(otelsql.SpanOptions{
			OmitConnResetSession: true, OmitRows: true,
			RecordError: func(error) bool { return false },
			SpanFilter:  recorded,
		}))
}

// recorded keeps what readiness and migrations do out of traces, and costs nothing where a trace is not recorded.
func recorded(ctx context.Context, _ otelsql.Method, _ string, _ []driver.NamedValue) bool {
	return trace.SpanFromContext(ctx).IsRecording()
}

// spanName is the statement's verb, or what else is done with the connection, for example sql.tx.commit.
func spanName(_ context.Context, method otelsql.Method, query string) string {
	if words := strings.Fields(query); len(words) > 0 {
		return strings.ToUpper(words[0])
	}
	return string(method)
}

func errorAttributes(err error) []attribute.KeyValue {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return []attribute.KeyValue{semconv.ErrorTypeOther}
	}
	code := strconv.Itoa(int(e.Number))
	return []attribute.KeyValue{semconv.ErrorTypeKey.String(code), semconv.DBResponseStatusCode(code)}
}
