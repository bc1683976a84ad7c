package kafka

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"movieexample.com/fleet/services/internal/broker"
)

type metrics struct {
	received   prometheus.Counter
	unreadable prometheus.Counter
	failures   *prometheus.CounterVec
}

// newMetrics registers a subscriber's counters. It panics if they are registered already: that is a mistake of the program.
func newMetrics(registerer prometheus.Registerer) *metrics {
	f := promauto.With(registerer)
	m := &metrics{
		received: f.NewCounter(prometheus.CounterOpts{
			Name: "events_received_total",
			Help: "Events of other services that arrived.",
		}),
		unreadable: f.NewCounter(prometheus.CounterOpts{
			Name: "events_unreadable_total",
			Help: "Records of the topic that are no event and were passed over.",
		}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "events_subscription_failures_total",
			Help: "Tries to follow the topic that ended, by reason.",
		}, []string{"reason"}),
	}
	for _, reason := range broker.Reasons() {
		m.failures.WithLabelValues(reason)
	}
	return m
}
