package ratingingestor

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"movieexample.com/fleet/api/v1alpha1"
)

// Collectors, not state: nothing reads them back.
var (
	lagRecords = gauge("lag_records", "Records that wait, of all partitions.")
	partitions = gauge("partitions", "Partitions of the topic.")
	members    = gauge("members", "Members of the group that have partitions.")
	stuckOnes  = gauge("stuck_partitions", "Partitions that have records and did not move for a minute.")
	produced   = gauge("produced_per_second", "Records that came, over the last minute.")
	consumed   = gauge("consumed_per_second", "Records that the group took, over the last minute.")
	wantedPods = gauge("wanted_replicas", "Pods that production and backlog need, in scaling mode Lag.")
)

func gauge(name, help string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fleet_ingestor_" + name, Help: help}, []string{"namespace", "ingestor"})
}

func allMetrics() []*prometheus.GaugeVec {
	return []*prometheus.GaugeVec{lagRecords, partitions, members, stuckOnes, produced, consumed, wantedPods}
}

func registerMetrics() error {
	for _, c := range allMetrics() {
		err := ctrlmetrics.Registry.Register(c)
		var already prometheus.AlreadyRegisteredError
		if err != nil && !errors.As(err, &already) {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// measure shows what was seen. While Kafka does not answer there is nothing to show.
func (r *Reconciler) measure(o observation, p plan, status v1alpha1.RatingIngestorStatus) {
	name := types.NamespacedName{Namespace: o.ri.Namespace, Name: o.ri.Name}
	if o.kafka.err != "" || o.kafka.at.IsZero() {
		forgetMetrics(name)
		return
	}
	reading := 0
	for _, m := range status.Members {
		if len(m.Partitions) > 0 {
			reading++
		}
	}
	for g, v := range map[*prometheus.GaugeVec]float64{
		lagRecords: float64(p.rates.Lag), partitions: float64(status.Partitions), members: float64(reading), stuckOnes: float64(len(p.rates.Stuck)),
		produced: p.rates.Produced, consumed: p.rates.Consumed, wantedPods: float64(p.wanted),
	} {
		g.WithLabelValues(name.Namespace, name.Name).Set(v)
	}
}

// forgetMetrics drops the series of an ingestor.
func forgetMetrics(name types.NamespacedName) {
	for _, g := range allMetrics() {
		g.DeleteLabelValues(name.Namespace, name.Name)
	}
}
