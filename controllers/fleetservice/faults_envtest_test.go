//go:build envtest

package fleetservice_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

// secret creates or replaces a Secret.
func (s *stage) secret(name string, data map[string]string) {
	s.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}, StringData: data}
	err := s.c.Create(s.t.Context(), secret)
	if err != nil {
		err = s.c.Update(s.t.Context(), secret)
	}
	if err != nil {
		s.t.Fatalf("write Secret %s: %v", name, err)
	}
}

func TestMissingSecret(t *testing.T) {
	s := newStage(t)
	s.install(`{image: "rating:v1", storage: MySQL, bindings: {mysql: {secretRef: {name: rating-mysql}}}}`)
	fs := s.phase("Pending")
	s.wantCondition(fs, v1alpha1.ConditionBindingsReady, "False BindingsMissing", `Secret "rating-mysql" does not exist`, s.namespace)
	s.wantCondition(fs, v1alpha1.ConditionReady, "False BindingsMissing", "rating-mysql")
	if images := s.world.images(); len(images) != 0 {
		t.Errorf("%q run without their Secret, want nothing", images)
	}
	s.wantQuiet("no Secret")

	whole := map[string]string{"type": "mysql", "host": "db", "port": "3306", "username": "u", "password": "p", "database": "rating"}
	part := map[string]string{"type": "mysql", "host": "db", "port": "3306", "username": "u", "database": "rating"}
	s.secret("rating-mysql", part)
	s.until("the key named", func(fs *v1alpha1.FleetService) bool {
		return strings.Contains(condition(fs, v1alpha1.ConditionBindingsReady), `key "password" of Secret "rating-mysql" is missing`)
	})
	s.secret("rating-mysql", whole)
	s.wantCondition(s.serving("rating:v1"), v1alpha1.ConditionBindingsReady, "True BindingsFound")

	t.Run("gone while it serves", func(t *testing.T) {
		if err := s.c.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "rating-mysql"}}); err != nil {
			t.Fatal(err)
		}
		fs := s.until("the loss told", func(fs *v1alpha1.FleetService) bool {
			return strings.HasPrefix(condition(fs, v1alpha1.ConditionBindingsReady), "False ")
		})
		s.wantCondition(fs, v1alpha1.ConditionReady, "False BindingsMissing")
		s.wantCondition(fs, v1alpha1.ConditionAvailable, "True ")
		if images := s.world.images(); len(images) != 1 {
			t.Errorf("%q run, want the pods that run left alone", images)
		}
		s.secret("rating-mysql", whole)
		s.until("Ready again", func(fs *v1alpha1.FleetService) bool {
			return strings.HasPrefix(condition(fs, v1alpha1.ConditionReady), "True ")
		})
	})
}

func TestSpecsThatAreRefused(t *testing.T) {
	for name, test := range map[string]struct{ fields, want string }{
		"podOverrides beyond the standard":     {`podOverrides: {spec: {hostNetwork: true}}`, "spec.podOverrides may not go beyond the restricted Pod Security Standard: host namespaces"},
		"podOverrides with an unknown field":   {`podOverrides: {spec: {nodeSelectors: {}}}`, "spec.podOverrides does not give a pod template"},
		"podOverrides that Kubernetes refuses": {`podOverrides: {spec: {containers: [{name: service, volumeMounts: [{name: nowhere, mountPath: /x}]}]}}`, `the API server refuses the Deployment of this spec`},
		"config with a key of ours":            {`config: {storage: {kind: memory}}`, "spec.config.storage is written by the operator: set spec.storage instead"},
		"request above its limit, written out": {`resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}`, "must be less than or equal to memory limit"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.install(v1)
			s.serving("rating:v1")
			s.change(`{image: "rating:v2", replicas: 2, drainSeconds: 5, ` + test.fields + `}`)
			fs := s.phase("Stalled")
			s.wantCondition(fs, v1alpha1.ConditionSpecValid, "False InvalidSpec", test.want)
			s.wantCondition(fs, v1alpha1.ConditionStalled, "True InvalidSpec", test.want)
			s.wantCondition(fs, v1alpha1.ConditionReady, "False InvalidSpec")
			s.wantCondition(fs, v1alpha1.ConditionAvailable, "True ")
			s.wantQuiet("refused")
			if images := s.world.images(); !slices.Equal(images, []string{"rating:v1 ×2"}) || s.world.selected("rating") != "rating:v1" {
				t.Errorf("%q run, want rating:v1 left alone", images)
			}
			s.change(v2)
			s.wantCondition(s.serving("rating:v2"), v1alpha1.ConditionSpecValid, "True Valid")
		})
	}
}

// TestRefusedWithoutReplicas: with no pods to wait for, a refused spec must not count as one that is ready.
func TestRefusedWithoutReplicas(t *testing.T) {
	s := newStage(t)
	s.install(`{image: "rating:v1", replicas: 0}`)
	before := s.serving("rating:v1").Status.Stable
	s.change(`{image: "rating:v2", replicas: 0, config: {api: {}}}`)
	fs := s.phase("Stalled")
	if diff := cmp.Diff(before.Hash, fs.Status.Stable.Hash); diff != "" {
		t.Errorf("stable (-before +after):\n%s", diff)
	}
	s.wantQuiet("refused")
}

