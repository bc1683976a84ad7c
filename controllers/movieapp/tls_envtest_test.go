//go:build envtest

package movieapp_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/movieapp"
	"movieexample.com/fleet/controllers/movieapp/certificates"
)

// secured is an application with TLS whose controller works when it is told to, at a time that the test says.
type secured struct {
	*stage
	clock *clocktesting.FakePassiveClock
	r     *movieapp.Reconciler
}

func newSecured(t *testing.T, tls v1alpha1.AppTLS) *secured {
	t.Helper()
	s := &secured{stage: emptyStage(t), clock: clocktesting.NewFakePassiveClock(time.Now())}
	s.r = movieapp.New(s.c, s.c, events.NewFakeRecorder(1000), s.clock)
	s.secrets()
	app := sampleApp(t)
	app.Spec.TLS = &tls
	s.create(app)
	return s
}

// after lets time pass and the controller work.
func (s *secured) after(d time.Duration) {
	s.t.Helper()
	s.clock.SetTime(s.clock.Now().Add(d))
	request := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: s.namespace, Name: "movies"}}
	if _, err := s.r.Reconcile(s.t.Context(), request); err != nil {
		s.t.Fatalf("Reconcile = error %v, want none", err)
	}
}

func (s *secured) secret(name string) *corev1.Secret {
	s.t.Helper()
	secret := &corev1.Secret{}
	if err := s.c.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, secret); err != nil {
		s.t.Fatal(err)
	}
	return secret
}

// says fails unless the condition CertificatesReady says something.
func (s *secured) says(status metav1.ConditionStatus, reason, message string) {
	s.t.Helper()
	for _, c := range s.app("movies").Status.Conditions {
		if c.Type == v1alpha1.ConditionCertificatesReady {
			if c.Status != status || c.Reason != reason || !strings.Contains(c.Message, message) {
				s.t.Errorf("CertificatesReady = %s %s: %s; want %s %s: %s", c.Status, c.Reason, c.Message, status, reason, message)
			}
			return
		}
	}
	s.t.Errorf("there is no condition CertificatesReady, want %s", reason)
}

func certificatesIn(t *testing.T, text []byte) []*x509.Certificate {
	t.Helper()
	var list []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// TestCertificates: each service gets a certificate that says who it is, and finds in its config whom it calls.
func TestCertificates(t *testing.T) {
	s := newSecured(t, v1alpha1.AppTLS{})
	s.after(0)
	ca := s.secret("movies-ca")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.Data["ca.crt"])
	for _, name := range []string{"metadata", "rating", "movie"} {
		secret := s.secret("movies-" + name + "-tls")
		if secret.Type != corev1.SecretTypeTLS || !metav1.IsControlledBy(secret, s.app("movies")) {
			t.Errorf("Secret %s is of type %s, owned by %v; want kubernetes.io/tls, owned by the MovieApp", secret.Name, secret.Type, secret.OwnerReferences)
		}
		leaf := certificatesIn(t, secret.Data["tls.crt"])[0]
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "movies-" + name + "." + s.namespace + ".svc"}); err != nil {
			t.Errorf("the certificate of %s: %v", name, err)
		}
		want := "spiffe://cluster.local/ns/" + s.namespace + "/sa/movies-" + name
		if len(leaf.URIs) != 1 || leaf.URIs[0].String() != want {
			t.Errorf("the certificate of %s says %v, want %s", name, leaf.URIs, want)
		}
		fs := s.fleet()["movies-"+name]
		if fs == nil || fs.Spec.Bindings.TLS.SecretRef.Name != secret.Name {
			t.Fatalf("FleetService movies-%s is %+v, want one with the binding tls", name, fs)
		}
	}
	s.says(metav1.ConditionTrue, v1alpha1.ReasonCertificatesIssued, "3 services have certificates")
	if got, want := string(s.fleet()["movies-movie"].Spec.Config.Raw), `"identity":"spiffe://cluster.local/ns/`+s.namespace+`/sa/movies-rating"`; !strings.Contains(got, want) {
		t.Errorf("movie's config = %s, want it to hold %s", got, want)
	}
	before := s.secret("movies-movie-tls").ResourceVersion
	s.after(time.Hour)
	if got := s.secret("movies-movie-tls").ResourceVersion; got != before {
		t.Error("a certificate that holds was written anew")
	}
	s.after(20 * 24 * time.Hour)
	leaf := certificatesIn(t, s.secret("movies-movie-tls").Data["tls.crt"])[0]
	if left := leaf.NotAfter.Sub(s.clock.Now()); left < 29*24*time.Hour {
		t.Errorf("after two thirds of its life the certificate holds for %s, want it renewed", left)
	}
	if got := s.secret("movies-ca").Data["signing"]; string(got) != string(ca.Data["signing"]) {
		t.Errorf("the authority changed to %s with a certificate", got)
	}
}

