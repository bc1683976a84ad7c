package fleetservice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/fleetservice/signals/check"
	"movieexample.com/fleet/controllers/fleetservice/signals/count"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/internal/apply"
	"movieexample.com/fleet/controllers/internal/bindings"
)

// fieldManager is the server-side apply manager of this controller.
const fieldManager = "fleet-fleetservice"

// How often a service is looked at although no event came: Consul sends none, routes are not watched, and a Secret is read
// again now and then.
const (
	usualInterval     = time.Minute
	unwatchedInterval = 10 * time.Second
	soon              = 50 * time.Millisecond
)

// Options are what the manager decides.
type Options struct {
	// Clock tells the time; default the real one.
	Clock clock.PassiveClock
	// Concurrency is how many services are reconciled at once. Default 16.
	Concurrency int
	// WebhookHosts are the hosts that webhooks of rollouts may call. Default none.
	WebhookHosts []string
}

// Reconciler delivers FleetServices.
type Reconciler struct {
	client   client.Client
	direct   client.Reader
	clock    clock.PassiveClock
	events   events.EventRecorder
	applier  *apply.Applier
	bindings *bindings.Reader
	traffic  providers
	reader   *count.Reader
	asker    *check.Asker
	desk     *check.Desk
	memory   *memory

	working sync.RWMutex // held for reading by each reconcile
}

// +kubebuilder:rbac:groups=fleet.movieexample.com,resources=fleetservices,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=fleet.movieexample.com,resources=fleetservices/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=fleet.movieexample.com,resources=fleetservices/finalizers,verbs=update
// +kubebuilder:rbac:groups=apps,resources=deployments;controllerrevisions,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=services;configmaps;serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// New returns a Reconciler that reads from c (a cache) and, where the cache must not hold a kind, from direct.
func New(c client.Client, direct client.Reader, recorder events.EventRecorder, clk clock.PassiveClock) *Reconciler {
	applier := apply.New(c, direct, fieldManager)
	r := &Reconciler{
		client: c, direct: direct, clock: clk, events: recorder,
		applier: applier, bindings: bindings.NewReader(direct, clk),
		reader: count.NewReader(clk), asker: check.NewAsker(nil, clk), desk: check.NewDesk(clk), memory: newMemory(),
	}
	r.traffic = r.newProviders()
	return r
}

// SetupWithManager adds the controller to the manager.
func SetupWithManager(mgr ctrl.Manager, opts Options) error {
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	if opts.Concurrency == 0 {
		opts.Concurrency = 16
	}
	r := New(mgr.GetClient(), mgr.GetAPIReader(), mgr.GetEventRecorder("fleetservice"), opts.Clock)
	r.asker = check.NewAsker(opts.WebhookHosts, opts.Clock)
	if err := registerMetrics(); err != nil {
		return err
	}
	if err := mgr.Add(r); err != nil {
		return fmt.Errorf("add what runs in the background: %w", err)
	}
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.FleetService{}, builder.WithPredicates(byPerson())).
		Owns(&appsv1.Deployment{}).Owns(&appsv1.ControllerRevision{}).Owns(&batchv1.Job{}).
		Owns(&corev1.Service{}).Owns(&corev1.ConfigMap{}).Owns(&corev1.ServiceAccount{}).
		Owns(&policyv1.PodDisruptionBudget{}).Owns(&autoscalingv2.HorizontalPodAutoscaler{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(serviceOfPod)).
		WithOptions(controller.Options{MaxConcurrentReconciles: opts.Concurrency, RateLimiter: retries()}).
		Complete(r)
}

// byPerson passes changes of spec and metadata; our own status writes need no look.
func byPerson() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}, predicate.AnnotationChangedPredicate{}, finalizersChanged())
}

func finalizersChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !slices.Equal(e.ObjectOld.GetFinalizers(), e.ObjectNew.GetFinalizers())
	}}
}

// retries come within half a minute however long something was away: it comes back without telling us.
func retries() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, 30*time.Second)
}

