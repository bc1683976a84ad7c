//go:build envtest

package apply_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/controllers/internal/apply"
)

// children are one of each kind that controllers apply.
func (s *stage) children() map[string]client.Object {
	return map[string]client.Object{
		"Deployment":     s.deployment(2),
		"Service":        s.service("a"),
		"headless":       &corev1.Service{ObjectMeta: s.meta("all"), Spec: corev1.ServiceSpec{ClusterIP: "None", Ports: []corev1.ServicePort{{Port: 80}}}},
		"ConfigMap":      &corev1.ConfigMap{ObjectMeta: s.meta("child"), Data: map[string]string{"a": "b"}},
		"ServiceAccount": &corev1.ServiceAccount{ObjectMeta: s.meta("child"), AutomountServiceAccountToken: ptr.To(false)},
		"PodDisruptionBudget": &policyv1.PodDisruptionBudget{ObjectMeta: s.meta("child"), Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: ptr.To(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
		}},
	}
}

func (s *stage) deployment(replicas int32) *appsv1.Deployment {
	labels := map[string]string{"a": "b"}
	return &appsv1.Deployment{ObjectMeta: s.meta("child"), Spec: appsv1.DeploymentSpec{
		Replicas: ptr.To(replicas), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i:1"}}}},
	}}
}

func (s *stage) service(to string) *corev1.Service {
	return &corev1.Service{ObjectMeta: s.meta("child"), Spec: corev1.ServiceSpec{
		Selector: map[string]string{"revision": to}, Ports: []corev1.ServicePort{{Name: "grpc", Port: 8080, TargetPort: intstr.FromString("grpc")}},
	}}
}

// apply1 applies, and checks the generation that the result tells; what it returns has none, so that it can be compared.
func apply1(t *testing.T, a *apply.Applier, o client.Object) apply.Result {
	t.Helper()
	result, err := a.Apply(t.Context(), o)
	if err != nil {
		t.Fatalf("Apply %T %s = %v", o, o.GetName(), err)
	}
	stored := o.DeepCopyObject().(client.Object)
	if err := server.Client(t).Get(t.Context(), client.ObjectKeyFromObject(o), stored); err != nil {
		t.Fatal(err)
	}
	if result.Generation != stored.GetGeneration() {
		t.Errorf("Apply %T %s tells generation %d, want %d", o, o.GetName(), result.Generation, stored.GetGeneration())
	}
	result.Generation = 0
	return result
}

func TestNoCallWhenNothingChanged(t *testing.T) {
	s := newStage(t)
	for name := range s.children() {
		t.Run(name, func(t *testing.T) {
			a, before := s.applier(), s.applies
			if got, want := apply1(t, a, s.children()[name]), (apply.Result{Changed: true}); !cmp.Equal(got, want) {
				t.Errorf("first Apply = %+v, want %+v", got, want)
			}
			for range 5 {
				if got := apply1(t, a, s.children()[name]); !cmp.Equal(got, apply.Result{}) {
					t.Errorf("Apply of the same = %+v, want no change", got)
				}
			}
			if calls := s.applies - before; calls != 1 {
				t.Errorf("%d calls, want 1", calls)
			}
		})
	}
}

// TestOnceAfterARestart: a new process knows nothing, so it applies each child once, and blames nobody.
func TestOnceAfterARestart(t *testing.T) {
	s := newStage(t)
	apply1(t, s.applier(), s.deployment(2))
	edit(t, s, &appsv1.Deployment{ObjectMeta: s.meta("child")}, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](9) })
	a, before := s.applier(), s.applies
	if got, want := apply1(t, a, s.deployment(2)), (apply.Result{Changed: true}); !cmp.Equal(got, want) {
		t.Errorf("Apply after a restart = %+v, want %+v", got, want)
	}
	apply1(t, a, s.deployment(2))
	if calls := s.applies - before; calls != 1 {
		t.Errorf("%d calls after a restart, want 1", calls)
	}
	if got := get(t, s, &appsv1.Deployment{}); *got.Spec.Replicas != 2 {
		t.Errorf("replicas = %d after a restart, want 2", *got.Spec.Replicas)
	}
}

