package fleetservice

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/ledger"
	"movieexample.com/fleet/controllers/fleetservice/plan"
	"movieexample.com/fleet/controllers/fleetservice/render"
	"movieexample.com/fleet/controllers/fleetservice/revision"
	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
)

const labelMigration = render.LabelMigration

// observe fills the scope with what is. An error means that something could not be seen: then nothing is decided.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	fs := s.fs
	var err error
	if s.report, err = r.bindings.CheckService(ctx, fs.Namespace, &fs.Spec.ServiceTemplate); err != nil {
		return fmt.Errorf("look at the bindings: %w", err)
	}
	if err := r.observeChildren(ctx, s); err != nil {
		return err
	}
	o := &s.observation
	*o = plan.Observation{
		Now: r.clock.Now(), State: stateOf(&fs.Status), Policy: policyOf(fs), Replicas: replicasOf(fs),
		Revisions: map[string]plan.Revision{}, Blocked: s.report.Message(), Command: fs.Annotations[v1alpha1.AnnotationCommand],
	}
	for _, look := range []func(context.Context, *scope) error{
		r.observeSpec, r.observeLedger, r.observePods, r.observeMigration, r.observeRewind, r.observeTraffic, r.watch,
	} {
		if err := look(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// replicasOf is how many pods the spec asks for. More members than partitions would be idle.
func replicasOf(fs *v1alpha1.FleetService) int32 {
	n := ptr.Deref(fs.Spec.Replicas, 1)
	if c := fs.Spec.Consumer; c != nil {
		n = min(n, c.Partitions)
	}
	return n
}

func (r *Reconciler) observeChildren(ctx context.Context, s *scope) error {
	of := []client.ListOption{client.InNamespace(s.fs.Namespace), client.MatchingLabels(render.PodSelector(s.fs.Name))}
	var deployments appsv1.DeploymentList
	var snapshots appsv1.ControllerRevisionList
	var jobs batchv1.JobList
	for _, list := range []client.ObjectList{&deployments, &snapshots, &jobs} {
		if err := r.client.List(ctx, list, of...); err != nil {
			return fmt.Errorf("list %T: %w", list, err)
		}
	}
	s.deployments = byRevision(s.fs, deployments.Items, func(d *appsv1.Deployment) client.Object { return d })
	s.snapshots = byRevision(s.fs, snapshots.Items, func(c *appsv1.ControllerRevision) client.Object { return c })
	s.jobs = byRevision(s.fs, jobs.Items, func(j *batchv1.Job) client.Object { return j })
	delete(s.jobs, "") // those that are no migrations
	s.rewinds = rewindsIn(s.fs, jobs.Items)
	return nil
}

// byRevision keeps the objects that the service controls, by the hash in their label.
func byRevision[T any](fs *v1alpha1.FleetService, items []T, object func(*T) client.Object) map[string]*T {
	found := map[string]*T{}
	for i := range items {
		o := object(&items[i])
		if metav1.IsControlledBy(o, fs) {
			found[o.GetLabels()[v1alpha1.LabelRevision]] = &items[i]
		}
	}
	return found
}

// observeSpec names the revision that the spec asks for, and checks one that was never seen before: rendering it, and
// asking the API server whether it would take the Deployment.
func (r *Reconciler) observeSpec(ctx context.Context, s *scope) error {
	hash, err := revision.Hash(s.fs)
	if err != nil {
		return s.refuse(err)
	}
	if s.snapshots[hash] == nil {
		if s.desired, err = render.Snapshot(s.fs, hash); err != nil {
			return s.refuse(err)
		}
		if s.invalid, err = r.dryRun(ctx, s, hash); err != nil || s.invalid != "" {
			return err
		}
	}
	s.observation.Desired = plan.Part{Hash: hash, Image: s.fs.Spec.Image}
	return nil
}

// refuse notes why a spec cannot be rendered: that is a finding for status, not a failure to observe.
func (s *scope) refuse(why error) error {
	s.invalid = why.Error()
	return nil
}

// dryRun asks the API server once for each revision whether it would take its Deployment. It returns the refusal.
func (r *Reconciler) dryRun(ctx context.Context, s *scope, hash string) (string, error) {
	if refusal, known := r.memory.dryRun(s.fs.UID, hash); known {
		return refusal, nil
	}
	d := render.Deployment(s.fs, hash, s.desired, 0)
	err := r.client.Create(ctx, d, client.DryRunAll)
	switch {
	case err == nil || apierrors.IsAlreadyExists(err):
		r.memory.setDryRun(s.fs.UID, hash, "")
		return "", nil
	case apierrors.IsForbidden(err): // a policy may be changed without us: asked again each time
		return "the API server forbids the Deployment of this spec: " + err.Error(), nil
	case apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
		refusal := "the API server refuses the Deployment of this spec: " + err.Error()
		r.memory.setDryRun(s.fs.UID, hash, refusal)
		return refusal, nil
	}
	return "", fmt.Errorf("try the Deployment of revision %s: %w", hash, err)
}

func (r *Reconciler) observePods(ctx context.Context, s *scope) error {
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.InNamespace(s.fs.Namespace), client.MatchingLabels(render.PodSelector(s.fs.Name))); err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	s.pods = pods.Items
	byHash := map[string][]corev1.Pod{}
	for _, p := range pods.Items {
		hash := p.Labels[v1alpha1.LabelRevision]
		byHash[hash] = append(byHash[hash], p)
	}
	for hash, d := range s.deployments {
		rev := plan.Revision{Created: d.CreationTimestamp.Time, Wanted: ptr.Deref(d.Spec.Replicas, 1), Pods: alive(byHash[hash]), Shadows: shadows(byHash[hash])}
		rev.Ready, rev.ReadySince = signals.Ready(byHash[hash])
		rev.Facts = append(signals.Deployment(d), signals.Pods(byHash[hash], s.observation.Now)...)
		rev.RaisedRequests = raised(s.deployments[s.observation.State.Stable.Hash], d)
		s.observation.Revisions[hash] = rev
	}
	return nil
}

func alive(pods []corev1.Pod) int32 {
	return counting(pods, func(*corev1.Pod) bool { return true })
}

// shadows are the live pods that read along and store nothing.
func shadows(pods []corev1.Pod) int32 {
	return counting(pods, func(p *corev1.Pod) bool { return p.Labels[v1alpha1.LabelShadow] != "" })
}

func counting(pods []corev1.Pod, which func(*corev1.Pod) bool) int32 {
	n := int32(0)
	for i := range pods {
		p := &pods[i]
		if p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodFailed && p.Status.Phase != corev1.PodSucceeded && which(p) {
			n++
		}
	}
	return n
}

// raised is true when d's pods request more of anything than stable's.
func raised(stable, d *appsv1.Deployment) bool {
	if stable == nil || stable == d {
		return false
	}
	have := requests(stable)
	for name, q := range requests(d) {
		if before := have[name]; q.Cmp(before) > 0 {
			return true
		}
	}
	return false
}

func requests(d *appsv1.Deployment) corev1.ResourceList {
	sum := corev1.ResourceList{}
	for _, c := range d.Spec.Template.Spec.Containers {
		for name, q := range c.Resources.Requests {
			total := sum[name]
			total.Add(q)
			sum[name] = total
		}
	}
	return sum
}

// observeTraffic asks whether requests go where they are wanted. A provider that does not answer is no error: requests
// stay where they are.
func (r *Reconciler) observeTraffic(ctx context.Context, s *scope) error {
	if s.report.Consul != nil {
		r.memory.setAgent(s.fs.UID, *s.report.Consul)
	}
	s.providers = r.providersOf(s.fs)
	o := &s.observation
	split := splitOf(o, plan.Wanted(*o))
	if split.Main == "" {
		return nil
	}
	o.Traffic.Follows = true
	for _, p := range s.providers {
		follows, err := p.Follows(ctx, s.target(), split)
		if errors.As(err, &s.refusal) {
			o.Traffic = plan.Traffic{Unreachable: "somebody has acted: " + s.refusal.Error()}
			return nil
		}
		if err != nil {
			o.Traffic = plan.Traffic{Unreachable: fmt.Sprintf("%s answers again (%v)", p.Name(), err)}
			return nil
		}
		o.Traffic.Follows = o.Traffic.Follows && follows
	}
	return nil
}

// splitOf is a split with all revisions that have pods.
func splitOf(o *plan.Observation, split plan.Split) traffic.Split {
	live := slices.Sorted(maps.Keys(o.Revisions))
	for _, hash := range []string{split.Main, split.Other} {
		if hash != "" && !slices.Contains(live, hash) {
			live = append(live, hash)
		}
	}
	return traffic.Split{Main: split.Main, Other: split.Other, Percent: split.Percent, Live: live}
}

// observeLedger reads what was decided about revisions before, also about an earlier resource of this name.
func (r *Reconciler) observeLedger(ctx context.Context, s *scope) error {
	o := &s.observation
	var err error
	var damaged *ledger.Damaged
	s.ledger, err = r.readLedger(ctx, s.fs)
	switch {
	case errors.As(err, &damaged):
		o.LedgerDamaged = damaged.Error()
	case err != nil:
		return err
	}
	o.Quarantined = map[string]plan.Rejection{}
	for _, e := range s.ledger.Entries {
		forgiven := o.State.Command.Forgiven() == e.Hash && !e.At.After(o.State.Command.At)
		if e.Outcome == ledger.Quarantined && !forgiven {
			o.Quarantined[e.Hash] = plan.Rejection{Hash: e.Hash, Image: e.Image, Reason: e.Reason, Message: e.Message, At: e.At, Quarantined: true}
		}
	}
	if p := s.ledger.Promoted; p != nil {
		o.Remembered = plan.Part{Hash: p.Hash, Image: p.Image}
	}
	return nil
}
