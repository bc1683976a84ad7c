package fleetservice

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"movieexample.com/fleet/controllers/fleetservice/plan"
)

// rollouts counts rollouts by how they ended. It is a collector, not state: nothing reads it back.
var rollouts = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "fleet_rollouts_total", Help: "Rollouts by how they ended: promoted, taken_back, abandoned.",
}, []string{"outcome"})

var outcomes = map[plan.Verb]string{
	plan.Promote: "promoted", plan.TakeBack: "taken_back", plan.Return: "taken_back", plan.Abandon: "abandoned", plan.Replace: "abandoned",
}

func registerMetrics() error {
	err := ctrlmetrics.Registry.Register(rollouts)
	var already prometheus.AlreadyRegisteredError
	if err != nil && !errors.As(err, &already) {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}

func countRollout(verb plan.Verb) {
	if outcome := outcomes[verb]; outcome != "" {
		rollouts.WithLabelValues(outcome).Inc()
	}
}
