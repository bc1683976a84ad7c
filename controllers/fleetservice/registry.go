package fleetservice

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
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
	left, err := r.traffic.consul.Deregister(ctx, s.target(), live, func(ctx context.Context, pod, uid string) (bool, error) {
		return r.podGone(ctx, client.ObjectKey{Namespace: s.fs.Namespace, Name: pod}, uid)
	})
	if len(left) > 0 {
		log.FromContext(ctx).Info("Took instances out of Consul whose pods are gone", "instances", left)
	}
	if err != nil {
		log.FromContext(ctx).Info("Could not take instances out of Consul whose pods are gone", "cause", err.Error())
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