// serviceOfPod finds the service that a pod's labels name: pods belong to ReplicaSets, which are not watched.
func serviceOfPod(_ context.Context, pod client.Object) []reconcile.Request {
	name := pod.GetLabels()[v1alpha1.LabelService]
	if name == "" {
		name = cmp.Or(pod.GetLabels()[labelMigration], pod.GetLabels()[render.LabelRewind])
	}
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: pod.GetNamespace(), Name: name}}}
}

// Reconcile brings one service a step further.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	r.working.RLock()
	defer r.working.RUnlock()
	fs := &v1alpha1.FleetService{}
	err := r.client.Get(ctx, req.NamespacedName, fs)
	if apierrors.IsNotFound(err) { // somebody may have removed the finalizer
		r.desk.Forget(req.String())
		forgetMetrics(req.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("get FleetService %s: %w", req.NamespacedName, err)
	}
	if !fs.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, fs)
	}
	if !controllerutil.ContainsFinalizer(fs, v1alpha1.Finalizer) {
		return reconcile.Result{}, r.addFinalizer(ctx, fs)
	}
	ownership.set(fs)
	s := &scope{fs: fs}
	if err := r.observe(ctx, s); err != nil {
		return reconcile.Result{}, errors.Join(err, r.reportUnknown(ctx, s, err))
	}
	s.plan = plan.Next(s.observation)
	if s.plan.Decision != nil {
		return r.decide(ctx, s)
	}
	s.actErr = r.act(ctx, s)
	return r.conclude(ctx, s)
}

func (r *Reconciler) addFinalizer(ctx context.Context, fs *v1alpha1.FleetService) error {
	before := fs.DeepCopy()
	controllerutil.AddFinalizer(fs, v1alpha1.Finalizer)
	if err := r.client.Patch(ctx, fs, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("add the finalizer: %w", err)
	}
	return nil
}

// decide writes a decision before anything is done because of it; the next reconcile acts. A conflict means that
// what was observed is no longer true, so nothing is decided and everything is observed anew.
func (r *Reconciler) decide(ctx context.Context, s *scope) (reconcile.Result, error) {
	before := s.fs.Status.DeepCopy()
	if err := r.closeLook(ctx, s); err != nil {
		return reconcile.Result{}, err
	}
	r.fill(s)
	setState(&s.fs.Status, s.plan.Decision.State)
	s.tellRejection(before)
	if err := r.client.Status().Update(ctx, s.fs); err != nil {
		if apierrors.IsConflict(err) {
			return reconcile.Result{RequeueAfter: soon}, nil
		}
		return reconcile.Result{}, fmt.Errorf("write the decision %q: %w", s.plan.Decision.Verb, err)
	}
	r.memory.wrote(s.fs.UID, r.clock.Now())
	r.announce(s, before)
	r.announceDamage(s, before)
	return reconcile.Result{RequeueAfter: soon}, nil
}

// closeLook ends the open look and saves the evidence: no look reaches over a change of weight, and a decision never
// stands on evidence that a restart would lose.
func (r *Reconciler) closeLook(ctx context.Context, s *scope) error {
	if s.book == nil {
		return nil
	}
	s.book.evidence.Close(r.clock.Now())
	s.book.dirty = true
	return r.save(ctx, s)
}

// conclude writes status and says when to look again.
func (r *Reconciler) conclude(ctx context.Context, s *scope) (reconcile.Result, error) {
	err := s.actErr
	if explained(err) {
		err = nil // a person must act, and status says so: retrying in a hurry helps nobody
	}
	if saveErr := r.saveNowAndThen(ctx, s); saveErr != nil {
		err = errors.Join(err, saveErr)
	}
	if statusErr := r.report(ctx, s); statusErr != nil {
		return reconcile.Result{}, errors.Join(err, statusErr)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: r.next(s)}, nil
}

// next is the earliest time at which something may have changed without an event.
func (r *Reconciler) next(s *scope) time.Duration {
	if s.routed {
		return soon
	}
	next := usualInterval
	for _, d := range []time.Duration{s.plan.Recheck, s.report.RetryAfter} {
		if d > 0 {
			next = min(next, d)
		}
	}
	if s.report.Consul != nil || traffic.ByGateway(s.fs) || len(former(s.fs)) > 0 {
		next = min(next, unwatchedInterval)
	}
	return next
}