// podThatTrusts is a pod of a service whose metrics tell whom it trusts: the bundle of its Secret, when it is told to look.
func (s *secured) podThatTrusts(service string) (look func()) {
	s.t.Helper()
	var page atomic.Value
	look = func() {
		text := "# TYPE tls_bundle_info gauge\n"
		for _, c := range certificatesIn(s.t, s.secret(service + "-tls").Data["ca.crt"]) {
			text += fmt.Sprintf("tls_bundle_info{fingerprint=%q,subject=\"x\"} 1\n", certificates.Fingerprint(c))
		}
		page.Store(text)
	}
	look()
	metrics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(page.Load().(string)))
	}))
	s.t.Cleanup(metrics.Close)
	host, text, err := net.SplitHostPort(metrics.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	port, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		s.t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: service + "-", Labels: map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelApp: "movies", v1alpha1.LabelService: service,
		}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "service", Image: "x", Ports: []corev1.ContainerPort{{Name: "admin", ContainerPort: int32(port)}}}}},
	}
	s.create(pod)
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: host, PodIPs: []corev1.PodIP{{IP: host}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "service", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
	}
	if err := s.c.Status().Update(s.t.Context(), pod); err != nil {
		s.t.Fatal(err)
	}
	return look
}

// signers are who signed the services' certificates, by the name of the authority.
func (s *secured) signers() []string {
	s.t.Helper()
	var list []string
	for _, name := range []string{"metadata", "rating", "movie"} {
		list = append(list, certificatesIn(s.t, s.secret("movies-" + name + "-tls").Data["tls.crt"])[0].Issuer.CommonName)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// TestAuthorityRotation: the next authority is in every bundle before it signs, every running pod must trust it, and the one
// before it goes when nothing of it can hold.
func TestAuthorityRotation(t *testing.T) {
	day := 24 * time.Hour
	s := newSecured(t, v1alpha1.AppTLS{CertificateLifetime: &metav1.Duration{Duration: day}, AuthorityRotation: &metav1.Duration{Duration: 10 * day}})
	s.after(0)
	first := s.signers()
	look := s.podThatTrusts("movies-rating")
	s.after(10 * day)
	bundle := func() int { return len(certificatesIn(t, s.secret("movies-movie-tls").Data["ca.crt"])) }
	if got := bundle(); got != 2 {
		t.Fatalf("movie's bundle has %d authorities after the rotation, want 2", got)
	}
	s.after(time.Hour)
	s.says(metav1.ConditionTrue, v1alpha1.ReasonAuthorityRotating, "it waits for pod movies-rating-")
	s.says(metav1.ConditionTrue, v1alpha1.ReasonAuthorityRotating, "which does not trust it yet")
	if got := s.signers(); !slices.Equal(got, first) {
		t.Errorf("certificates are signed by %v while a pod does not trust the next authority, want %v", got, first)
	}
	look()
	s.after(time.Minute)
	second := s.signers()
	if len(second) != 1 || second[0] == first[0] {
		t.Errorf("certificates are signed by %v when every pod trusts the next authority, want all by it", second)
	}
	s.says(metav1.ConditionTrue, v1alpha1.ReasonCertificatesIssued, "3 services")
	s.after(12 * time.Hour)
	if got := bundle(); got != 2 {
		t.Errorf("movie's bundle has %d authorities while certificates of the first hold, want 2", got)
	}
	s.after(13 * time.Hour)
	if got := bundle(); got != 1 {
		t.Errorf("movie's bundle has %d authorities when no certificate of the first holds any more, want 1", got)
	}

	// A Secret that was lost takes the authorities' keys along: what they signed is trusted until pods trust the next one.
	if err := s.c.Delete(t.Context(), s.secret("movies-ca")); err != nil {
		t.Fatal(err)
	}
	s.after(time.Minute)
	if got := s.signers(); !slices.Equal(got, second) || bundle() != 2 {
		t.Errorf("after the authorities were deleted, certificates are signed by %v and %d authorities are trusted; want %v still, and 2", got, bundle(), second)
	}
	look()
	s.after(time.Minute)
	if got := s.signers(); len(got) != 1 || slices.Contains(second, got[0]) {
		t.Errorf("certificates are signed by %v, want all by the new authority", got)
	}
}

// TestForeignCertificates: a person's Secret is left alone, and named.
func TestForeignCertificates(t *testing.T) {
	for _, name := range []string{"movies-ca", "movies-rating-tls"} {
		t.Run(name, func(t *testing.T) {
			s := newSecured(t, v1alpha1.AppTLS{})
			mine := secret(name, map[string]string{"note": "mine"})
			s.create(mine)
			s.after(0)
			s.says(metav1.ConditionFalse, v1alpha1.ReasonNameTaken, "Secret "+name+" exists and is not owned by this MovieApp, and is left as it is: delete it")
			s.awaitCondition("movies", v1alpha1.ConditionStalled, metav1.ConditionTrue, name)
			if now := s.secret(name); now.ResourceVersion != mine.ResourceVersion {
				t.Errorf("the Secret was changed: %v", now.Data)
			}
			if err := s.c.Delete(t.Context(), mine); err != nil {
				t.Fatal(err)
			}
			s.after(2 * time.Minute)
			s.says(metav1.ConditionTrue, v1alpha1.ReasonCertificatesIssued, "3 services")
		})
	}
}

// TestOrphanedCertificates: services that go on without their owner keep their certificates, and their flags.
func TestOrphanedCertificates(t *testing.T) {
	s := newSecured(t, v1alpha1.AppTLS{})
	s.edit("movies", func(app *v1alpha1.MovieApp) {
		app.Spec.DeletionPolicy = v1alpha1.DeletionOrphan
		app.Spec.FeatureFlags = map[string]v1alpha1.FeatureFlag{"recommendations": {Value: true}}
	})
	s.after(0)
	s.letGoOfAll(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "movies-flags"}},
		secret("movies-ca", nil), secret("movies-metadata-tls", nil), secret("movies-rating-tls", nil), secret("movies-movie-tls", nil))
}

