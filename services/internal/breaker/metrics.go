package breaker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// Metrics count for all breakers of a program.
type Metrics struct {
	state    *prometheus.GaugeVec
	rejected *prometheus.CounterVec
}

// NewMetrics registers the metrics, once for each program.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		state: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "breaker_state", Help: "Whether the dependency is called: 0 yes, 1 one call to try it, 2 no.",
		}, []string{"dependency"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "breaker_rejected_total", Help: "Calls that were not made because the dependency answers nothing but failures.",
		}, []string{"dependency"}),
	}
	r.MustRegister(m.state, m.rejected)
	return m
}

func stateValue(s gobreaker.State) float64 {
	switch s {
	case gobreaker.StateHalfOpen:
		return 1
	case gobreaker.StateOpen:
		return 2
	default:
		return 0
	}
}
