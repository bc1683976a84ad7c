package auth

import "github.com/prometheus/client_golang/prometheus"

// Values of the label result.
const (
	fetchDone   = "done"
	fetchFailed = "failed"
)

func newFetches() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "auth_key_fetches_total", Help: "Times the keys of tokens were fetched from auth, by result: done or failed.",
	}, []string{"result"})
}

func newRefusals() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "auth_refused_total",
		Help: "Calls that were refused for what their token is or lacks, by reason: missing, malformed, forged, key, expired, audience, revoked, role, user, keys_away.",
	}, []string{"reason"})
}
