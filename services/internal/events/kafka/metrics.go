package kafka

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"movieexample.com/fleet/services/internal/broker"
)

type metrics struct {
	handled    prometheus.Counter
	unreadable prometheus.Counter
	failures   *prometheus.CounterVec
}

// newMetrics registers a subscriber's counters. It panics if they are registered already: that is a mistake of the program.
func newMetrics(registerer prometheus.Registerer) *metrics {
	f := promauto.With(registerer)
	m := &metrics{
		handled: f.NewCounter(prometheus.CounterOpts{
			Name: "events_handled_total",
			Help: "Events of other services that were dealt with.",
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
