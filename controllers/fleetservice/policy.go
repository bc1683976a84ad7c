package fleetservice

import (
	"cmp"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/revision"
	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/fleetservice/verdict"
)

// Defaults of what a rollout policy leaves out; api/v1alpha1 documents them.
const (
	defaultStartDeadline  = time.Minute
	defaultMinStep        = 10 * time.Second
	defaultMaxStep        = 10 * time.Minute
	defaultBake           = 10 * time.Minute
	defaultInterval       = time.Second
	defaultFalseRollback  = "0.01"
	defaultFalsePromote   = "0.05"
	defaultTolerance      = "1.5"
	defaultErrorPercent   = "1"
	defaultRefusalPercent = "5"
	defaultLatencyPercent = "99"
)

func defaultSteps() []int32 { return []int32{1, 5, 20, 50} }

// policyOf is a service's rollout policy with defaults filled in.
func policyOf(fs *v1alpha1.FleetService) plan.Policy {
	r := v1alpha1.RolloutPolicy{}
	if fs.Spec.Rollout != nil {
		r = *fs.Spec.Rollout
	}
	p := plan.Policy{
		Steps:          r.Steps,
		StartDeadline:  duration(r.StartDeadline, defaultStartDeadline),
		MinStep:        duration(r.MinStep, defaultMinStep),
		MaxStep:        duration(r.MaxStepDuration, defaultMaxStep),
		OnInconclusive: cmp.Or(r.OnInconclusive, v1alpha1.InconclusivePause),
		OnNoTraffic:    cmp.Or(r.OnNoTraffic, v1alpha1.NoTrafficProceed),
		Bake:           duration(r.Bake, defaultBake),
		Drain:          time.Duration(revision.DrainSeconds(&fs.Spec)) * time.Second,
		Interval:       defaultInterval,
		Paused:         ptr.Deref(r.Paused, false),
		Coarse:         traffic.ByPods(fs),
	}
	if c := fs.Spec.Consumer; c != nil {
		p.Partitions, p.Shadow, p.Rewind, p.Coarse = c.Partitions, c.Shadow, c.Rewind, false
	} else if p.Steps == nil {
		p.Steps = defaultSteps()
	}
	if s := fs.Spec.Signals; s != nil {
		p.Interval = duration(s.Interval, defaultInterval)
	}
	return p
}

func duration(d *metav1.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return d.Duration
}

// paramsOf says what evidence is gathered for; alone, where nothing is there to compare with.
func paramsOf(fs *v1alpha1.FleetService, policy plan.Policy, alone bool) verdict.Params {
	v := v1alpha1.VerdictPolicy{}
	if fs.Spec.Rollout != nil && fs.Spec.Rollout.Verdict != nil {
		v = *fs.Spec.Rollout.Verdict
	}
	o := v1alpha1.Objectives{}
	if fs.Spec.Objectives != nil {
		o = *fs.Spec.Objectives
	}
	tolerance := number(v.Tolerance, defaultTolerance)
	p := verdict.Params{
		FalseRollback: number(v.FalseRollback, defaultFalseRollback), FalsePromote: number(v.FalsePromote, defaultFalsePromote),
		Signals: []verdict.Signal{
			{Name: signals.Errors, Tolerance: tolerance, Objective: number(o.ErrorPercent, defaultErrorPercent) / 100},
			{Name: signals.Refusals, Tolerance: tolerance, Objective: number(o.RefusalPercent, defaultRefusalPercent) / 100},
		},
	}
	if fs.Spec.Consumer != nil { // nobody is refused
		p.Signals, p.Alone = p.Signals[:1], alone
	}
	if l := o.Latency; l != nil {
		slow := 1 - number(l.Percent, defaultLatencyPercent)/100
		p.Signals = append(p.Signals, verdict.Signal{Name: signals.Latency, Tolerance: tolerance, Objective: slow})
	}
	for _, percent := range plan.Weights(policy) {
		p.Weights = append(p.Weights, float64(percent)/100)
	}
	return p
}

// number reads a fraction of the spec, whose form the schema has checked.
func number(text, otherwise string) float64 {
	v, err := strconv.ParseFloat(cmp.Or(text, otherwise), 64)
	if err != nil {
		v, _ = strconv.ParseFloat(otherwise, 64)
	}
	return v
}
