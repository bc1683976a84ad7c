//go:build integration

package kafka_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/controllers/internal/bindings"
	"movieexample.com/fleet/controllers/internal/kafka"
	"movieexample.com/fleet/test/parts"
)

var broker *parts.Kafka

func TestMain(m *testing.M) {
	os.Exit(parts.WithKafka(func(k *parts.Kafka) int {
		broker = k
		return m.Run()
	}))
}

// scene is a topic with a dead-letter topic, and a user who may do nothing with them yet.
type scene struct {
	t       *testing.T
	source  kafka.Source
	user    *parts.KafkaUser
	clients *kafka.Clients
}

func newScene(t *testing.T, partitions int32) *scene {
	t.Helper()
	s := &scene{t: t, user: broker.User(t), clients: kafka.NewClients(), source: kafka.Source{Topic: broker.Name("ratings"), Group: broker.Name("rating")}}
	s.source.DeadLetterTopic = s.source.Topic + ".dlq"
	t.Cleanup(s.clients.Close)
	broker.Topic(t, s.source.Topic, partitions)
	broker.Topic(t, s.source.DeadLetterTopic, 1)
	return s
}

func (s *scene) binding() bindings.Kafka {
	return bindings.Kafka{Servers: []string{fmt.Sprintf("127.0.0.1:%d", broker.Port)}, Mechanism: "SCRAM-SHA-512", Username: s.user.Name, Password: s.user.Password}
}

func (s *scene) look() kafka.Report {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; { // a new broker makes its topic of offsets first
		report, err := s.clients.Look(s.t.Context(), "ratings", s.binding(), s.source)
		if err == nil {
			return report
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("Look = %v", err)
		}
	}
}

// grant lets the user do all that an ingestor does, but for what is left out.
func (s *scene) grant(without string) {
	s.t.Helper()
	if without != "topic" {
		s.user.MayRead(s.t, s.source.Topic)
	}
	if without != "dead letters" {
		s.user.MayWrite(s.t, s.source.DeadLetterTopic)
	}
	if without == "group" {
		return
	}
	s.user.MayJoin(s.t, s.source.Group)
}

// TestProblems: what is missing or forbidden is said by name, with how to mend it.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		without string
		change  func(*scene)
		want    []string
	}{
		"all is well":             {},
		"no right to read":        {without: "topic", want: []string{"may not see the topic ratings-", "grant READ and Describe"}},
		"no right to dead-letter": {without: "dead letters", want: []string{"may not see the topic ratings-", ".dlq: grant WRITE"}},
		"no right to the group":   {without: "group", want: []string{"may not use the group rating-", "grant Read on it"}},
		"read-only dead letters": {without: "dead letters", change: func(s *scene) { s.user.MayRead(s.t, s.source.DeadLetterTopic) },
			want: []string{"may not write to the topic ratings-", "grant WRITE on it"}},
		"no topic":       {change: func(s *scene) { s.rename() }, want: []string{"the topic gone-", "does not exist: create it"}},
		"no name":        {change: func(s *scene) { s.source.Topic = ".."; s.user.MayRead(s.t, s.source.Topic) }, want: []string{`Kafka takes ".." for no name of a topic: correct it in spec.kafka`}},
		"wrong password": {change: func(s *scene) { s.user.Password = "wrong" }, want: []string{"Kafka refuses the login of user"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, 3)
			s.grant(c.without)
			if c.change != nil {
				c.change(s)
			}
			got := strings.Join(s.look().Problems, "; ")
			if (got == "") != (len(c.want) == 0) {
				t.Errorf("Problems = %q, want %q", got, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("Problems = %q, want %q in it", got, want)
				}
			}
		})
	}
}

// rename names a topic that the user could read if it were there.
func (s *scene) rename() {
	s.source.Topic = broker.Name("gone")
	s.user.MayRead(s.t, s.source.Topic)
}

// TestProgress: how far a group is, and which member has which partitions.
func TestProgress(t *testing.T) {
	s := newScene(t, 4)
	s.grant("")
	producer := broker.Client(t, kgo.DefaultProduceTopic(s.source.Topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for n := range 10 {
		r := &kgo.Record{Partition: int32(n % 2), Value: []byte("x")}
		if err := producer.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	want := []kafka.Partition{{Number: 0, End: 5, Committed: -1}, {Number: 1, End: 5, Committed: -1}, {Number: 2, Committed: -1}, {Number: 3, Committed: -1}}
	if diff := cmp.Diff(want, s.look().Partitions); diff != "" {
		t.Errorf("before anybody reads (-want +got):\n%s", diff)
	}
	member := broker.Client(t, kgo.ClientID("pod-1"), kgo.ConsumerGroup(s.source.Group), kgo.ConsumeTopics(s.source.Topic), kgo.DisableAutoCommit())
	for read := 0; read < 10; {
		read += member.PollFetches(t.Context()).NumRecords()
	}
	if err := member.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	report := s.look()
	members := []kafka.Member{{Client: "pod-1", Partitions: []int32{0, 1, 2, 3}}}
	if diff := cmp.Diff(members, report.Members, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if p := report.Partitions[0]; p.Committed != 5 || p.Lag() != 0 || report.TopicID == [16]byte{} {
		t.Errorf("partition 0 is %+v of topic %x, want all of it committed", p, report.TopicID)
	}
}

// TestAnOpenTransactionIsNoLag: what no consumer may read yet does not wait for one, and does once its transaction is committed.
func TestAnOpenTransactionIsNoLag(t *testing.T) {
	s := newScene(t, 2)
	s.grant("")
	s.send(t, 10)
	producer := broker.Client(t, kgo.DefaultProduceTopic(s.source.Topic), kgo.TransactionalID(s.source.Topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := producer.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	s.send(t, 10) // others send meanwhile
	if got := s.look().Partitions; got[0].Lag() != 5 || got[1].Lag() != 10 {
		t.Errorf("%+v while a transaction is open in the first, want the 5 records before it to wait, and 10 in the other", got)
	}
	if err := producer.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	s.wantLag(t, 26) // and the record that ends it
}

// TestAway: a broker that does not answer is an error and no finding, and takes no longer than a look may.
func TestAway(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	clients := kafka.NewClients()
	defer clients.Close()
	report, err := clients.Look(ctx, "ratings", bindings.Kafka{Servers: []string{"127.0.0.1:1"}}, kafka.Source{Topic: "a", Group: "b", DeadLetterTopic: "c"})
	if err == nil || ctx.Err() != nil || len(report.Problems) > 0 {
		t.Errorf("Look = %+v, %v; want an error within its own time", report, err)
	}
}
