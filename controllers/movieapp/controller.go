package movieapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/apply"
	"movieexample.com/fleet/controllers/internal/bindings"
)

const (
	// usualInterval is how often an application is looked at although no event came.
	usualInterval = time.Minute
	// soon is how long to wait for the cache after somebody else wrote first.
	soon = 100 * time.Millisecond
)

// fieldManager owns what a MovieApp says about its FleetServices.
const fieldManager = "fleet-movieapp"

// Options are what the manager decides.
type Options struct {
	// Clock tells the time; default the real one.
	Clock clock.PassiveClock
	// Concurrency is how many applications are reconciled at once. Default 4.
	Concurrency int
}

// Reconciler delivers MovieApps.
type Reconciler struct {
	client   client.Client
	direct   client.Reader
	clock    clock.PassiveClock
	events   events.EventRecorder
	applier  *apply.Applier
	bindings *bindings.Reader
	// certificates remembers what was found out about those of each application.
	certificates lookout
}

// +kubebuilder:rbac:groups=fleet.movieexample.com,resources=movieapps,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=fleet.movieexample.com,resources=movieapps/status,verbs=update
// +kubebuilder:rbac:groups=fleet.movieexample.com,resources=movieapps/finalizers,verbs=update
// +kubebuilder:rbac:groups=fleet.movieexample.com,resources=fleetservices,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;update
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// New returns a Reconciler that reads from c (a cache), and Secrets from direct.
func New(c client.Client, direct client.Reader, recorder events.EventRecorder, clk clock.PassiveClock) *Reconciler {
	return &Reconciler{
		client: c, direct: direct, clock: clk, events: recorder,
		applier: apply.New(c, direct, fieldManager), bindings: bindings.NewReader(direct, clk),
	}
}

// SetupWithManager adds the controller to the manager.
func SetupWithManager(mgr ctrl.Manager, opts Options) error {
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	if opts.Concurrency == 0 {
		opts.Concurrency = 4
	}
	r := New(mgr.GetClient(), mgr.GetAPIReader(), mgr.GetEventRecorder("movieapp"), opts.Clock)
	// Our own status writes are no news.
	changed := predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.MovieApp{}, builder.WithPredicates(changed)).
		Owns(&v1alpha1.FleetService{}).
		Owns(&corev1.ConfigMap{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: opts.Concurrency}).
		Complete(r)
}

// Reconcile brings one application a step further.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	app := &v1alpha1.MovieApp{}
	if err := r.client.Get(ctx, req.NamespacedName, app); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !app.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, app)
	}
	if err := r.addFinalizer(ctx, app); err != nil {
		return reconcile.Result{}, err
	}
	keysDue, keysErr := r.keepKeys(ctx, app) // without them auth waits, and nobody else does
	certified, certifyErr := r.keepCertificates(ctx, app)
	o, err := r.observe(ctx, app)
	if err != nil {
		return reconcile.Result{}, err
	}
	o.certified = certified
	flagged, flagsErr := r.keepFlags(ctx, app)
	o.invalid = cmp.Or(o.invalid, flagged)
	p := decide(o)
	actErr := r.act(ctx, o, &p)
	again, statusErr := r.report(ctx, app, statusOf(o, p, r.clock.Now()))
	if err := errors.Join(keysErr, certifyErr, flagsErr, actErr, statusErr); err != nil {
		return reconcile.Result{}, err
	}
	if again {
		return reconcile.Result{RequeueAfter: soon}, nil
	}
	wait := next(o)
	if keysDue > 0 {
		wait = min(wait, keysDue)
	}
	if certified != nil {
		wait = min(wait, certified.wait)
	}
	return reconcile.Result{RequeueAfter: wait}, nil
}

func (r *Reconciler) addFinalizer(ctx context.Context, app *v1alpha1.MovieApp) error {
	before := app.DeepCopy()
	if !controllerutil.AddFinalizer(app, v1alpha1.Finalizer) {
		return nil
	}
	// The list of finalizers is replaced as a whole, so it must be the one that was read.
	if err := r.client.Patch(ctx, app, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("add the finalizer: %w", err)
	}
	return nil
}

// report writes status when it differs from what is stored. It is true when somebody else wrote first: then what was
// read is old, and everything is looked at again.
func (r *Reconciler) report(ctx context.Context, app *v1alpha1.MovieApp, status v1alpha1.MovieAppStatus) (again bool, err error) {
	before := app.Status
	if equality.Semantic.DeepEqual(before, status) {
		return false, nil
	}
	app.Status = status
	if err := r.client.Status().Update(ctx, app); err != nil {
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, fmt.Errorf("write status: %w", err)
	}
	r.announceTurn(app, before.Conditions)
	return false, nil
}

// next is when a Secret is due to be read again.
func next(o observation) time.Duration {
	wait := usualInterval
	for _, b := range o.bindings {
		if b.RetryAfter > 0 {
			wait = min(wait, b.RetryAfter)
		}
	}
	if len(o.unobserved) > 0 {
		wait = min(wait, 5*time.Second)
	}
	return wait
}
