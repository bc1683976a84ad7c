package keys

import "github.com/prometheus/client_golang/prometheus"

// Values of the label result.
const (
	loaded  = "loaded"
	refused = "refused"
)

func newReloads() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "auth_key_reloads_total", Help: "Times the files of the keys had changed, by result: loaded or refused.",
	}, []string{"result"})
}
