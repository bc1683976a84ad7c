package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry is a registry with the Go runtime, the process, and fleet_build_info, whose value is always 1 and whose
// labels say what runs.
func NewRegistry(service, version, revision string) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "fleet_build_info",
		Help:        "What runs here; the value is always 1.",
		ConstLabels: prometheus.Labels{KeyService: service, KeyVersion: version, KeyRevision: revision},
	})
	build.Set(1)
	registry.MustRegister(
		build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return registry
}
