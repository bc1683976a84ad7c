package lastknown

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// What a caller gets when the service fails.
const (
	answerLastKnown = "last_known"
	answerNone      = "none"
)

// Metrics counts the fallbacks of a process.
type Metrics struct{ fallbacks *prometheus.CounterVec }

// NewMetrics registers the counter. It panics if it is registered already: that is a mistake of the program.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	return &Metrics{fallbacks: promauto.With(registerer).NewCounterVec(prometheus.CounterOpts{
		Name: "fallbacks_total",
		Help: "Failed calls to a dependency, by what was answered instead: its last known value, or none.",
	}, []string{"dependency", "answer"})}
}
