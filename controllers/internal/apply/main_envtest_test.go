//go:build envtest

package apply_test

import (
	"context"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"movieexample.com/fleet/controllers/internal/apply"
	"movieexample.com/fleet/test/apiserver"
)

var server *apiserver.Server

func TestMain(m *testing.M) {
	os.Exit(apiserver.Main(m, func(s *apiserver.Server) { server = s }))
}

// stage is a namespace of its own with an owner, a ConfigMap, and a client that counts what is applied.
type stage struct {
	c         client.Client
	namespace string
	owner     *corev1.ConfigMap
	applies   int
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{}
	s.c = interceptor.NewClient(server.Client(t), interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			s.applies++
			return c.Apply(ctx, o, opts...)
		},
	})
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "apply-"}}
	s.create(t, ns)
	s.namespace = ns.Name
	s.owner = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "owner"}}
	s.create(t, s.owner)
	return s
}

func (s *stage) applier() *apply.Applier { return apply.New(s.c, s.c, "fleet-test") }

func (s *stage) create(t *testing.T, o client.Object) {
	t.Helper()
	if err := s.c.Create(t.Context(), o); err != nil {
		t.Fatalf("create %T: %v", o, err)
	}
}

// edit changes an object as a person would.
func edit[T client.Object](t *testing.T, s *stage, o T, change func(T)) {
	t.Helper()
	if err := s.c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatalf("get %s: %v", o.GetName(), err)
	}
	change(o)
	if err := s.c.Update(t.Context(), o, client.FieldOwner("kubectl-edit")); err != nil {
		t.Fatalf("edit %s: %v", o.GetName(), err)
	}
}

// meta is a child's: labelled, annotated and owned.
func (s *stage) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: s.namespace, Name: name,
		Labels:          map[string]string{"app.kubernetes.io/managed-by": "movie-fleet", "own": "label"},
		Annotations:     map[string]string{"fleet.movieexample.com/accountable": "a@example.com"},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(s.owner, corev1.SchemeGroupVersion.WithKind("ConfigMap"))},
	}
}