// letGoOfAll deletes the application and fails where something does not stay, or is owned still.
func (s *secured) letGoOfAll(objects ...client.Object) {
	s.t.Helper()
	if err := s.c.Delete(s.t.Context(), s.app("movies")); err != nil {
		s.t.Fatal(err)
	}
	s.after(0)
	for _, o := range objects {
		o.SetNamespace(s.namespace)
		if err := s.c.Get(s.t.Context(), client.ObjectKeyFromObject(o), o); err != nil || len(o.GetOwnerReferences()) > 0 {
			s.t.Errorf("%s after its owner was deleted: owners %v, %v; want it without", o.GetName(), o.GetOwnerReferences(), err)
		}
	}
}

// TestCertificatesThatCannotBeRead are unknown, neither good nor bad, and looked at again.
func TestCertificatesThatCannotBeRead(t *testing.T) {
	s := newSecured(t, v1alpha1.AppTLS{})
	away := errors.New("the API server is away")
	direct := interceptor.NewClient(s.c, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		if away != nil && key.Name == "movies-ca" {
			return away
		}
		return c.Get(ctx, key, o, opts...)
	}})
	s.r = movieapp.New(s.c, direct, events.NewFakeRecorder(1000), s.clock)
	request := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: s.namespace, Name: "movies"}}
	if _, err := s.r.Reconcile(t.Context(), request); !errors.Is(err, away) {
		t.Errorf("Reconcile = error %v, want %v", err, away)
	}
	s.says(metav1.ConditionUnknown, v1alpha1.ReasonCouldNotObserve, "get Secret movies-ca: the API server is away")
	away = nil
	s.after(0)
	s.says(metav1.ConditionTrue, v1alpha1.ReasonCertificatesIssued, "3 services")
}

