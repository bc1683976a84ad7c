//go:build envtest

package ratingingestor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/kafka"
)

// TestKafkaAwayIsAskedLessOften: brokers that do not answer keep whoever asks, so they are asked less and less often, and at once
// when there is another reason to hope: an edit, another Secret, an answer.
func TestKafkaAwayIsAskedLessOften(t *testing.T) {
	s := newStage(t)
	s.install(usual)
	pass := func(d time.Duration) (looks int) {
		before := len(s.asked)
		for range d / (5 * time.Second) {
			s.clock.Step(5 * time.Second)
			s.reconcile()
		}
		return len(s.asked) - before
	}
	if got := pass(time.Minute); got != 12 {
		t.Errorf("%d looks a minute, want 12", got)
	}
	s.away = errors.New("no answer")
	if got := pass(75 * time.Second); got != 4 { // after 5, 10, 20 and 40 s
		t.Errorf("%d looks in 75 s while there is no answer, want 4", got)
	}
	if got := pass(10 * time.Minute); got < 9 || got > 11 {
		t.Errorf("%d looks in ten minutes after that, want one a minute", got)
	}
	s.edit(func(ri *v1alpha1.RatingIngestor) { ri.Spec.Scaling.MaxReplicas = 5 })
	if got := pass(15 * time.Second); got != 2 {
		t.Errorf("%d looks right after an edit, want 2", got)
	}
	pass(2 * time.Minute)
	var secret corev1.Secret
	if err := s.c.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "movies-kafka"}, &secret); err != nil {
		t.Fatal(err)
	}
	secret.Data["password"] = []byte("another")
	if err := s.c.Update(t.Context(), &secret); err != nil {
		t.Fatal(err)
	}
	for s.asked[len(s.asked)-1].Password != "another" {
		s.clock.Step(time.Second) // Secrets are read anew now and then
		s.reconcile()
	}
	s.away = nil
	if got := pass(10 * time.Second); got != 1 {
		t.Errorf("%d looks right after another password, want the second one soon", got)
	}
	if got := pass(time.Minute); got != 12 {
		t.Errorf("%d looks a minute after an answer, want 12", got)
	}
}

// TestLostRecordsAreTold: who looks at the ingestor sees that retention removes what was not consumed, in a condition as long as it
// is so, and in one event.
func TestLostRecordsAreTold(t *testing.T) {
	s := newStage(t)
	s.install(usual)
	s.report.Partitions[2] = kafka.Partition{Number: 2, Start: 50, End: 100, Committed: 20}
	s.step()
	s.report.Partitions[2].Start = 60
	s.step()
	s.wantCondition(v1alpha1.ConditionKafkaReady, "True KafkaUsable", "removed records of partitions [2] before the group committed them, and they are lost: raise its retention.ms")
	if told := s.told("RecordsLost"); len(told) != 1 || !strings.Contains(told[0], "Warning RecordsLost 30 records so far") {
		t.Errorf("events %q, want one of 30 records", told)
	}
	s.report.Partitions[2].Committed = 70
	s.step()
	for _, c := range s.ingestor().Status.Conditions {
		if c.Type == v1alpha1.ConditionKafkaReady && strings.Contains(c.Message, "removed") {
			t.Errorf("KafkaReady = %q, want nothing of records that were lost before the group went on", c.Message)
		}
	}
}

// TestClientsGo: what is kept of Kafka for an ingestor goes with its binding, and with itself.
func TestClientsGo(t *testing.T) {
	t.Run("with the binding", func(t *testing.T) {
		s := newStage(t)
		s.install(usual)
		if want := s.namespace + "/ratings"; s.owner != want {
			t.Fatalf("a client is kept for %q, want %q", s.owner, want)
		}
		if err := s.c.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "movies-kafka"}}); err != nil {
			t.Fatal(err)
		}
		s.clock.Step(time.Minute) // Secrets are read again so often
		s.step()
		if s.owner != "" {
			t.Error("a client is kept though its Secret is gone")
		}
	})
	t.Run("with the ingestor", func(t *testing.T) {
		s := newStage(t)
		s.install(usual)
		if err := s.c.Delete(t.Context(), s.ingestor()); err != nil {
			t.Fatal(err)
		}
		s.step()
		s.clock.Step(time.Minute)
		s.step()
		if s.owner != "" {
			t.Error("a client is kept though its ingestor is gone")
		}
	})
}
