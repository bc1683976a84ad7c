package movieapp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/movieapp/certificates"
)

// certificatesInterval is how often the Secrets with certificates are looked at: one that was deleted by hand comes back as
// soon.
const certificatesInterval = time.Minute

// soonIssued is how often cert-manager is asked whether it is done.
const soonIssued = 5 * time.Second

// certified is what is known of an application's certificates.
type certified struct {
	condition metav1.Condition
	// wait is when to look again.
	wait time.Duration
}

// keepCertificates makes and renews the certificates of an application with TLS; nil for one without. An error is in the
// condition too, as what could not be observed.
func (r *Reconciler) keepCertificates(ctx context.Context, app *v1alpha1.MovieApp) (*certified, error) {
	if app.Spec.TLS == nil {
		return nil, nil
	}
	live, _, err := r.children(ctx, app)
	if err != nil {
		return nil, err
	}
	names := certifiedServices(app, live)
	if known := r.certificates.recall(app, names, r.clock.Now()); known != nil {
		return known, nil
	}
	var found certified
	if app.Spec.TLS.IssuerRef != nil {
		found, err = r.request(ctx, app, names)
	} else {
		found, err = r.certify(ctx, app, names, live)
	}
	if err != nil {
		r.certificates.forget(app)
		return &certified{condition: condition(v1alpha1.ConditionCertificatesReady, metav1.ConditionUnknown, v1alpha1.ReasonCouldNotObserve, err.Error())}, err
	}
	r.certificates.keep(app, names, r.clock.Now(), found)
	return &found, nil
}