// TestCertManager: with an issuer the operator asks cert-manager. The definition of its Certificate is a stand-in: the
// fields that are written, and a status; nobody issues.
func TestCertManager(t *testing.T) {
	s := newSecured(t, v1alpha1.AppTLS{IssuerRef: &v1alpha1.IssuerReference{Name: "ours"}})
	s.after(0)
	s.says(metav1.ConditionFalse, v1alpha1.ReasonCertManagerMissing, "this cluster does not have its API cert-manager.io/v1: install cert-manager")
	standIn(t, s.c)
	s.eventually(func() string {
		s.after(2 * time.Minute)
		err := s.c.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "movies-movie-tls"}, aCertificate())
		if err != nil {
			return err.Error()
		}
		return ""
	})
	s.says(metav1.ConditionFalse, v1alpha1.ReasonIssuing, "cert-manager has not issued movies-metadata-tls: it has not looked at it yet")
	if got := len(s.fleet()); got != 0 {
		t.Errorf("there are %d FleetServices before their certificates, want none", got)
	}
	asked := aCertificate()
	if err := s.c.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "movies-movie-tls"}, asked); err != nil {
		t.Fatal(err)
	}
	uris, _, _ := unstructured.NestedStringSlice(asked.Object, "spec", "uris")
	issuer, _, _ := unstructured.NestedString(asked.Object, "spec", "issuerRef", "name")
	if want := []string{"spiffe://cluster.local/ns/" + s.namespace + "/sa/movies-movie"}; !slices.Equal(uris, want) || issuer != "ours" {
		t.Errorf("the Certificate of movie asks for %v of %s, want %v of ours", uris, issuer, want)
	}
	for _, name := range []string{"metadata", "rating", "movie"} {
		s.issue("movies-" + name + "-tls")
	}
	s.after(time.Minute)
	s.says(metav1.ConditionTrue, v1alpha1.ReasonCertificatesIssued, "3 services have certificates that cert-manager issues by ours")
	if got := len(s.fleet()); got != 3 {
		t.Errorf("there are %d FleetServices when all certificates are issued, want 3", got)
	}
	before := s.version(asked)
	s.after(2 * time.Minute)
	if got := s.version(asked); got != before {
		t.Errorf("the Certificate was written again: version %s, before %s", got, before)
	}
	s.edit("movies", func(app *v1alpha1.MovieApp) { app.Spec.DeletionPolicy = v1alpha1.DeletionOrphan })
	s.letGoOfAll(asked)
}

// version is the resourceVersion of an object as it is now.
func (s *secured) version(o client.Object) string {
	s.t.Helper()
	if err := s.c.Get(s.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		s.t.Fatal(err)
	}
	return o.GetResourceVersion()
}

func aCertificate() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"})
	return u
}

// issue does what cert-manager does with a Certificate.
func (s *secured) issue(name string) {
	s.t.Helper()
	s.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Type: corev1.SecretTypeTLS,
		StringData: map[string]string{"tls.crt": "c", "tls.key": "k", "ca.crt": "a"},
	})
	u := aCertificate()
	if err := s.c.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, u); err != nil {
		s.t.Fatal(err)
	}
	u.Object["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
	if err := s.c.Status().Update(s.t.Context(), u); err != nil {
		s.t.Fatal(err)
	}
}

// standIn installs the stand-in of cert-manager's definition.
func standIn(t *testing.T, c client.Client) {
	t.Helper()
	const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: certificates.cert-manager.io}
spec:
  group: cert-manager.io
  scope: Namespaced
  names: {plural: certificates, singular: certificate, kind: Certificate, listKind: CertificateList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    subresources: {status: {}}
`
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(definition), &crd.Object); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
}