func TestHandEditIsUndone(t *testing.T) {
	const somebodyElse = "kubectl-edit"
	for name, test := range map[string]struct {
		child func(*stage) client.Object
		edit  func(*testing.T, *stage)
		paths []string
		by    string
	}{
		"replicas": {
			child: func(s *stage) client.Object { return s.deployment(2) },
			edit:  editDeployment(func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](5) }),
			paths: []string{"spec.replicas"}, by: somebodyElse,
		},
		"image": {
			child: func(s *stage) client.Object { return s.deployment(2) },
			edit:  editDeployment(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "i:2" }),
			paths: []string{"spec.template.spec.containers"}, by: somebodyElse,
		},
		"replicas, while another controller writes": {
			child: func(s *stage) client.Object { return s.deployment(2) },
			edit: func(t *testing.T, s *stage) {
				editDeployment(func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](5) })(t, s)
				d := get(t, s, &appsv1.Deployment{})
				d.Annotations["deployment.kubernetes.io/revision"] = "1"
				if err := s.c.Update(t.Context(), d, client.FieldOwner("kube-controller-manager")); err != nil {
					t.Fatal(err)
				}
			},
			paths: []string{"spec.replicas"}, by: somebodyElse,
		},
		"kubectl scale": {
			child: func(s *stage) client.Object { return s.deployment(2) },
			edit: func(t *testing.T, s *stage) {
				scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 7}}
				err := s.c.SubResource("scale").Update(t.Context(), get(t, s, &appsv1.Deployment{}), client.WithSubResourceBody(scale), client.FieldOwner("kubectl-scale"))
				if err != nil {
					t.Fatal(err)
				}
			},
			paths: []string{"spec.replicas"}, by: "kubectl-scale",
		},
		"two fields of a Service object": {
			child: func(s *stage) client.Object { return s.service("a") },
			edit: func(t *testing.T, s *stage) {
				edit(t, s, &corev1.Service{ObjectMeta: s.meta("child")}, func(o *corev1.Service) {
					o.Spec.Selector = map[string]string{"revision": "b"}
					o.Labels["own"] = "other"
				})
			},
			paths: []string{"metadata.labels.own", "spec.selector.revision"}, by: somebodyElse,
		},
		"data of a ConfigMap": {
			child: func(s *stage) client.Object { return s.children()["ConfigMap"] },
			edit: func(t *testing.T, s *stage) {
				edit(t, s, &corev1.ConfigMap{ObjectMeta: s.meta("child")}, func(o *corev1.ConfigMap) { o.Data["a"] = "c" })
			},
			paths: []string{"data.a"}, by: somebodyElse,
		},
		"label taken away": {
			child: func(s *stage) client.Object { return s.deployment(2) },
			edit:  editDeployment(func(d *appsv1.Deployment) { delete(d.Labels, "app.kubernetes.io/managed-by") }),
			paths: []string{"metadata.labels.app.kubernetes.io/managed-by"},
		},
		"annotation changed": {
			child: func(s *stage) client.Object { return s.deployment(2) },
			edit:  editDeployment(func(d *appsv1.Deployment) { d.Annotations["fleet.movieexample.com/accountable"] = "b@example.com" }),
			paths: []string{"metadata.annotations.fleet.movieexample.com/accountable"}, by: somebodyElse,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			a := s.applier()
			apply1(t, a, test.child(s))
			test.edit(t, s)
			want := apply.Result{Changed: true, Restored: test.paths, By: test.by}
			if diff := cmp.Diff(want, apply1(t, a, test.child(s))); diff != "" {
				t.Errorf("Apply after the edit (-want +got):\n%s", diff)
			}
			if got := apply1(t, a, test.child(s)); got.Changed {
				t.Errorf("Apply once more = %+v, want no change", got)
			}
			if got := apply1(t, s.applier(), test.child(s)); len(got.Restored) != 0 {
				t.Errorf("the edit is still there for another process: %v", got.Restored)
			}
		})
	}
}

func editDeployment(change func(*appsv1.Deployment)) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		edit(t, s, &appsv1.Deployment{ObjectMeta: s.meta("child")}, change)
	}
}

func get[T client.Object](t *testing.T, s *stage, o T) T {
	t.Helper()
	if err := s.c.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "child"}, o); err != nil {
		t.Fatalf("get %T: %v", o, err)
	}
	return o
}

// TestOthersFieldsStay: what nobody asked for here is none of our business, and no reason for a call.
func TestOthersFieldsStay(t *testing.T) {
	s := newStage(t)
	a := s.applier()
	apply1(t, a, s.deployment(2))
	d := get(t, s, &appsv1.Deployment{})
	d.Labels["theirs"], d.Annotations["theirs"] = "yes", "yes"
	d.Status.Replicas, d.Status.ObservedGeneration = 2, 1
	if err := s.c.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	d.Status.Replicas = 2
	if err := s.c.Status().Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got := apply1(t, a, s.deployment(2)); got.Changed {
		t.Errorf("Apply = %+v, want no call for others' labels and status", got)
	}
	apply1(t, a, s.deployment(3))
	if got := get(t, s, &appsv1.Deployment{}); got.Labels["theirs"] != "yes" || *got.Spec.Replicas != 3 {
		t.Errorf("labels %v and replicas %d, want theirs kept and 3", got.Labels, *got.Spec.Replicas)
	}
}

