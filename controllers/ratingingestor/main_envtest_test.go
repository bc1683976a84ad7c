//go:build envtest

package ratingingestor_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/bindings"
	"movieexample.com/fleet/controllers/internal/kafka"
	"movieexample.com/fleet/controllers/ratingingestor"
	"movieexample.com/fleet/test/apiserver"
)

var server *apiserver.Server

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(apiserver.Main(m, func(s *apiserver.Server) { server = s }))
}

// stage is a namespace with the service movies-rating and the ingestor ratings, a clock that the test moves, and a Kafka
// that shows what the test says.
type stage struct {
	t          *testing.T
	c          client.WithWatch
	namespace  string
	clock      *clocktesting.FakeClock
	recorder   *events.FakeRecorder
	reconciler *ratingingestor.Reconciler
	// report and away are what a look at Kafka gives.
	report kafka.Report
	away   error
	asked  []bindings.Kafka
	// owner has a client; empty when it was forgotten.
	owner string
}

const usual = `{serviceRef: {app: movies}, bindings: {kafka: {secretRef: {name: movies-kafka}}}}`

// emptyStage is a namespace with Secrets.
func emptyStage(t *testing.T) *stage {
	t.Helper()
	t.Parallel()
	s := &stage{
		t: t, c: server.Client(t), recorder: events.NewFakeRecorder(1000), clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)),
		report: kafka.Report{TopicID: [16]byte{1}},
	}
	for n := range int32(6) {
		s.report.Partitions = append(s.report.Partitions, kafka.Partition{Number: n, Committed: -1})
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "ri-"}}
	if err := s.c.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	s.namespace = ns.Name
	s.secret("movies-kafka", map[string]string{"type": "kafka", "bootstrap-servers": "kafka:9092", "username": "ratings", "password": "secret"})
	s.secret("rating-mysql", map[string]string{"type": "mysql", "host": "db", "port": "3306", "username": "u", "password": "p", "database": "rating"})
	s.reconciler = ratingingestor.New(s.c, s.c, s.recorder, ratingingestor.Options{Clock: s.clock, Kafka: s})
	return s
}

// newStage has the service, which has promoted v1.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := emptyStage(t)
	s.service()
	s.promote("movies-rating", "rating:v1")
	return s
}

// Look implements [ratingingestor.Kafka].
func (s *stage) Look(_ context.Context, owner string, b bindings.Kafka, _ kafka.Source) (kafka.Report, error) {
	s.asked, s.owner = append(s.asked, b), owner
	return s.report, s.away
}

// Forget implements [ratingingestor.Kafka].
func (s *stage) Forget(owner string) {
	if owner == s.owner {
		s.owner = ""
	}
}

func (s *stage) secret(name string, data map[string]string) {
	s.t.Helper()
	o := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}, StringData: data}
	if err := s.c.Create(s.t.Context(), o); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) service() {
	s.t.Helper()
	s.fleetService("movies-rating", `{image: "rating:v1", storage: MySQL, config: {recordTypes: [movie, series], upstreams: {x: {target: y}}},
  bindings: {mysql: {secretRef: {name: rating-mysql}}}, ownership: {accountable: a@example.com}}`)
}

func (s *stage) fleetService(name, spec string) {
	s.t.Helper()
	fs := &v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	if err := yaml.UnmarshalStrict([]byte(spec), &fs.Spec); err != nil {
		s.t.Fatal(err)
	}
	if err := s.c.Create(s.t.Context(), fs); err != nil {
		s.t.Fatal(err)
	}
}

