package movieapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

// certManager is the API group of cert-manager, whose own types would bring all of it with them.
const certManager = "cert-manager.io"

// +kubebuilder:rbac:groups=cert-manager.io,resources=certificates,verbs=get;create;patch;update

// request asks cert-manager for the services' certificates.
func (r *Reconciler) request(ctx context.Context, app *v1alpha1.MovieApp, names []string) (certified, error) {
	var waiting, taken []string
	for _, name := range names {
		wanted := certificateRequest(app, name)
		live, err := r.readRequest(ctx, app, name)
		switch {
		case meta.IsNoMatchError(err):
			return withoutCertManager(app), nil
		case err != nil:
			return certified{}, err
		case live != nil && !metav1.IsControlledBy(live, app):
			taken = append(taken, live.GetName())
			continue
		}
		if live == nil || !equality.Semantic.DeepDerivative(wanted.Object["spec"], live.Object["spec"]) {
			if err := r.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), client.FieldOwner(fieldManager), client.ForceOwnership); err != nil {
				return certified{}, fmt.Errorf("apply Certificate %s: %w", wanted.GetName(), err)
			}
			live = wanted
		}
		if why := notIssued(live); why != "" {
			waiting = append(waiting, live.GetName()+": "+why)
		}
	}
	if len(taken) > 0 {
		return nameTaken("Certificate", taken), nil
	}
	found := certified{wait: certificatesInterval, condition: condition(v1alpha1.ConditionCertificatesReady, metav1.ConditionTrue, v1alpha1.ReasonCertificatesIssued,
		fmt.Sprintf("%d services have certificates that cert-manager issues by %s", len(names), app.Spec.TLS.IssuerRef.Name))}
	if len(waiting) > 0 {
		found.wait = soonIssued
		found.condition = condition(v1alpha1.ConditionCertificatesReady, metav1.ConditionFalse, v1alpha1.ReasonIssuing, "cert-manager has not issued "+some(waiting))
	}
	return found, nil
}

func withoutCertManager(app *v1alpha1.MovieApp) certified {
	return certified{wait: certificatesInterval, condition: condition(v1alpha1.ConditionCertificatesReady, metav1.ConditionFalse, v1alpha1.ReasonCertManagerMissing,
		fmt.Sprintf("tls.issuerRef %s needs cert-manager, and this cluster does not have its API %s/v1: install cert-manager", app.Spec.TLS.IssuerRef.Name, certManager))}
}

// certificateRequest is the Certificate of a service, which cert-manager reads.
func certificateRequest(app *v1alpha1.MovieApp, name string) *unstructured.Unstructured {
	p, ref := longevity(app), app.Spec.TLS.IssuerRef
	var dns []any
	for _, h := range hosts(app, name) {
		dns = append(dns, h)
	}
	u := newRequest(app, name)
	u.SetLabels(map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelApp: app.Name})
	u.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("MovieApp"))})
	u.Object["spec"] = map[string]any{
		"secretName": certificateOf(name), "commonName": name, "dnsNames": dns, "uris": []any{identity(app, name)},
		"duration": p.Lifetime.String(), "renewBefore": (p.Lifetime / 3).String(),
		"usages":     []any{"digital signature", "server auth", "client auth"},
		"privateKey": map[string]any{"algorithm": "ECDSA", "size": int64(256), "encoding": "PKCS8", "rotationPolicy": "Always"},
		"issuerRef":  map[string]any{"name": ref.Name, "kind": cmp.Or(ref.Kind, "Issuer"), "group": cmp.Or(ref.Group, certManager)},
	}
	return u
}

func newRequest(app *v1alpha1.MovieApp, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: certManager, Version: "v1", Kind: "Certificate"})
	u.SetNamespace(app.Namespace)
	u.SetName(certificateOf(name))
	return u
}

// readRequest is a service's Certificate as it is; nil if there is none.
func (r *Reconciler) readRequest(ctx context.Context, app *v1alpha1.MovieApp, name string) (*unstructured.Unstructured, error) {
	u := newRequest(app, name)
	err := r.direct.Get(ctx, client.ObjectKeyFromObject(u), u)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Certificate %s: %w", u.GetName(), err)
	}
	return u, nil
}

// notIssued is why a Certificate has no Secret that holds; empty if it has.
func notIssued(u *unstructured.Unstructured) string {
	list, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, item := range list {
		c, _ := item.(map[string]any)
		if c["type"] != "Ready" {
			continue
		}
		if c["status"] == "True" {
			return ""
		}
		message, _ := c["message"].(string)
		return cmp.Or(message, "it is not ready")
	}
	return "it has not looked at it yet"
}

// releaseRequests lets the Certificates stay when their owner goes.
func (r *Reconciler) releaseRequests(ctx context.Context, app *v1alpha1.MovieApp, names []string) error {
	var failed []error
	for _, name := range names {
		live, err := r.readRequest(ctx, app, name)
		switch {
		case meta.IsNoMatchError(err):
			return nil
		case err != nil:
			failed = append(failed, err)
		case live != nil && metav1.IsControlledBy(live, app):
			failed = append(failed, r.disown(ctx, app, live))
		}
	}
	return errors.Join(failed...)
}