func TestHandEdits(t *testing.T) {
	s := newStage(t)
	s.install(v1)
	revision := "rating-" + s.serving("rating:v1").Status.Stable.Hash
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: s.namespace, Name: name} }
	edit := func(o client.Object, change func()) {
		t.Helper()
		if err := s.c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Fatal(err)
		}
		change()
		if err := s.c.Update(t.Context(), o, client.FieldOwner("kubectl-edit")); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(o client.Object) {
		t.Helper()
		if err := s.c.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	before := s.world.objects()
	for name, test := range map[string]struct {
		hand func()
		want string
	}{
		"replicas of the Deployment": {func() {
			d := &appsv1.Deployment{ObjectMeta: named(revision)}
			edit(d, func() { d.Spec.Replicas = ptr.To[int32](7) })
		}, "Warning HandEditUndone Deployment " + revision + ": kubectl-edit changed spec.replicas; it was put back. Edit replicas in the spec of FleetService rating instead"},
		"selector of the Service object": {func() {
			o := &corev1.Service{ObjectMeta: named("rating")}
			edit(o, func() { o.Spec.Selector[v1alpha1.LabelRevision] = "other" })
		}, "Warning HandEditUndone Service rating: kubectl-edit changed spec.selector." + v1alpha1.LabelRevision + "; it was put back. Traffic is moved by the operator"},
		"label of the headless Service object": {func() {
			o := &corev1.Service{ObjectMeta: named("rating-all")}
			edit(o, func() { delete(o.Labels, v1alpha1.LabelApp) })
		}, "Warning HandEditUndone Service rating-all: somebody changed metadata.labels." + v1alpha1.LabelApp + "; it was put back. It belongs to the operator"},
		"Deployment deleted":     {func() { remove(&appsv1.Deployment{ObjectMeta: named(revision)}) }, "Warning DeletionUndone Deployment " + revision + " was deleted"},
		"Service object deleted": {func() { remove(&corev1.Service{ObjectMeta: named("rating")}) }, "Warning DeletionUndone Service rating was deleted"},
		"ConfigMap deleted":      {func() { remove(&corev1.ConfigMap{ObjectMeta: named(revision)}) }, "Warning DeletionUndone ConfigMap " + revision + " was deleted"},
		"account deleted":        {func() { remove(&corev1.ServiceAccount{ObjectMeta: named("rating")}) }, "Warning DeletionUndone ServiceAccount rating was deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			s.told("")
			test.hand()
			if _, err := s.reconcile(); err != nil {
				t.Fatalf("Reconcile = %v", err)
			}
			if diff := cmp.Diff(before, s.world.objects()); diff != "" {
				t.Errorf("objects (-before +after):\n%s", diff)
			}
			told := s.told(" ")
			if len(told) != 1 || !strings.HasPrefix(told[0], test.want) {
				t.Errorf("events = %q, want one that begins with %q", told, test.want)
			}
			fs := s.serving("rating:v1")
			if got := s.world.selected("rating"); got != "rating:v1" || *fs.Spec.Replicas != 2 || !slices.Equal(s.world.images(), []string{"rating:v1 ×2"}) {
				t.Errorf("%q run and %s is selected, want rating:v1 ×2 and rating:v1", s.world.images(), got)
			}
		})
	}
}

func TestNamesThatAreTaken(t *testing.T) {
	for name, theirs := range map[string]client.Object{
		"Service": &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "rating"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}},
		"ServiceAccount": &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "rating", Labels: map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelService: "rating",
		}}},
		"ControllerRevision": &appsv1.ControllerRevision{Data: runtime.RawExtension{Raw: []byte(`{}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			theirs := theirs.DeepCopyObject().(client.Object)
			theirs.SetNamespace(s.namespace)
			if theirs.GetName() == "" {
				hash, err := revision.Hash(s.rating(v1))
				if err != nil {
					t.Fatal(err)
				}
				theirs.SetName("rating-" + hash)
			}
			if err := s.c.Create(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
			s.install(v1)
			fs := s.until("the collision told", func(fs *v1alpha1.FleetService) bool {
				return strings.HasPrefix(condition(fs, v1alpha1.ConditionStalled), "True NameTaken")
			})
			s.wantCondition(fs, v1alpha1.ConditionStalled, "True NameTaken", name+" "+s.namespace+"/"+theirs.GetName()+" exists and is not owned by this resource: delete or rename it")
			s.wantQuiet("name taken")
			if err := s.c.Delete(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
			s.serving("rating:v1")
		})
	}
}

// TestConflictDecidesOnce lets somebody else write between the look and the decision.
func TestConflictDecidesOnce(t *testing.T) {
	s := newStage(t)
	s.install(v1)
	s.serving("rating:v1")
	s.told("")
	conflicts := 0
	s.before = func(write string) error {
		if write != "status FleetService rating" || conflicts > 3 {
			return nil
		}
		conflicts++
		fs := s.get()
		fs.Annotations = map[string]string{"touched": strconv.Itoa(conflicts)}
		return s.c.Update(s.t.Context(), fs)
	}
	s.change(v2)
	if diff := cmp.Diff(updateStory, s.updated()); diff != "" {
		t.Errorf("the update (-want +got):\n%s", diff)
	}
	if conflicts < 4 {
		t.Fatalf("%d conflicts came about, want 4", conflicts)
	}
	told := strings.Join(s.told(" "), "\n")
	for _, reason := range []string{"RolloutStarted", "Promoted", "TrafficMoved", "Baked", "Drained"} {
		if n := strings.Count(told, reason); n != 1 {
			t.Errorf("%d events %s, want one decision and one event:\n%s", n, reason, told)
		}
	}
}
