package outbox

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"movieexample.com/fleet/services/internal/broker"
)

type metrics struct {
	backlog   prometheus.Gauge
	oldest    prometheus.Gauge
	published prometheus.Counter
	failures  *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	f := promauto.With(registerer)
	m := &metrics{
		backlog: f.NewGauge(prometheus.GaugeOpts{
			Name: "outbox_backlog",
			Help: "Changes in the database that wait to be published, counted up to 100000; all instances tell the same.",
		}),
		oldest: f.NewGauge(prometheus.GaugeOpts{
			Name: "outbox_oldest_seconds",
			Help: "Age of the oldest change that waits to be published; 0 if none waits.",
		}),
		published: f.NewCounter(prometheus.CounterOpts{
			Name: "outbox_published_total",
			Help: "Changes that this instance published.",
		}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "outbox_failures_total",
			Help: "Tries to publish that failed, by reason; what failed is tried again.",
		}, []string{"reason"}),
	}
	for _, reason := range append(broker.Reasons(), reasonDatabase) {
		m.failures.WithLabelValues(reason)
	}
	return m
}
