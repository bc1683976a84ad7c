//go:build envtest

package ratingingestor_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/kafka"
	"movieexample.com/fleet/test/apiserver"
)

// golden is the FleetService of the usual ingestor.
const golden = `
image: rating:v1
replicas: 1
args: [ingest]
config: {ingest: {deadLetterTopic: ratings.dlq, group: rating, topic: ratings}, recordTypes: [movie, series]}
storage: MySQL
resources: {requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 512Mi}}
ports: {admin: 8095}
bindings: {kafka: {secretRef: {name: movies-kafka}}, mysql: {secretRef: {name: rating-mysql}}}
ownership: {accountable: a@example.com}
signals: {metrics: {requests: [{counter: ingest_events_total, codeLabel: outcome, errors: [failed, dead_lettered]}]}}
consumer: {group: rating, partitions: 6, topic: ratings}
`

// TestChild: image and database come from the service, what is read from the ingestor, and how many partitions there are
// from Kafka, which is asked with the binding's login.
func TestChild(t *testing.T) {
	s := newStage(t)
	s.install(usual)
	fs := s.get("ratings")
	var want v1alpha1.FleetServiceSpec
	if err := yaml.UnmarshalStrict([]byte(golden), &want); err != nil {
		t.Fatal(err)
	}
	got, _ := yaml.Marshal(fs.Spec)
	wanted, _ := yaml.Marshal(want)
	if diff := cmp.Diff(string(wanted), string(got)); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if fs.Labels[v1alpha1.LabelApp] != "movies" || fs.Labels[v1alpha1.LabelService] != "ratings" {
		t.Errorf("labels = %v", fs.Labels)
	}
	if len(s.asked) == 0 || s.asked[0].Username != "ratings" || s.asked[0].Servers[0] != "kafka:9092" {
		t.Errorf("Kafka was asked with %v", s.asked)
	}
	s.promote("ratings", "rating:v1")
	s.step()
	s.wantCondition(v1alpha1.ConditionReady, "True Serving")
	s.wantCondition(v1alpha1.ConditionKafkaReady, "True KafkaUsable: topic ratings has 6 partitions")
	st := s.ingestor().Status
	if st.Ready != "1/1" || st.Replicas != 1 || st.Selector == "" || st.Partitions != 6 || st.Image != "rating:v1" {
		t.Errorf("status = %+v", st)
	}
	version := s.ingestor().ResourceVersion
	s.step()
	s.step()
	if again := s.ingestor().ResourceVersion; again != version {
		t.Error("status was written though nothing changed")
	}
}

