package fleetservice

import (
	"context"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/signals/check"
)

// askEvery is how long an answer of a Prometheus query or a webhook holds.
const askEvery = 5 * time.Second

// panel are the checks of one release, with the policy that they were made from.
type panel struct {
	*check.Panel

	policy *v1alpha1.SignalPolicy
}

// ask hears what queries and webhooks say of a canary that has a share of the requests. They answer in the background:
// nobody who is slow delays a verdict on counters.
func (r *Reconciler) ask(s *scope, b *book) {
	o, service := &s.observation, client.ObjectKeyFromObject(s.fs).String()
	if o.State.Canary.Hash == "" || o.State.Percent == 0 {
		b.panel = nil
		r.desk.Forget(service)
		return
	}
	if b.panel == nil || !reflect.DeepEqual(b.panel.policy, s.fs.Spec.Signals) {
		b.panel = &panel{Panel: r.asker.Panel(s.fs.Spec.Signals, r.keysOf(s.fs.Namespace)), policy: s.fs.Spec.Signals.DeepCopy()}
	}
	if b.panel.Empty() {
		return
	}
	answer := r.desk.Ask(service, b.panel, check.Rollout{
		Namespace: s.fs.Namespace, Service: s.fs.Name, Canary: o.State.Canary.Hash, Stable: o.State.Stable.Hash, Weight: o.State.Percent,
	}, askEvery)
	switch answer.Verdict {
	case check.Fail:
		o.Evidence.Failed = answer.Message
	case check.Wait, check.Unknown:
		o.Evidence.Waiting = answer.Message
	case check.Pass:
	}
}

// keysOf reads the keys that sign calls, by name and never from a cache.
func (r *Reconciler) keysOf(namespace string) check.Keys {
	return func(ctx context.Context, ref v1alpha1.SecretKeyReference) ([]byte, error) {
		secret := &corev1.Secret{}
		if err := r.direct.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, secret); err != nil {
			return nil, fmt.Errorf("get Secret %s: %w", ref.Name, err)
		}
		key, found := secret.Data[ref.Key]
		if !found || len(key) == 0 {
			return nil, fmt.Errorf("the Secret %s has no key %q, or it is empty: add it", ref.Name, ref.Key)
		}
		return key, nil
	}
}
