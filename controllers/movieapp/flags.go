package movieapp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/apply"
)

// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;patch

// readsFlags is the service that has feature flags.
const readsFlags = "movie"

// flagsName is the name of the ConfigMap with an application's live flags.
func flagsName(app *v1alpha1.MovieApp) string { return app.Name + "-flags" }

// withFlags is where a service finds the live flags; nil for none.
func withFlags(app *v1alpha1.MovieApp, service string) *v1alpha1.FlagsFile {
	if len(app.Spec.FeatureFlags) == 0 || service != readsFlags {
		return nil
	}
	return &v1alpha1.FlagsFile{ConfigMapName: flagsName(app)}
}

// flagsConfig are the flags that are a part of a service's revision, nil for none.
func flagsConfig(app *v1alpha1.MovieApp, s *service) map[string]any {
	var set []any
	for _, name := range slices.Sorted(maps.Keys(app.Spec.FeatureFlags)) {
		if f := app.Spec.FeatureFlags[name]; f.Rollout == v1alpha1.FlagRevision && s.name == readsFlags {
			set = append(set, fmt.Sprintf("%s=%t", name, f.Value))
		}
	}
	if len(set) == 0 {
		return nil
	}
	return map[string]any{"flags": map[string]any{"set": set}}
}

// liveFlags is the file of the live flags; {} where there are none, since an empty file is taken for a mistake.
func liveFlags(app *v1alpha1.MovieApp) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(app.Spec.FeatureFlags)) {
		if f := app.Spec.FeatureFlags[name]; f.Rollout != v1alpha1.FlagRevision {
			fmt.Fprintf(&out, "%q: %t\n", name, f.Value)
		}
	}
	if out.Len() == 0 {
		return "{}\n"
	}
	return out.String()
}

// flagsMap is the ConfigMap with the live flags.
func flagsMap(app *v1alpha1.MovieApp) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: app.Namespace, Name: flagsName(app),
			Labels:          map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelApp: app.Name},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("MovieApp"))},
		},
		Data: map[string]string{"flags.yaml": liveFlags(app)},
	}
}

// keepFlags writes the live flags. A mistake is a sentence for status: somebody else has the name.
func (r *Reconciler) keepFlags(ctx context.Context, app *v1alpha1.MovieApp) (mistake string, err error) {
	if len(app.Spec.FeatureFlags) == 0 {
		return "", nil
	}
	result, err := r.applier.Apply(ctx, flagsMap(app))
	var taken *apply.NameTaken
	if errors.As(err, &taken) {
		return "spec.featureFlags: " + taken.Error(), nil
	}
	if err == nil && len(result.Restored) > 0 {
		r.tell(restored(), app, nil, "ConfigMap %s was changed by hand and put back. Edit spec.featureFlags of MovieApp %s instead", flagsName(app), app.Name)
	}
	return "", err
}

// releaseFlags lets the flags stay when their owner goes.
func (r *Reconciler) releaseFlags(ctx context.Context, app *v1alpha1.MovieApp) error {
	if len(app.Spec.FeatureFlags) == 0 {
		return nil
	}
	live := &corev1.ConfigMap{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: app.Namespace, Name: flagsName(app)}, live)
	if err != nil || !metav1.IsControlledBy(live, app) {
		return client.IgnoreNotFound(err)
	}
	before := live.DeepCopy()
	live.OwnerReferences = slices.DeleteFunc(live.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == app.UID })
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, live, patch, client.FieldOwner(fieldManager)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("let ConfigMap %s go: %w", live.Name, err)
	}
	return nil
}