// TestFollowsItsService: the ingestor gets an image when its service has promoted it, and not its canary's.
func TestFollowsItsService(t *testing.T) {
	s := newStage(t)
	s.install(usual)
	service := s.get("movies-rating")
	service.Spec.Image = "rating:v2" // on trial
	if err := s.c.Update(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	s.step()
	if got := s.get("ratings").Spec.Image; got != "rating:v1" {
		t.Errorf("image = %s while v2 is on trial, want v1", got)
	}
	s.promote("movies-rating", "rating:v2")
	s.step()
	if got := s.get("ratings").Spec.Image; got != "rating:v2" {
		t.Errorf("image = %s after v2 was promoted", got)
	}
	if told := s.told("ImageFollowed"); len(told) != 1 {
		t.Errorf("events %q, want one", told)
	}
}

// TestWaits: what is missing is said by name, nothing is made before it is there, and it heals by itself.
func TestWaits(t *testing.T) {
	t.Run("for the service", func(t *testing.T) {
		s := emptyStage(t)
		s.install(usual)
		s.wantCondition(v1alpha1.ConditionServiceFound, "False ServiceMissing: FleetService movies-rating is not there")
		s.none()
		s.service()
		s.step()
		s.wantCondition(v1alpha1.ConditionReady, "False ServiceMissing: movies-rating has promoted no image yet")
		s.none()
		s.promote("movies-rating", "rating:v1")
		s.step()
		s.get("ratings")
	})
	t.Run("for a topic", func(t *testing.T) {
		s := newStage(t)
		good := s.report
		s.report = kafka.Report{Problems: []string{"the topic ratings does not exist: create it"}}
		s.install(usual)
		s.wantCondition(v1alpha1.ConditionKafkaReady, "False KafkaProblem: the topic ratings does not exist")
		s.wantCondition(v1alpha1.ConditionStalled, "True KafkaProblem")
		s.none()
		if told := s.told("KafkaProblem"); len(told) != 1 {
			t.Errorf("events %q, want one", told)
		}
		s.report = good
		s.step()
		s.get("ratings")
	})
	t.Run("for a broker", func(t *testing.T) {
		s := newStage(t)
		s.away = errors.New("connection refused")
		s.install(usual)
		s.wantCondition(v1alpha1.ConditionKafkaReady, "Unknown CouldNotObserve", "connection refused")
		s.wantCondition(v1alpha1.ConditionReady, "Unknown CouldNotObserve")
		s.none()
	})
	t.Run("for a Secret", func(t *testing.T) {
		s := newStage(t)
		s.install(strings.Replace(usual, "movies-kafka", "elsewhere", 1))
		s.wantCondition(v1alpha1.ConditionBindingsReady, "False BindingsMissing", `Secret "elsewhere" does not exist`)
		s.none()
		s.secret("elsewhere", map[string]string{"type": "kafka", "bootstrap-servers": "kafka:9092"})
		s.step()
		s.get("ratings")
	})
}

// TestKafkaAwayChangesNothing: while the broker does not answer, what reads goes on as it is.
func TestKafkaAwayChangesNothing(t *testing.T) {
	s := newStage(t)
	s.install(usual)
	s.flow(4, 1000, 100)
	before := s.get("ratings")
	s.away = errors.New("connection refused")
	for range 5 {
		s.step()
	}
	after := s.get("ratings")
	if after.Generation != before.Generation {
		t.Errorf("the FleetService changed from %+v to %+v", before.Spec, after.Spec)
	}
	s.wantCondition(v1alpha1.ConditionKafkaReady, "Unknown CouldNotObserve")
	if st := s.ingestor().Status; st.Partitions != 6 || st.Lag == 0 {
		t.Errorf("status = %+v, want what was seen last", st)
	}
}

// TestSharedDatabase: an ingestor counts as one with its service, and with no other.
func TestSharedDatabase(t *testing.T) {
	s := newStage(t)
	s.fleetService("movies-metadata", `{image: "metadata:v1", storage: MySQL, bindings: {mysql: {secretRef: {name: metadata-mysql}}}}`)
	s.secret("metadata-mysql", map[string]string{"type": "mysql", "host": "db", "port": "3306", "username": "u", "password": "p", "database": "metadata"})
	s.install(`{serviceRef: {app: movies}, bindings: {kafka: {secretRef: {name: movies-kafka}}, mysql: {secretRef: {name: metadata-mysql}}}}`)
	s.wantCondition(v1alpha1.ConditionBindingsReady, "False SharedDatabase: the database metadata at db is movies-metadata's too")
	s.none()
	s.edit(func(ri *v1alpha1.RatingIngestor) { ri.Spec.Bindings.MySQL = nil })
	s.step()
	s.get("ratings")
	s.wantCondition(v1alpha1.ConditionBindingsReady, "True BindingsFound")
}

// TestPausedHolds: paused keeps the number of pods, and holds rollouts.
func TestPausedHolds(t *testing.T) {
	s := busy(t, strings.Replace(usual, "{serviceRef", "{paused: true, serviceRef", 1))
	fs := s.get("ratings")
	if *fs.Spec.Replicas != 1 || !ptr.Deref(fs.Spec.Rollout.Paused, false) {
		t.Errorf("spec = %+v, want one pod and rollouts paused", fs.Spec)
	}
	if got := s.ingestor().Status.WantedReplicas; got < 2 {
		t.Errorf("wantedReplicas = %d, want what would be", got)
	}
}

// TestRewindIsAskedFor: what becomes of a bad revision's partitions is said beside how it is rolled out.
func TestRewindIsAskedFor(t *testing.T) {
	s := newStage(t)
	s.install(strings.Replace(usual, "{serviceRef", "{rollout: {rewind: true, bake: 20s}, serviceRef", 1))
	if spec := s.get("ratings").Spec; !spec.Consumer.Rewind || spec.Rollout.Bake.Duration != 20*time.Second {
		t.Errorf("spec = %+v and %+v, want a rewind and the bake", spec.Consumer, spec.Rollout)
	}
}

// TestExternal: in mode External replicas are those of /scale, here or on the FleetService, and a change of mode drops no pod.
func TestExternal(t *testing.T) {
	s := busy(t, usual)
	s.edit(func(ri *v1alpha1.RatingIngestor) { ri.Spec.Scaling.Mode = v1alpha1.ScalingExternal })
	s.step()
	if got := *s.get("ratings").Spec.Replicas; got != 2 {
		t.Errorf("%d pods after the change of mode, want still 2", got)
	}
	fs := s.get("ratings")
	fs.Spec.Replicas = ptr.To[int32](4) // as KEDA would
	if err := s.c.Update(t.Context(), fs, client.FieldOwner("keda")); err != nil {
		t.Fatal(err)
	}
	s.flow(20, 1000, 100)
	if got := *s.get("ratings").Spec.Replicas; got != 4 {
		t.Errorf("%d pods, want KEDA's 4", got)
	}
	s.edit(func(ri *v1alpha1.RatingIngestor) { ri.Spec.Replicas = ptr.To[int32](3) })
	s.step()
	if got := *s.get("ratings").Spec.Replicas; got != 3 {
		t.Errorf("%d pods, want the ingestor's 3", got)
	}
}

// TestMembersAndStuck: status tells which pod has which partitions, and which of them do not move.
func TestMembersAndStuck(t *testing.T) {
	s := newStage(t)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "ratings-abc-x", Labels: map[string]string{v1alpha1.LabelService: "ratings", v1alpha1.LabelRevision: "abc"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "service", Image: "rating:v1"}}},
	}
	if err := s.c.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	s.report.Members = []kafka.Member{{Client: "somebody", Partitions: []int32{4, 5}}, {Client: "ratings-abc-x", Partitions: []int32{0, 1, 2, 3}}}
	s.install(usual)
	for range 8 {
		s.report.Partitions[3].End += 10 // which nobody takes
		s.step()
	}
	st := s.ingestor().Status
	want := []v1alpha1.IngestorMember{{Pod: "ratings-abc-x", Revision: "abc", Partitions: []int32{0, 1, 2, 3}}, {Pod: "somebody", Partitions: []int32{4, 5}}}
	if diff := cmp.Diff(want, st.Members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int32{3}, st.StuckPartitions); diff != "" || *s.get("ratings").Spec.Replicas != 1 {
		t.Errorf("stuck (-want +got):\n%s; it is not scaled for", diff)
	}
	if told := s.told("PartitionsStuck"); len(told) != 1 {
		t.Errorf("events %q, want one", told)
	}
}

