package fleetservice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
)

// sweepRegistry takes the instances of pods that are gone out of Consul. It is a courtesy: callers use healthy instances
// only, and Consul drops the others after a minute. So what fails is logged, and tried again at the next look.
func (r *Reconciler) sweepRegistry(ctx context.Context, s *scope) {
	if s.report.Consul == nil {
		return
	}
	live := map[string]bool{}
	for i := range s.pods {
		live[string(s.pods[i].UID)] = true
	}
	left, err := r.traffic.consul.Deregister(ctx, s.target(), live, r.podsOf(s.fs))
	if len(left) > 0 {
		log.FromContext(ctx).Info("Took instances out of Consul whose pods are gone", "instances", left)
	}
	if err != nil {
		log.FromContext(ctx).Info("Could not take instances out of Consul whose pods are gone", "cause", err.Error())
	}
}

// registration is where the spec has Consul hold the service; false where it binds none.
func registration(fs *v1alpha1.FleetService) (v1alpha1.ConsulRegistration, bool) {
	if fs.Spec.Bindings == nil || fs.Spec.Bindings.Consul == nil {
		return v1alpha1.ConsulRegistration{}, false
	}
	secret := cmp.Or(fs.Spec.Bindings.ConsulAdmin, fs.Spec.Bindings.Consul).SecretRef.Name
	return v1alpha1.ConsulRegistration{Name: revision.ConsulName(fs), SecretName: secret}, true
}

// registrations are where Consul holds something of the service after a reconcile that has left some places. A Consul that
// another Secret names now is taken for the same as before: two addresses may lead to one.
func (s *scope) registrations() []v1alpha1.ConsulRegistration {
	now, bound := registration(s.fs)
	list := slices.DeleteFunc(slices.Clone(s.fs.Status.Consul), func(r v1alpha1.ConsulRegistration) bool {
		return slices.Contains(s.left, r) || (bound && r.Name == now.Name)
	})
	if bound {
		list = append(list, now)
	}
	return list
}

// former are the places where the spec has Consul hold the service no more.
func former(fs *v1alpha1.FleetService) []v1alpha1.ConsulRegistration {
	now, bound := registration(fs)
	return slices.DeleteFunc(slices.Clone(fs.Status.Consul), func(r v1alpha1.ConsulRegistration) bool { return bound && r.Name == now.Name })
}

// leaveRegistries takes the service out of a Consul, or away from a name, that it is bound to no more, when no revision is
// left that was. Where that is not possible for a minute it is told, and done without.
func (r *Reconciler) leaveRegistries(ctx context.Context, s *scope) {
	state := s.observation.State
	alone := state.Canary.Hash == "" && state.Previous.Hash == "" && len(state.Leaving) == 0
	if !alone || state.Stable.Hash != s.observation.Desired.Hash {
		return
	}
	for _, old := range former(s.fs) {
		err := r.leaveRegistry(ctx, s.fs, old)
		switch {
		case err == nil:
			log.FromContext(ctx).Info("Took the service out of Consul, which it is bound to no more", "name", old.Name, "secret", old.SecretName)
		case s.observation.Now.Sub(r.memory.tryingSince(s.fs.UID, s.observation.Now)) < finalizeDeadline:
			log.FromContext(ctx).Info("Could not take the service out of Consul, which it is bound to no more; it is tried again", "name", old.Name, "cause", err.Error())
			continue
		default:
			r.announceKept(s.fs, old, err)
		}
		r.memory.succeeded(s.fs.UID)
		s.left = append(s.left, old)
	}
}

// leaveRegistry removes config entries and instances of the service at one place.
func (r *Reconciler) leaveRegistry(ctx context.Context, fs *v1alpha1.FleetService, old v1alpha1.ConsulRegistration) error {
	binding := &v1alpha1.Bindings{Consul: &v1alpha1.ConsulBinding{SecretRef: v1alpha1.SecretReference{Name: old.SecretName}}}
	report, err := r.bindings.Check(ctx, fs.Namespace, binding)
	if err != nil {
		return fmt.Errorf("look at Consul's Secret: %w", err)
	}
	if _, bound := registration(fs); report.Consul == nil && !bound { // the Secret may have gone with the binding
		if agent, known := r.memory.agent(fs.UID); known {
			report.Consul = &agent
		}
	}
	if report.Consul == nil {
		return errors.New(report.Message())
	}
	target := traffic.Target{Service: fs, Consul: report.Consul, Name: old.Name}
	if err := r.traffic.consul.Remove(ctx, target); err != nil {
		return err
	}
	_, err = r.traffic.consul.Deregister(ctx, target, nil, r.podsOf(fs))
	return err
}

// podsOf tells of a service's pods whether they are gone.
func (r *Reconciler) podsOf(fs *v1alpha1.FleetService) traffic.Gone {
	return func(ctx context.Context, pod, uid string) (bool, error) {
		return r.podGone(ctx, client.ObjectKey{Namespace: fs.Namespace, Name: pod}, uid)
	}
}

// podGone asks the API server itself: the cache may not know a new pod yet.
func (r *Reconciler) podGone(ctx context.Context, name client.ObjectKey, uid string) (bool, error) {
	pod := &corev1.Pod{}
	err := r.direct.Get(ctx, name, pod)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("get pod %s: %w", name, err)
	}
	return string(pod.UID) != uid, nil
}
