//go:build envtest

package fleetservice_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

// behavior is what the pods of an image do: it fills in a status as the kubelet would at the time now.
type behavior func(p *corev1.Pod, now metav1.Time)

// world plays what is not there behind an API server alone: pods for Deployments, Jobs that end, garbage that is collected.
type world struct {
	*stage
	// behaviors are by image; an image without one works.
	behaviors map[string]behavior
	// failing are images whose migrations fail, with their last words.
	failing map[string]string
	// reports are what Jobs of images that do not fail write about what they did.
	reports map[string]string
	// pages are what pods show of the requests that they answer; nil where nobody calls.
	pages *pages
	// stuck keeps pods although their Deployment is gone.
	stuck bool
}

func works(p *corev1.Pod, now metav1.Time) {
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "service", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}}}
}

// crashes is a crash loop with last words.
func crashes(words string) behavior {
	return func(p *corev1.Pod, now metav1.Time) {
		p.Status.Phase = corev1.PodRunning
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "service", RestartCount: 2,
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: words, FinishedAt: now}},
		}}
	}
}

// neverReady is a process that runs and does not pass its readiness probe.
func neverReady(p *corev1.Pod, now metav1.Time) {
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "service", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}}}
}

func (w *world) list(list client.ObjectList) {
	w.t.Helper()
	if err := w.c.List(w.t.Context(), list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatalf("list %T: %v", list, err)
	}
}

func (w *world) deployments() map[string]appsv1.Deployment {
	w.t.Helper()
	var list appsv1.DeploymentList
	w.list(&list)
	found := map[string]appsv1.Deployment{}
	for _, d := range list.Items {
		found[d.Labels[v1alpha1.LabelRevision]] = d
	}
	return found
}

// play brings the world to what the Deployments and Jobs ask for.
func (w *world) play() {
	w.t.Helper()
	if w.pages != nil {
		w.pages.send(200) // until the next tick
	}
	w.playJobs()
	deployments := w.deployments()
	var pods corev1.PodList
	w.list(&pods)
	have := map[string][]corev1.Pod{}
	for _, p := range pods.Items {
		hash := p.Labels[v1alpha1.LabelRevision]
		if hash == "" {
			continue // of a Job
		}
		d, alive := deployments[hash]
		if !w.stuck && (!alive || int32(len(have[hash])) >= *d.Spec.Replicas) {
			w.delete(&p)
			continue
		}
		have[hash] = append(have[hash], p)
	}
	for _, hash := range slices.Sorted(maps.Keys(deployments)) {
		d := deployments[hash]
		for n := int32(len(have[hash])); n < *d.Spec.Replicas; n++ {
			w.start(&d)
		}
	}
}

func (w *world) delete(o client.Object) {
	w.t.Helper()
	if err := w.c.Delete(w.t.Context(), o, client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
		w.t.Fatalf("delete %s: %v", o.GetName(), err)
	}
}

// start makes one pod of a Deployment.
func (w *world) start(d *appsv1.Deployment) {
	w.t.Helper()
	p := &corev1.Pod{ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(), Spec: *d.Spec.Template.Spec.DeepCopy()}
	p.Namespace, p.GenerateName = w.namespace, d.Name+"-"
	if err := w.c.Create(w.t.Context(), p); err != nil {
		w.t.Fatalf("create a pod of %s: %v", d.Name, err)
	}
	behave := w.behaviors[p.Spec.Containers[0].Image]
	if behave == nil {
		behave = works
	}
	behave(p, metav1.NewTime(w.clock.Now()))
	if w.pages != nil {
		p.Status.PodIP = w.pages.serve(p)
		p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
	}
	if err := w.c.Status().Update(w.t.Context(), p); err != nil {
		w.t.Fatalf("write the status of pod %s: %v", p.Name, err)
	}
}