// TestHandEdit: an edit of the FleetService is undone, and told.
func TestHandEdit(t *testing.T) {
	s := newStage(t)
	s.install(usual)
	fs := s.get("ratings")
	fs.Spec.Args = []string{"serve"}
	if err := s.c.Update(t.Context(), fs, client.FieldOwner("person")); err != nil {
		t.Fatal(err)
	}
	s.step()
	if got := s.get("ratings").Spec.Args[0]; got != "ingest" {
		t.Errorf("args = %s, want them put back", got)
	}
	if told := s.told("HandEditUndone"); len(told) != 1 || !strings.Contains(told[0], "Edit RatingIngestor ratings instead") {
		t.Errorf("events %q", told)
	}
}

// TestNameTaken: another's FleetService of that name is left alone.
func TestNameTaken(t *testing.T) {
	s := newStage(t)
	s.fleetService("ratings", `{image: "other:v1"}`)
	s.install(usual)
	s.wantCondition(v1alpha1.ConditionReady, "False NameTaken")
	if got := s.get("ratings").Spec.Image; got != "other:v1" {
		t.Errorf("image = %s, want it untouched", got)
	}
}

// TestDeletion: the FleetService goes first, or stays without an owner; one that does not go holds for a minute at most.
func TestDeletion(t *testing.T) {
	gone := func(s *stage) bool {
		err := s.c.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "ratings"}, &v1alpha1.RatingIngestor{})
		return apierrors.IsNotFound(err)
	}
	t.Run("delete", func(t *testing.T) {
		s := newStage(t)
		s.install(usual)
		hold(t, s)
		if err := s.c.Delete(t.Context(), s.ingestor()); err != nil {
			t.Fatal(err)
		}
		s.step()
		if fs := s.get("ratings"); fs.DeletionTimestamp == nil || gone(s) {
			t.Error("the FleetService is not being deleted, or the ingestor did not wait for it")
		}
		s.clock.Step(time.Minute)
		s.step()
		if !gone(s) {
			t.Error("the ingestor is held for more than a minute")
		}
	})
	t.Run("orphan", func(t *testing.T) {
		s := newStage(t)
		s.install(strings.Replace(usual, "{serviceRef", "{deletionPolicy: Orphan, serviceRef", 1))
		if err := s.c.Delete(t.Context(), s.ingestor()); err != nil {
			t.Fatal(err)
		}
		s.step()
		if fs := s.get("ratings"); len(fs.OwnerReferences) > 0 || fs.DeletionTimestamp != nil || !gone(s) {
			t.Errorf("FleetService %+v, want it there without an owner, and the ingestor gone", fs.ObjectMeta)
		}
	})
}

// hold gives the FleetService a finalizer, as its controller does.
func hold(t *testing.T, s *stage) {
	t.Helper()
	fs := s.get("ratings")
	fs.Finalizers = []string{v1alpha1.Finalizer}
	if err := s.c.Update(t.Context(), fs); err != nil {
		t.Fatal(err)
	}
}