// certifiedServices are the FleetServices that the operator gives certificates: those of the spec, and those that still go.
func certifiedServices(app *v1alpha1.MovieApp, live map[string]*v1alpha1.FleetService) []string {
	names := map[string]bool{}
	for name, s := range app.Spec.Services {
		if s.Bindings == nil || s.Bindings.TLS == nil {
			names[app.Name+"-"+name] = true
		}
	}
	for name := range live {
		if _, there := app.Spec.Services[component(app, name)]; !there {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// certify gives the services certificates of the operator's own authority.
func (r *Reconciler) certify(ctx context.Context, app *v1alpha1.MovieApp, names []string, live map[string]*v1alpha1.FleetService) (certified, error) {
	held, taken, err := r.readCertificates(ctx, app, names)
	if err != nil {
		return certified{}, err
	}
	if slices.Contains(taken, authorities(app)) {
		return nameTaken("Secret", taken), nil
	}
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(taken, certificateOf(n)) })
	state, services := stateOf(app, names, held)
	now := r.clock.Now()
	var doubts []string
	trusted := certificates.Awaited(state.Authority, now)
	if trusted != "" {
		if doubts, err = r.doubts(ctx, app, live, trusted); err != nil {
			return certified{}, err
		}
	}
	if len(doubts) > 0 {
		trusted = ""
	}
	change, err := certificates.Step(state, services, trusted, now, longevity(app))
	if err != nil {
		return certified{}, err
	}
	if err := r.writeCertificates(ctx, app, held, change); err != nil {
		return certified{}, err
	}
	if len(taken) > 0 {
		return nameTaken("Secret", taken), nil
	}
	wait := max(min(change.Due.Sub(now), certificatesInterval), time.Second)
	return certified{condition: issued(len(names), change, doubts), wait: wait}, nil
}

// stateOf is what our Secrets hold, and who is to have a certificate.
func stateOf(app *v1alpha1.MovieApp, names []string, held map[string]*corev1.Secret) (certificates.State, []certificates.Service) {
	state := certificates.State{Leaves: map[string]map[string][]byte{}}
	if s := held[authorities(app)]; s != nil {
		state.Authority = s.Data
	}
	var services []certificates.Service
	for _, name := range names {
		services = append(services, certificates.Service{Name: name, Identity: identity(app, name), Hosts: hosts(app, name)})
		if s := held[certificateOf(name)]; s != nil {
			state.Leaves[name] = s.Data
		}
	}
	return state, services
}

func issued(n int, change certificates.Change, doubts []string) metav1.Condition {
	if change.Awaited == "" {
		return condition(v1alpha1.ConditionCertificatesReady, metav1.ConditionTrue, v1alpha1.ReasonCertificatesIssued,
			fmt.Sprintf("%d services have certificates of the authority %.16s", n, change.Signs))
	}
	message := fmt.Sprintf("the next authority, %.16s, signs as soon as every pod trusts it", change.Awaited)
	if len(doubts) > 0 {
		message += "; it waits for " + some(doubts)
	}
	return condition(v1alpha1.ConditionCertificatesReady, metav1.ConditionTrue, v1alpha1.ReasonAuthorityRotating, message)
}

// some are the first of a list, since a condition has room for 32 KiB.
func some(list []string) string {
	const most = 5
	if len(list) <= most {
		return strings.Join(list, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(list[:most], "; "), len(list)-most)
}

func nameTaken(kind string, names []string) certified {
	return certified{wait: certificatesInterval, condition: condition(v1alpha1.ConditionCertificatesReady, metav1.ConditionFalse, v1alpha1.ReasonNameTaken,
		fmt.Sprintf("%s %s exists and is not owned by this MovieApp, and is left as it is: delete it, or name a service's own certificate in services.<name>.bindings.tls", kind, strings.Join(names, ", ")))}
}

// readCertificates are our Secrets as they are, and the names of those that belong to somebody else.
func (r *Reconciler) readCertificates(ctx context.Context, app *v1alpha1.MovieApp, services []string) (held map[string]*corev1.Secret, taken []string, err error) {
	held = map[string]*corev1.Secret{}
	for _, name := range certificateSecrets(app, services) {
		secret := &corev1.Secret{}
		err := r.direct.Get(ctx, client.ObjectKey{Namespace: app.Namespace, Name: name}, secret)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, nil, fmt.Errorf("get Secret %s: %w", name, err)
		case metav1.IsControlledBy(secret, app):
			held[name] = secret
		default:
			taken = append(taken, name)
		}
	}
	return held, taken, nil
}

// certificateSecrets are the names of the Secrets, the authorities' first.
func certificateSecrets(app *v1alpha1.MovieApp, services []string) []string {
	list := []string{authorities(app)}
	for _, name := range services {
		list = append(list, certificateOf(name))
	}
	return list
}

// writeCertificates writes what changed, the authorities first. A conflict, if somebody else wrote meanwhile, is tried again.
func (r *Reconciler) writeCertificates(ctx context.Context, app *v1alpha1.MovieApp, held map[string]*corev1.Secret, change certificates.Change) error {
	if change.Authority != nil {
		if err := r.writeSecret(ctx, app, held, authorities(app), corev1.SecretTypeOpaque, change.Authority); err != nil {
			return err
		}
	}
	for _, service := range slices.Sorted(maps.Keys(change.Leaves)) {
		if err := r.writeSecret(ctx, app, held, certificateOf(service), corev1.SecretTypeTLS, change.Leaves[service]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) writeSecret(ctx context.Context, app *v1alpha1.MovieApp, held map[string]*corev1.Secret, name string, kind corev1.SecretType, data map[string][]byte) error {
	var err error
	if secret := held[name]; secret != nil {
		secret.Data = data
		err = r.client.Update(ctx, secret, client.FieldOwner(fieldManager))
	} else {
		secret = newSecret(app, name, kind)
		secret.Data = data
		err = r.client.Create(ctx, secret, client.FieldOwner(fieldManager))
	}
	if err != nil {
		return fmt.Errorf("write Secret %s: %w", name, err)
	}
	return nil
}

// newSecret is an empty Secret of ours.
func newSecret(app *v1alpha1.MovieApp, name string, kind corev1.SecretType) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: app.Namespace, Name: name,
			Labels:          map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelApp: app.Name},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("MovieApp"))},
		},
		Type: kind,
	}
}

// releaseCertificates lets the certificates stay when their owner goes.
func (r *Reconciler) releaseCertificates(ctx context.Context, app *v1alpha1.MovieApp, live map[string]*v1alpha1.FleetService) error {
	if app.Spec.TLS == nil {
		return nil
	}
	names := certifiedServices(app, live)
	held, _, err := r.readCertificates(ctx, app, names)
	if err != nil {
		return err
	}
	var failed []error
	for _, name := range slices.Sorted(maps.Keys(held)) {
		failed = append(failed, r.disown(ctx, app, held[name]))
	}
	if app.Spec.TLS.IssuerRef != nil {
		failed = append(failed, r.releaseRequests(ctx, app, names))
	}
	return errors.Join(failed...)
}

// disown lets an object stay when its owner goes.
func (r *Reconciler) disown(ctx context.Context, app *v1alpha1.MovieApp, o client.Object) error {
	o.SetOwnerReferences(slices.DeleteFunc(o.GetOwnerReferences(), func(ref metav1.OwnerReference) bool { return ref.UID == app.UID }))
	if err := r.client.Update(ctx, o, client.FieldOwner(fieldManager)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("let %s go: %w", o.GetName(), err)
	}
	return nil
}