// playJobs ends every Job at once.
func (w *world) playJobs() {
	w.t.Helper()
	var jobs batchv1.JobList
	w.list(&jobs)
	for _, j := range jobs.Items {
		if len(j.Status.Conditions) > 0 {
			continue
		}
		now := metav1.NewTime(w.clock.Now())
		done := func(kinds ...batchv1.JobConditionType) {
			for _, kind := range kinds {
				j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now, Reason: "BackoffLimitExceeded"})
			}
		}
		j.Status.StartTime = &now
		if words, fails := w.failing[j.Spec.Template.Spec.Containers[0].Image]; fails {
			w.endPod(&j, corev1.PodFailed, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: words}})
			j.Status.Failed = 3
			done(batchv1.JobFailureTarget, batchv1.JobFailed)
		} else {
			if text := w.reports[j.Spec.Template.Spec.Containers[0].Image]; text != "" {
				w.endPod(&j, corev1.PodSucceeded, report(text))
			}
			j.Status.CompletionTime, j.Status.Succeeded = &now, 1
			done(batchv1.JobSuccessCriteriaMet, batchv1.JobComplete)
		}
		if err := w.c.Status().Update(w.t.Context(), &j); err != nil {
			w.t.Fatalf("end Job %s: %v", j.Name, err)
		}
	}
}

// endPod leaves the pod of a Job that has ended so.
func (w *world) endPod(j *batchv1.Job, phase corev1.PodPhase, how corev1.ContainerState) {
	w.t.Helper()
	p := &corev1.Pod{ObjectMeta: *j.Spec.Template.ObjectMeta.DeepCopy(), Spec: *j.Spec.Template.Spec.DeepCopy()}
	p.Namespace, p.GenerateName = w.namespace, j.Name+"-"
	p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(j, batchv1.SchemeGroupVersion.WithKind("Job"))}
	if err := w.c.Create(w.t.Context(), p); err != nil {
		w.t.Fatalf("create the pod of %s: %v", j.Name, err)
	}
	p.Status.Phase = phase
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "service", State: how}}
	if err := w.c.Status().Update(w.t.Context(), p); err != nil {
		w.t.Fatalf("write the status of pod %s: %v", p.Name, err)
	}
}

// selected is the image that a Service object sends callers to.
func (w *world) selected(service string) string {
	w.t.Helper()
	o := &corev1.Service{}
	if err := w.c.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: service}, o); err != nil {
		w.t.Fatalf("get Service %s: %v", service, err)
	}
	d, ok := w.deployments()[o.Spec.Selector[v1alpha1.LabelRevision]]
	if !ok {
		return "nothing: no Deployment has revision " + o.Spec.Selector[v1alpha1.LabelRevision]
	}
	return d.Spec.Template.Spec.Containers[0].Image
}

// images are what runs now.
func (w *world) images() []string {
	var found []string
	for _, d := range w.deployments() {
		found = append(found, fmt.Sprintf("%s ×%d", d.Spec.Template.Spec.Containers[0].Image, *d.Spec.Replicas))
	}
	slices.Sort(found)
	return found
}

// objects names every object of the service with who owns it.
func (w *world) objects() []string {
	w.t.Helper()
	var found []string
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &appsv1.ControllerRevisionList{}, &batchv1.JobList{}, &corev1.ServiceList{}, &corev1.ServiceAccountList{},
		&corev1.ConfigMapList{}, &policyv1.PodDisruptionBudgetList{}, &autoscalingv2.HorizontalPodAutoscalerList{},
	} {
		w.list(list)
		for _, o := range items(w.t, list) {
			if o.GetLabels()[v1alpha1.LabelManagedBy] != v1alpha1.ManagedByValue {
				continue
			}
			gvk, err := w.c.GroupVersionKindFor(o)
			if err != nil {
				w.t.Fatal(err)
			}
			owner := "of nobody"
			if ref := metav1.GetControllerOf(o); ref != nil {
				owner = "of " + ref.Name
			}
			found = append(found, gvk.Kind+" "+o.GetName()+" "+owner)
		}
	}
	slices.Sort(found)
	return found
}

func items(t *testing.T, list client.ObjectList) []client.Object {
	t.Helper()
	extracted, err := meta.ExtractList(list)
	if err != nil {
		t.Fatal(err)
	}
	var found []client.Object
	for _, o := range extracted {
		found = append(found, o.(client.Object))
	}
	return found
}
