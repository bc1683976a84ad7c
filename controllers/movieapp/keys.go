package movieapp

import (
	"context"
	"fmt"
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
	secret, err := r.readKeys(ctx, app)
	if err != nil || (secret != nil && !metav1.IsControlledBy(secret, app)) {
		return 0, err
	}
	absent := secret == nil
	if absent {
		secret = newSecret(app, authKeys(app), "servicebinding.io/"+authkeys.Type)
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
	write := func() error { return r.client.Update(ctx, secret, client.FieldOwner(fieldManager)) }
	if absent {
		write = func() error { return r.client.Create(ctx, secret, client.FieldOwner(fieldManager)) }
	}
	if err := write(); err != nil { // a conflict, if somebody else wrote meanwhile, is tried again
		return 0, fmt.Errorf("write the keys to Secret %s: %w", secret.Name, err)
	}
	return wait, nil
}

// readKeys is the Secret of keys as it is; nil if there is none.
func (r *Reconciler) readKeys(ctx context.Context, app *v1alpha1.MovieApp) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := r.direct.Get(ctx, client.ObjectKey{Namespace: app.Namespace, Name: authKeys(app)}, secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Secret %s: %w", authKeys(app), err)
	}
	return secret, nil
}

// releaseKeys lets the keys stay when their owner goes.
func (r *Reconciler) releaseKeys(ctx context.Context, app *v1alpha1.MovieApp) error {
	if !makesKeys(app) {
		return nil
	}
	secret, err := r.readKeys(ctx, app)
	if err != nil || secret == nil || !metav1.IsControlledBy(secret, app) {
		return err
	}
	return r.disown(ctx, app, secret)
}
