package fleetservice

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
)

// seconds from a tenth to an hour: verdicts take seconds, whole rollouts minutes.
var durations = []float64{0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600} // a constant

// Collectors, not state: nothing reads them back.
var (
	rollouts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fleet_rollouts_total",
		Help: "Rollouts by how they ended (promoted, taken_back, reverted, abandoned) and for which reason.",
	}, []string{"outcome", "cause"})
	weight = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fleet_canary_weight_percent", Help: "Share of requests decided for the canary.",
	}, []string{"namespace", "service"})
	evidenceAgainst = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fleet_canary_evidence_log", Help: "Natural logarithm of the evidence against the canary; it is taken back at ln(1/falseRollback).",
	}, []string{"namespace", "service"})
	measuredShare = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fleet_canary_measured_percent", Help: "Share of requests that the canary had at its present weight, from counters.",
	}, []string{"namespace", "service"})
	verdictSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "fleet_verdict_seconds", Help: "Time from a canary's present weight to the verdict.", Buckets: durations,
	}, []string{"verdict"})
	zeroSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "fleet_zero_traffic_seconds", Help: "Time from the decision to take a revision back until no request was sent to it.", Buckets: durations,
	})
	ownership      = newOwners()
	rolloutSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "fleet_rollout_seconds", Help: "Time from a canary's begin to its promotion.", Buckets: durations,
	})
)

var outcomes = map[plan.Verb]string{
	plan.Promote: "promoted", plan.TakeBack: "taken_back", plan.Return: "taken_back", plan.Revert: "reverted",
	plan.Abandon: "abandoned", plan.Replace: "abandoned",
}

func allMetrics() []prometheus.Collector {
	return []prometheus.Collector{rollouts, weight, evidenceAgainst, measuredShare, verdictSeconds, zeroSeconds, rolloutSeconds, ownership}
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

// measure counts a decision after it was written.
func (r *Reconciler) measure(s *scope, before *v1alpha1.FleetServiceStatus) {
	d, now := s.plan.Decision, s.observation.Now
	if outcome := outcomes[d.Verb]; outcome != "" {
		cause := ""
		if d.Verb == plan.TakeBack || d.Verb == plan.Return { // otherwise it is an earlier one's
			cause = d.State.Rejected.Reason
		}
		rollouts.WithLabelValues(outcome, cause).Inc()
	}
	verdict := map[plan.Verb]string{plan.Advance: "harmless", plan.Promote: "harmless", plan.TakeBack: "worse"}[d.Verb]
	if since := s.observation.State.Traffic.Since; verdict != "" && s.observation.State.Percent > 0 {
		verdictSeconds.WithLabelValues(verdict).Observe(now.Sub(since).Seconds())
	}
	if d.Verb == plan.Promote && before.Canary != nil {
		rolloutSeconds.Observe(now.Sub(before.Canary.Since.Time).Seconds())
	}
	if d.Verb == plan.Verified && before.Rejected != nil && before.Traffic != nil && before.Traffic.Since.Before(&before.Rejected.At) && before.Traffic.Other == before.Rejected.Hash {
		zeroSeconds.Observe(now.Sub(before.Rejected.At.Time).Seconds())
	}
	weight.WithLabelValues(s.fs.Namespace, s.fs.Name).Set(float64(d.State.Percent))
}

// measureEvidence shows what was counted last.
func (s *scope) measureEvidence() {
	if s.book == nil {
		return
	}
	evidenceAgainst.WithLabelValues(s.fs.Namespace, s.fs.Name).Set(s.judgement.LogE)
	if !s.observation.State.ReadsAlong() {
		measuredShare.WithLabelValues(s.fs.Namespace, s.fs.Name).Set(s.judgement.MeasuredShare)
	}
}

// forgetEvidence drops the series that say something of a rollout, when there is none.
func forgetEvidence(name types.NamespacedName) {
	for _, g := range []*prometheus.GaugeVec{evidenceAgainst, measuredShare} {
		g.DeleteLabelValues(name.Namespace, name.Name)
	}
}

// forgetMetrics drops the series of a service that is gone.
func forgetMetrics(name types.NamespacedName) {
	forgetEvidence(name)
	ownership.forget(name)
	weight.DeleteLabelValues(name.Namespace, name.Name)
}
