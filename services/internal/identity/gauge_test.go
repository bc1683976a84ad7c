package identity

import "github.com/prometheus/client_golang/prometheus"

// gauge is of the files' metrics only when the certificate expires.
type gauge struct{ f *Files }

func (g gauge) Describe(d chan<- *prometheus.Desc) { d <- describeExpiry() }

func (g gauge) Collect(m chan<- prometheus.Metric) {
	all := make(chan prometheus.Metric, 10)
	g.f.Collect(all)
	close(all)
	for metric := range all {
		if metric.Desc().String() == describeExpiry().String() {
			m <- metric
		}
	}
}
