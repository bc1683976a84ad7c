package ratingingestor

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/apply"
	"movieexample.com/fleet/controllers/internal/bindings"
	"movieexample.com/fleet/controllers/internal/kafka"
)

// fieldManager owns what a RatingIngestor says about its FleetService.
const fieldManager = "fleet-ingestor"

const (
	// lookEvery is how often Kafka is looked at.
	lookEvery = 5 * time.Second
	// lookAtLeastEvery is how often it is looked at when it did not answer for long.
	lookAtLeastEvery = time.Minute
	// soon is how long to wait for the cache after somebody else wrote first.
	soon = 100 * time.Millisecond
)

// Kafka looks at Kafka for an ingestor, until it is forgotten; see [kafka.Clients].
type Kafka interface {
	Look(ctx context.Context, owner string, b bindings.Kafka, s kafka.Source) (kafka.Report, error)
	Forget(owner string)
}

// Options are what the manager decides.
type Options struct {
	// Clock tells the time; default the real one.
	Clock clock.PassiveClock
	// Kafka looks at Kafka; default clients that end with the manager.
	Kafka Kafka
	// Concurrency is how many ingestors are reconciled at once. Default 4.
	Concurrency int
}

// Reconciler delivers RatingIngestors.
type Reconciler struct {
	client   client.Client
	clock    clock.PassiveClock
	events   events.EventRecorder
	applier  *apply.Applier
	bindings *bindings.Reader
	kafka    Kafka
	memory   *memory
}

// +kubebuilder:rbac:groups=fleet.movieexample.com,resources=ratingingestors,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=fleet.movieexample.com,resources=ratingingestors/status,verbs=update
// +kubebuilder:rbac:groups=fleet.movieexample.com,resources=ratingingestors/finalizers,verbs=update
// +kubebuilder:rbac:groups=fleet.movieexample.com,resources=fleetservices,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// New returns a Reconciler that reads from c (a cache), and Secrets from direct.
func New(c client.Client, direct client.Reader, recorder events.EventRecorder, opts Options) *Reconciler {
	return &Reconciler{
		client: c, clock: opts.Clock, events: recorder, applier: apply.New(c, direct, fieldManager),
		bindings: bindings.NewReader(direct, opts.Clock), kafka: opts.Kafka, memory: newMemory(),
	}
}

// SetupWithManager adds the controller to the manager.
func SetupWithManager(mgr ctrl.Manager, opts Options) error {
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	if opts.Kafka == nil {
		clients := kafka.NewClients()
		if err := mgr.Add(clients); err != nil {
			return fmt.Errorf("add the clients of Kafka: %w", err)
		}
		opts.Kafka = clients
	}
	if opts.Concurrency == 0 {
		opts.Concurrency = 4
	}
	if err := registerMetrics(); err != nil {
		return err
	}
	r := New(mgr.GetClient(), mgr.GetAPIReader(), mgr.GetEventRecorder("ratingingestor"), opts)
	changed := predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}) // our own status is no news
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.RatingIngestor{}, builder.WithPredicates(changed)).
		Owns(&v1alpha1.FleetService{}).
		Watches(&v1alpha1.FleetService{}, handler.EnqueueRequestsFromMapFunc(r.ofService)).
		WithOptions(controller.Options{MaxConcurrentReconciles: opts.Concurrency}).
		Complete(r)
}

// ofService finds the ingestors that follow a service.
func (r *Reconciler) ofService(ctx context.Context, fs client.Object) []reconcile.Request {
	var list v1alpha1.RatingIngestorList
	if err := r.client.List(ctx, &list, client.InNamespace(fs.GetNamespace())); err != nil {
		return nil // each is looked at again soon
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if serviceName(&list.Items[i]) == fs.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: fs.GetNamespace(), Name: list.Items[i].Name}})
		}
	}
	return requests
}

// Reconcile brings one ingestor a step further.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ri := &v1alpha1.RatingIngestor{}
	err := r.client.Get(ctx, req.NamespacedName, ri)
	if apierrors.IsNotFound(err) {
		forgetMetrics(req.NamespacedName)
		r.kafka.Forget(req.String())
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("get RatingIngestor %s: %w", req.NamespacedName, err)
	}
	if !ri.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, ri)
	}
	if err := r.addFinalizer(ctx, ri); err != nil {
		return reconcile.Result{}, err
	}
	o, err := r.observe(ctx, ri)
	if err != nil {
		return reconcile.Result{}, err
	}
	o.advise()
	p := decide(o)
	actErr := r.act(ctx, o, &p)
	again, statusErr := r.report(ctx, o, p)
	if err := errors.Join(actErr, statusErr); err != nil {
		return reconcile.Result{}, err
	}
	if again {
		return reconcile.Result{RequeueAfter: soon}, nil
	}
	return reconcile.Result{RequeueAfter: r.next(o)}, nil
}

// next is when Kafka or a Secret is due to be looked at again.
func (r *Reconciler) next(o observation) time.Duration {
	wait := lookEvery
	if o.bindings.RetryAfter > 0 {
		wait = min(wait, o.bindings.RetryAfter)
	}
	if left := o.kafka.at.Add(o.kafka.every()).Sub(o.now); !o.kafka.at.IsZero() && left > 0 {
		wait = min(wait, left)
	}
	return wait
}

func (r *Reconciler) addFinalizer(ctx context.Context, ri *v1alpha1.RatingIngestor) error {
	before := ri.DeepCopy()
	if !controllerutil.AddFinalizer(ri, v1alpha1.Finalizer) {
		return nil
	}
	if err := r.client.Patch(ctx, ri, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("add the finalizer: %w", err)
	}
	return nil
}
