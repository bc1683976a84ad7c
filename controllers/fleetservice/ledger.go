package fleetservice

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/ledger"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

// readLedger reads the ledger of a service's name; an empty one where there is none. *ledger.Damaged needs a person.
func (r *Reconciler) readLedger(ctx context.Context, fs *v1alpha1.FleetService) (ledger.Ledger, error) {
	cm := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: fs.Namespace, Name: ledger.Name(fs.Name)}
	err := r.client.Get(ctx, key, cm)
	if apierrors.IsNotFound(err) {
		err = r.direct.Get(ctx, key, cm) // without our label the cache does not hold it
	}
	if apierrors.IsNotFound(err) {
		return ledger.Ledger{}, nil
	}
	if err != nil {
		return ledger.Ledger{}, fmt.Errorf("get ConfigMap %s: %w", key.Name, err)
	}
	return ledger.Parse(cm)
}

// remember keeps the ledger: the quarantine of what was taken back, and the revision promoted last. One that is damaged is
// left as it is, for a person to mend; until then status holds what would be added.
func (r *Reconciler) remember(ctx context.Context, s *scope, _ plan.Action) error {
	if s.observation.LedgerDamaged != "" {
		return nil
	}
	next, err := s.remembered()
	if err != nil {
		return err
	}
	if next.Equal(s.ledger) {
		return nil
	}
	cm, err := next.Render(s.fs)
	if err != nil {
		return fmt.Errorf("write ConfigMap %s: %w", ledger.Name(s.fs.Name), err)
	}
	if _, err := r.applier.Apply(ctx, cm); err != nil {
		return fmt.Errorf("write ConfigMap %s: %w", cm.Name, err)
	}
	s.ledger = next
	return nil
}

// remembered is the ledger as it should be.
func (s *scope) remembered() (ledger.Ledger, error) {
	state, l := s.observation.State, s.ledger.WithDeleted(time.Time{})
	if hash := state.Command.Forgiven(); hash != "" {
		if e, found := l.Quarantined(hash); found && !e.At.After(state.Command.At) {
			l = l.Forgive(hash)
		}
	}
	if r := s.fs.Status.Rejected; r != nil && r.Quarantined {
		l = l.WithQuarantine(ledger.Entry{Hash: r.Hash, Image: r.Image, Reason: r.Reason, Message: r.Message, At: r.At.Time, Signals: r.Signals})
	}
	stable := state.Stable
	if stable.Hash == "" || (l.Promoted != nil && l.Promoted.Hash == stable.Hash) {
		return l, nil
	}
	cr := s.snapshots[stable.Hash]
	if cr == nil || cr.Data.Raw == nil {
		return l, nil
	}
	snapshot, err := revision.Decode(cr)
	if err != nil {
		return l, err
	}
	return l.WithPromoted(stable.Hash, stable.Image, stable.Since, snapshot), nil
}

// closeLedger notes in the ledger that its resource goes. Where there is none, none is made.
func (r *Reconciler) closeLedger(ctx context.Context, fs *v1alpha1.FleetService) error {
	cm := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: fs.Namespace, Name: ledger.Name(fs.Name)}
	if err := r.client.Get(ctx, key, cm); err != nil {
		return client.IgnoreNotFound(err)
	}
	l, err := ledger.Parse(cm)
	if err != nil || !l.DeletedAt.IsZero() {
		return nil //nolint:nilerr // one that is damaged is left to people, as it is
	}
	next, err := l.WithDeleted(r.clock.Now()).Render(fs)
	if err != nil {
		return fmt.Errorf("write ConfigMap %s: %w", key.Name, err)
	}
	marked := cm.DeepCopy()
	marked.Data = next.Data
	if err := r.client.Patch(ctx, marked, client.MergeFrom(cm), client.FieldOwner(fieldManager)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write ConfigMap %s: %w", key.Name, err)
	}
	return nil
}

// maxSwept bounds how many ledgers go at once, so that a clock that jumps does not take all.
const maxSwept = 100

// sweepLedgers removes ledgers whose service was deleted 30 days ago and was not made anew. One that is damaged is left to
// people.
func (r *Reconciler) sweepLedgers(ctx context.Context) error {
	var list corev1.ConfigMapList
	if err := r.client.List(ctx, &list, client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue}); err != nil {
		return fmt.Errorf("list ConfigMaps: %w", err)
	}
	var failures []error
	swept := 0
	for i := range list.Items {
		cm := &list.Items[i]
		left, err := r.leftBehind(ctx, cm)
		if err == nil && left && swept < maxSwept {
			swept++
			log.FromContext(ctx).Info("Remove a ledger: its service was deleted 30 days ago", "namespace", cm.Namespace, "configMap", cm.Name)
			err = client.IgnoreNotFound(r.client.Delete(ctx, cm, client.Preconditions{UID: &cm.UID, ResourceVersion: &cm.ResourceVersion}))
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("ConfigMap %s: %w", client.ObjectKeyFromObject(cm), err))
		}
	}
	return errors.Join(failures...)
}

// leftBehind is true of a ledger that may go.
func (r *Reconciler) leftBehind(ctx context.Context, cm *corev1.ConfigMap) (bool, error) {
	service := cm.Labels[v1alpha1.LabelService]
	if service == "" || cm.Name != ledger.Name(service) || len(cm.OwnerReferences) > 0 {
		return false, nil
	}
	l, err := ledger.Parse(cm)
	if err != nil || !l.Expired(r.clock.Now()) {
		return false, nil //nolint:nilerr // told at the service, where there is one
	}
	err = r.client.Get(ctx, client.ObjectKey{Namespace: cm.Namespace, Name: service}, &v1alpha1.FleetService{})
	return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
}
