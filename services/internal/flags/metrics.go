package flags

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	on    *prometheus.GaugeVec
	reads *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer, sources []Source) *metrics {
	f := promauto.With(registerer)
	m := &metrics{
		on: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "feature_flag_on",
			Help: "1 if the feature is on, else 0.",
		}, []string{"flag"}),
		reads: f.NewCounterVec(prometheus.CounterOpts{
			Name: "feature_flag_reads_total",
			Help: "Changes of a source of feature flags, by outcome: taken, refused for mistakes, or failed to be read.",
		}, []string{"source", "outcome"}),
	}
	for _, s := range sources {
		for _, o := range []outcome{outcomeTaken, outcomeRefused, outcomeFailed} {
			m.reads.WithLabelValues(s.Name, string(o))
		}
	}
	return m
}

func (m *metrics) show(values map[string]bool) {
	for flag, on := range values {
		value := 0.0
		if on {
			value = 1
		}
		m.on.WithLabelValues(flag).Set(value)
	}
}
