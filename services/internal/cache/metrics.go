package cache

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Outcomes of a request to a cache.
const (
	Hit    = "hit"
	Miss   = "miss"   // the value was read from what is behind the cache
	Failed = "failed" // the cache itself is away
)

// Metrics count for all caches of a process.
type Metrics struct{ requests *prometheus.CounterVec }

// NewMetrics registers the counter, once for each program.
func NewMetrics(r prometheus.Registerer) *Metrics {
	return &Metrics{requests: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Name: "cache_requests_total",
		Help: "Values asked of a cache: it had them, did not, or could not be asked.",
	}, []string{"cache", "outcome"})}
}

// Counter counts one outcome at one cache.
func (m *Metrics) Counter(cache, outcome string) prometheus.Counter {
	return m.requests.WithLabelValues(cache, outcome)
}