// TestRefused: the API server refuses what cannot be, with a sentence that says what to do.
func TestRefused(t *testing.T) {
	s := newStage(t)
	for name, c := range map[string]struct{ spec, want string }{
		"replicas in mode Lag":   {`{replicas: 3, serviceRef: {app: movies}, bindings: {kafka: {secretRef: {name: k}}}}`, "replicas is chosen by the operator in scaling.mode Lag"},
		"no Kafka":               {`{serviceRef: {app: movies}, bindings: {}}`, "bindings.kafka: Required"},
		"dead letters come back": {`{kafka: {topic: a, deadLetterTopic: a}, serviceRef: {app: movies}, bindings: {kafka: {secretRef: {name: k}}}}`, "deadLetterTopic must not be the topic itself"},
		"bounds":                 {`{scaling: {minReplicas: 5, maxReplicas: 2}, serviceRef: {app: movies}, bindings: {kafka: {secretRef: {name: k}}}}`, "minReplicas must be at most maxReplicas"},
		"topic of a dot":         {`{kafka: {topic: "."}, serviceRef: {app: movies}, bindings: {kafka: {secretRef: {name: k}}}}`, `spec.kafka.topic: Invalid value: ".": must be the name of a Kafka topic: letters, digits, '.', '_' and '-', and not '.' or '..' alone`},
		"dead letters of dots":   {`{kafka: {deadLetterTopic: ".."}, serviceRef: {app: movies}, bindings: {kafka: {secretRef: {name: k}}}}`, `spec.kafka.deadLetterTopic: Invalid value: "..": must be the name of a Kafka topic`},
		"topic's name":           {`{kafka: {topic: "a b"}, serviceRef: {app: movies}, bindings: {kafka: {secretRef: {name: k}}}}`, "must be the name of a Kafka topic"},
	} {
		t.Run(name, func(t *testing.T) {
			ri := &v1alpha1.RatingIngestor{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "other"}}
			if err := yaml.UnmarshalStrict([]byte(c.spec), &ri.Spec); err != nil {
				t.Fatal(err)
			}
			err := s.c.Create(t.Context(), ri)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("create = %v, want %q in it", err, c.want)
			}
		})
	}
	s.install(usual)
	ri := s.ingestor()
	ri.Spec.Kafka.Group = "another"
	if err := s.c.Update(t.Context(), ri); err == nil || !strings.Contains(err.Error(), "make another RatingIngestor") {
		t.Errorf("another group = %v, want it refused", err)
	}
}

// TestSample: the sample is such as the API server takes, and the controller renders it.
func TestSample(t *testing.T) {
	s := newStage(t)
	raw, err := os.ReadFile(filepath.Join(apiserver.Root(), "config", "samples", "ratingingestor.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ri := &v1alpha1.RatingIngestor{}
	if err := yaml.UnmarshalStrict(raw, ri); err != nil {
		t.Fatal(err)
	}
	ri.Namespace, ri.Spec.Bindings.Kafka.SecretRef.Name = s.namespace, "movies-kafka"
	if err := s.c.Create(t.Context(), ri); err != nil {
		t.Fatal(err)
	}
	s.step()
	if got := s.get("ratings").Spec.Rollout.Bake.Duration; got != 20*time.Second {
		t.Errorf("bake = %s, want the sample's", got)
	}
}

// TestShadowedCanaries: canaries read along where that is asked for, and where the topic has one partition unless it is
// refused. Nobody says so in another way.
func TestShadowedCanaries(t *testing.T) {
	s := newStage(t)
	s.install(usual)
	for _, c := range []struct {
		partitions int
		asked      *bool
		want       bool
	}{
		{6, nil, false}, {6, ptr.To(true), true}, {6, ptr.To(false), false},
		{1, nil, true}, {1, ptr.To(false), false}, {1, ptr.To(true), true},
	} {
		s.report.TopicID = [16]byte{byte(c.partitions)}
		s.report.Partitions = make([]kafka.Partition, c.partitions)
		s.edit(func(ri *v1alpha1.RatingIngestor) { ri.Spec.Rollout = &v1alpha1.IngestorRollout{Shadow: c.asked} })
		s.step()
		got := s.get("ratings").Spec.Consumer
		if got.Shadow != c.want || got.Partitions != int32(c.partitions) {
			t.Errorf("consumer with %d partitions and shadow %v = %+v, want shadow %v", c.partitions, ptr.Deref(c.asked, false), got, c.want)
		}
	}
	s.edit(func(ri *v1alpha1.RatingIngestor) {
		ri.Spec.Config = &runtime.RawExtension{Raw: []byte(`{"ingest": {"shadow": true}}`)}
	})
	s.step()
	s.wantCondition(v1alpha1.ConditionReady, "False InvalidSpec: spec.config.ingest.shadow is said by the operator", "set spec.rollout.shadow instead")
}