// promote writes what the FleetService controller would: a service serves with an image.
func (s *stage) promote(name, image string) {
	s.t.Helper()
	fs := s.get(name)
	fs.Status.Stable = &v1alpha1.RevisionStatus{Hash: "abc", Image: image, Since: metav1.Now()}
	fs.Status.Phase, fs.Status.Ready, fs.Status.Replicas, fs.Status.Selector = "Serving", "1/1", 1, "a=b"
	fs.Status.Conditions = nil
	for kind, status := range map[string]metav1.ConditionStatus{
		v1alpha1.ConditionReady: metav1.ConditionTrue, v1alpha1.ConditionStalled: metav1.ConditionFalse, v1alpha1.ConditionReconciling: metav1.ConditionFalse,
		v1alpha1.ConditionAvailable: metav1.ConditionTrue,
	} {
		fs.Status.Conditions = append(fs.Status.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: "Serving", Message: "1 of 1 pods ready", ObservedGeneration: fs.Generation, LastTransitionTime: metav1.Now(),
		})
	}
	if err := s.c.Status().Update(s.t.Context(), fs); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) get(name string) *v1alpha1.FleetService {
	s.t.Helper()
	fs := &v1alpha1.FleetService{}
	if err := s.c.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, fs); err != nil {
		s.t.Fatalf("get FleetService %s: %v", name, err)
	}
	return fs
}

// install creates the ingestor and lets it be looked at.
func (s *stage) install(spec string) {
	s.t.Helper()
	ri := &v1alpha1.RatingIngestor{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "ratings"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &ri.Spec); err != nil {
		s.t.Fatal(err)
	}
	if err := s.c.Create(s.t.Context(), ri); err != nil {
		s.t.Fatal(err)
	}
	s.step()
}

func (s *stage) ingestor() *v1alpha1.RatingIngestor {
	s.t.Helper()
	ri := &v1alpha1.RatingIngestor{}
	if err := s.c.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "ratings"}, ri); err != nil {
		s.t.Fatalf("get the ingestor: %v", err)
	}
	return ri
}

func (s *stage) edit(change func(*v1alpha1.RatingIngestor)) {
	s.t.Helper()
	ri := s.ingestor()
	change(ri)
	if err := s.c.Update(s.t.Context(), ri); err != nil {
		s.t.Fatal(err)
	}
}

// step lets ten seconds pass, and then everything be looked at.
func (s *stage) step() {
	s.t.Helper()
	s.clock.Step(10 * time.Second)
	for range 2 { // once to act, once to see
		s.reconcile()
	}
}

func (s *stage) reconcile() {
	s.t.Helper()
	key := client.ObjectKey{Namespace: s.namespace, Name: "ratings"}
	if _, err := s.reconciler.Reconcile(s.t.Context(), reconcile.Request{NamespacedName: key}); err != nil {
		s.t.Fatalf("Reconcile = %v", err)
	}
}

// join makes so many members of the group, with the partitions given out among them.
func (s *stage) join(pods int32) {
	s.report.Members = make([]kafka.Member, pods)
	for i := range s.report.Members {
		s.report.Members[i].Client = fmt.Sprintf("ratings-abc-%d", i)
	}
	for n := range int32(len(s.report.Partitions)) {
		m := &s.report.Members[n%pods]
		m.Partitions = append(m.Partitions, n)
	}
}

// flow lets records come and be taken while time passes.
func (s *stage) flow(steps int, come, taken int64) {
	s.t.Helper()
	for range steps {
		for i := range s.report.Partitions {
			p := &s.report.Partitions[i]
			p.End += come
			p.Committed = min(p.End, max(p.Committed, 0)+taken)
		}
		s.step()
	}
}

// wantCondition checks a condition's status and reason, and what its message holds.
func (s *stage) wantCondition(kind, want string, holds ...string) {
	s.t.Helper()
	got := ""
	for _, c := range s.ingestor().Status.Conditions {
		if c.Type == kind {
			got = string(c.Status) + " " + c.Reason + ": " + c.Message
		}
	}
	if !strings.HasPrefix(got, want) {
		s.t.Errorf("condition %s = %q, want it to begin with %q", kind, got, want)
	}
	for _, text := range holds {
		if !strings.Contains(got, text) {
			s.t.Errorf("condition %s = %q, want %q in it", kind, got, text)
		}
	}
}

// none checks that no FleetService of the ingestor's is there.
func (s *stage) none() {
	s.t.Helper()
	if err := s.c.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "ratings"}, &v1alpha1.FleetService{}); err == nil {
		s.t.Error("a FleetService was made")
	}
}

func (s *stage) told(reason string) []string {
	var found []string
	for {
		select {
		case e := <-s.recorder.Events:
			if strings.Contains(e, reason) {
				found = append(found, e)
			}
		default:
			return found
		}
	}
}
