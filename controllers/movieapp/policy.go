package movieapp

import (
	"cmp"

	"movieexample.com/fleet/api/v1alpha1"
)

// withPolicies is a spec with the policies of another one: those parts that restart nothing. They are no release, and
// reach a service at once, even while its release is held.
func withPolicies(spec, from v1alpha1.FleetServiceSpec) v1alpha1.FleetServiceSpec {
	spec.Replicas, spec.Autoscaling = from.Replicas, from.Autoscaling
	spec.DeletionPolicy, spec.Ownership = from.DeletionPolicy, from.Ownership
	spec.Rollout, spec.Objectives, spec.Traffic, spec.Signals = from.Rollout, from.Objectives, from.Traffic, from.Signals
	return spec
}

// rollout is a service's policy: its own before the application's, field by field, as in all that follows.
func rollout(app, own *v1alpha1.RolloutPolicy) *v1alpha1.RolloutPolicy {
	if app == nil || own == nil {
		return cmp.Or(own, app.DeepCopy())
	}
	return &v1alpha1.RolloutPolicy{
		Steps:                list(own.Steps, app.Steps),
		StartDeadline:        cmp.Or(own.StartDeadline, app.StartDeadline),
		MinStep:              cmp.Or(own.MinStep, app.MinStep),
		MaxStepDuration:      cmp.Or(own.MaxStepDuration, app.MaxStepDuration),
		OnInconclusive:       cmp.Or(own.OnInconclusive, app.OnInconclusive),
		OnNoTraffic:          cmp.Or(own.OnNoTraffic, app.OnNoTraffic),
		Bake:                 cmp.Or(own.Bake, app.Bake),
		Verdict:              verdict(app.Verdict, own.Verdict),
		Paused:               cmp.Or(own.Paused, app.Paused),
		RevisionHistoryLimit: cmp.Or(own.RevisionHistoryLimit, app.RevisionHistoryLimit),
	}
}

// list is a service's own list where it gives one. An empty one counts: no steps at all is blue-green.
func list[T any](own, app []T) []T {
	if own != nil {
		return own
	}
	return app
}

func verdict(app, own *v1alpha1.VerdictPolicy) *v1alpha1.VerdictPolicy {
	if app == nil || own == nil {
		return cmp.Or(own, app.DeepCopy())
	}
	return &v1alpha1.VerdictPolicy{
		FalseRollback: cmp.Or(own.FalseRollback, app.FalseRollback),
		FalsePromote:  cmp.Or(own.FalsePromote, app.FalsePromote),
		Tolerance:     cmp.Or(own.Tolerance, app.Tolerance),
	}
}

// traffic says how a service is reached. The application's Gateway is for those services that have paths or gRPC services.
func traffic(app, own *v1alpha1.TrafficPolicy, known v1alpha1.GatewayTraffic) *v1alpha1.TrafficPolicy {
	a, o := value(app), value(own)
	out := v1alpha1.TrafficPolicy{EastWest: cmp.Or(o.EastWest, a.EastWest), NorthSouth: cmp.Or(o.NorthSouth, a.NorthSouth)}
	routes := gateway(value(a.Gateway), value(o.Gateway), known)
	switch {
	case out.NorthSouth != v1alpha1.NorthSouthGateway:
	case len(routes.PathPrefixes)+len(routes.GRPCServices) > 0:
		out.Gateway = &routes
	default:
		out.NorthSouth = o.NorthSouth
	}
	if out == (v1alpha1.TrafficPolicy{}) {
		return nil
	}
	return &out
}

// gateway is where a service's routes attach to and what they lead to. Paths are never the application's: two services
// cannot have the same.
func gateway(app, own, known v1alpha1.GatewayTraffic) v1alpha1.GatewayTraffic {
	return v1alpha1.GatewayTraffic{
		ParentRefs:   list(own.ParentRefs, app.ParentRefs),
		Hostnames:    list(own.Hostnames, app.Hostnames),
		PathPrefixes: list(own.PathPrefixes, known.PathPrefixes),
		GRPCServices: list(own.GRPCServices, known.GRPCServices),
	}
}

func ownership(app, own *v1alpha1.Ownership) *v1alpha1.Ownership {
	if app == nil || own == nil {
		return cmp.Or(own, app.DeepCopy())
	}
	return &v1alpha1.Ownership{
		Accountable: cmp.Or(own.Accountable, app.Accountable),
		Support:     cmp.Or(own.Support, app.Support),
		Oncall:      cmp.Or(own.Oncall, app.Oncall),
	}
}

// value is what a field says, or nothing.
func value[T any](field *T) T {
	if field == nil {
		return *new(T)
	}
	return *field
}