func TestDeletedIsCreatedAgain(t *testing.T) {
	s := newStage(t)
	for name := range s.children() {
		t.Run(name, func(t *testing.T) {
			a := s.applier()
			apply1(t, a, s.children()[name])
			remove := func() {
				if err := s.c.Delete(t.Context(), s.children()[name]); err != nil {
					t.Fatal(err)
				}
			}
			remove()
			if got, want := apply1(t, a, s.children()[name]), (apply.Result{Changed: true, Recreated: true}); !cmp.Equal(got, want) {
				t.Errorf("Apply after somebody deleted it = %+v, want %+v", got, want)
			}
			remove()
			a.ForgetOwned(s.owner.UID)
			if got, want := apply1(t, a, s.children()[name]), (apply.Result{Changed: true}); !cmp.Equal(got, want) {
				t.Errorf("Apply after we deleted it = %+v, want %+v", got, want)
			}
			remove()
			gvk, err := s.c.GroupVersionKindFor(s.children()[name])
			if err != nil {
				t.Fatal(err)
			}
			a.Forget(gvk, client.ObjectKeyFromObject(s.children()[name]))
			if got, want := apply1(t, a, s.children()[name]), (apply.Result{Changed: true}); !cmp.Equal(got, want) {
				t.Errorf("Apply after we deleted it and forgot it by name = %+v, want %+v", got, want)
			}
		})
	}
}

func TestNameTaken(t *testing.T) {
	for name, spoil := range map[string]func(*metav1.ObjectMeta){
		"foreign, without our label": func(m *metav1.ObjectMeta) { m.OwnerReferences, m.Labels = nil, nil },
		"foreign, with our label":    func(m *metav1.ObjectMeta) { m.OwnerReferences = nil },
		"of another owner": func(m *metav1.ObjectMeta) {
			m.OwnerReferences[0].UID = "99999999-2222-3333-4444-555555555555"
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			theirs := &corev1.ConfigMap{ObjectMeta: s.meta("child"), Data: map[string]string{"their": "data"}}
			spoil(&theirs.ObjectMeta)
			s.create(t, theirs)
			_, err := s.applier().Apply(t.Context(), s.children()["ConfigMap"])
			var taken *apply.NameTaken
			want := apply.NameTaken{Kind: "ConfigMap", Namespace: s.namespace, Name: "child"}
			if !errors.As(err, &taken) || *taken != want {
				t.Errorf("Apply = %v, want %+v", err, want)
			}
			if got := get(t, s, &corev1.ConfigMap{}); got.Data["their"] != "data" || len(got.Data) != 1 || s.applies != 0 {
				t.Errorf("their ConfigMap is %v after %d calls, want it untouched", got.Data, s.applies)
			}
		})
	}
}

// lagging is a cache that shows an object as it was.
type lagging struct {
	client.Client
	old client.Object
}

func (l lagging) Get(_ context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	l.old.(*appsv1.Deployment).DeepCopyInto(o.(*appsv1.Deployment))
	return nil
}

// TestCacheThatLags: a cache that has not seen our own write yet shows no hand edit, and needs no second write.
func TestCacheThatLags(t *testing.T) {
	s := newStage(t)
	cache := &lagging{Client: s.c}
	a := apply.New(cache, s.c, "fleet-test")
	apply1(t, s.applier(), s.deployment(2))
	cache.old = get(t, s, &appsv1.Deployment{})
	apply1(t, a, s.deployment(3))
	before := s.applies
	if got := apply1(t, a, s.deployment(3)); !cmp.Equal(got, apply.Result{}) || s.applies != before {
		t.Errorf("Apply with a cache that lags = %+v and %d calls, want neither a call nor a hand edit", got, s.applies-before)
	}
	cache.old = get(t, s, &appsv1.Deployment{})
	if got := apply1(t, a, s.deployment(3)); got.Changed {
		t.Errorf("Apply with a cache that caught up = %+v, want no change", got)
	}
	edit(t, s, &appsv1.Deployment{ObjectMeta: s.meta("child")}, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](9) })
	cache.old = get(t, s, &appsv1.Deployment{})
	if got := apply1(t, a, s.deployment(3)); !slices.Equal(got.Restored, []string{"spec.replicas"}) {
		t.Errorf("Apply after an edit = %+v, want spec.replicas restored", got)
	}
}
