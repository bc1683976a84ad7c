package observed

import (
	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/rating/internal/model"
)

const (
	put    = "put"
	remove = "delete"

	applied   = "applied"
	stale     = "stale"
	duplicate = "duplicate"
	failed    = "failed"
)

// newWritten has all its series from the start, so that the first write shows as a rise.
func newWritten(metrics prometheus.Registerer) *prometheus.CounterVec {
	written := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ratings_written_total",
		Help: "Writes of ratings by operation (put, delete) and outcome: applied, stale or duplicate (nothing changed), failed.",
	}, []string{"operation", "outcome"})
	metrics.MustRegister(written)
	for _, o := range []string{put, remove} {
		for _, outcome := range []string{applied, stale, duplicate, failed} {
			written.WithLabelValues(o, outcome)
		}
	}
	return written
}

func operation(w model.Write) string {
	if w.Deleted {
		return remove
	}
	return put
}

func outcome(result model.Result, err error) string {
	if err != nil {
		return failed
	}
	switch result.Outcome {
	case model.Stale:
		return stale
	case model.Duplicate:
		return duplicate
	default:
		return applied
	}
}
