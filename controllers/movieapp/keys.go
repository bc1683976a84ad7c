package movieapp

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/movieapp/authkeys"
)

// keysInterval is how often the Secret of keys is looked at: one that was deleted by hand comes back as soon.
const keysInterval = time.Minute

// keepKeys makes and rotates the keys of an application's auth service, and returns when it is to be asked again; 0 means
// never. A Secret of the name that is not ours is a person's, and is left as it is.
func (r *Reconciler) keepKeys(ctx context.Context, app *v1alpha1.MovieApp) (time.Duration, error) {
	if !makesKeys(app) {
		return 0, nil
	}
	secret := &corev1.Secret{}
	err := r.direct.Get(ctx, client.ObjectKey{Namespace: app.Namespace, Name: authKeys(app)}, secret)
	if client.IgnoreNotFound(err) != nil {
		return 0, fmt.Errorf("get Secret %s: %w", authKeys(app), err)
	}
	absent := apierrors.IsNotFound(err)
	if !absent && !metav1.IsControlledBy(secret, app) {
		return 0, nil
	}
	data, due, err := authkeys.Step(secret.Data, r.clock.Now(), keyRotation(app), authkeys.Generate)
	if err != nil {
		return 0, err
	}
	wait := max(min(due.Sub(r.clock.Now()), keysInterval), time.Second)
	if data == nil {
		return wait, nil
	}
	secret.Data = data
	if !absent {
		return wait, r.rotate(ctx, secret)
	}
	secret.ObjectMeta = metav1.ObjectMeta{
		Namespace: app.Namespace, Name: authKeys(app),
		Labels:          map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelApp: app.Name},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("MovieApp"))},
	}
	secret.Type = "servicebinding.io/" + authkeys.Type
	if err := r.client.Create(ctx, secret, client.FieldOwner(fieldManager)); err != nil {
		return 0, fmt.Errorf("create Secret %s: %w", secret.Name, err)
	}
	return wait, nil
}

// rotate writes what was read and changed; if somebody else wrote meanwhile it is a conflict, and tried again.
func (r *Reconciler) rotate(ctx context.Context, secret *corev1.Secret) error {
	if err := r.client.Update(ctx, secret, client.FieldOwner(fieldManager)); err != nil {
		return fmt.Errorf("rotate the keys in Secret %s: %w", secret.Name, err)
	}
	return nil
}

// releaseKeys lets the keys stay when their owner goes.
func (r *Reconciler) releaseKeys(ctx context.Context, app *v1alpha1.MovieApp) error {
	if !makesKeys(app) {
		return nil
	}
	secret := &corev1.Secret{}
	err := r.direct.Get(ctx, client.ObjectKey{Namespace: app.Namespace, Name: authKeys(app)}, secret)
	if apierrors.IsNotFound(err) || (err == nil && !metav1.IsControlledBy(secret, app)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get Secret %s: %w", authKeys(app), err)
	}
	secret.OwnerReferences = slices.DeleteFunc(secret.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == app.UID })
	if err := r.client.Update(ctx, secret, client.FieldOwner(fieldManager)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("let Secret %s go: %w", secret.Name, err)
	}
	return nil
}
