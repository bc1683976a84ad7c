//go:build integration

package ingest_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/test/parts"
)

// The events of a topic that was made anew are others: consuming begins at the earliest, and the old position is left alone.
func TestATopicMadeAnewBeginsAtItsEarliestEvent(t *testing.T) {
	w, s := newWorld(t, 3), newStream(100, 50)
	c := w.start(t, "pod-1")
	s.send(t, broker, w.topic, 3000, 0)
	w.wantConsumed(t, patience)
	s.check(t, w)
	if _, err := w.admin.DeleteTopics(t.Context(), w.topic); err != nil {
		t.Fatal(err)
	}
	broker.Topic(t, w.topic, 3)
	s.bad = map[site]string{}
	w.emptyLetters(t)
	s.send(t, broker, w.topic, 2000, 0) // fewer than before: the old position lies beyond the end
	w.wantConsumed(t, patience)
	c.wantLog(t, "was deleted and made anew")
	s.check(t, w)
}

// emptyLetters gives the world an empty topic of dead letters in place of the old one.
func (w *world) emptyLetters(t *testing.T) {
	t.Helper()
	if _, err := w.admin.DeleteTopics(t.Context(), w.letters); err != nil {
		t.Fatal(err)
	}
	broker.Topic(t, w.letters, 3)
}

// A group that is reset in Kafka is told to be without effect, and is.
func TestAGroupResetInKafkaHasNoEffect(t *testing.T) {
	w, s := newWorld(t, 2), newStream(100, 50)
	s.send(t, broker, w.topic, 3000, 0)
	w.start(t, "pod-1").endAfter(t, func() { w.wantConsumed(t, patience) })
	var offsets kadm.Offsets
	for p := range w.partitions {
		offsets.Add(kadm.Offset{Topic: w.topic, Partition: p, At: 0})
	}
	if err := w.admin.CommitAllOffsets(t.Context(), w.group, offsets); err != nil {
		t.Fatal(err)
	}
	s.send(t, broker, w.topic, 100, 0)
	c := w.start(t, "pod-2")
	c.wantLog(t, "rating rewind")
	w.wantConsumed(t, patience)
	c.wantMetric(t, 101, "ingest_events_total") // the new ones
	s.check(t, w)
}

func (c *consumer) endAfter(t *testing.T, until func()) {
	t.Helper()
	until()
	c.end(t)
}

// Events that retention removed before they were consumed are gone; it is told how many, and the others are consumed.
func TestRemovedEventsAreToldOf(t *testing.T) {
	w, s := newWorld(t, 1), newStream(100, 50)
	w.start(t, "pod-1").endAfter(t, func() {
		s.send(t, broker, w.topic, 100, 0)
		w.wantConsumed(t, patience)
	})
	lost := newStream(100, 50)
	lost.send(t, broker, w.topic, 500, 0)
	ends, err := w.ends(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: w.topic, Partition: 0, At: ends[0]})
	if _, err := w.admin.DeleteRecords(t.Context(), offsets); err != nil {
		t.Fatal(err)
	}
	s.send(t, broker, w.topic, 100, 0)
	c := w.start(t, "pod-2")
	w.wantConsumed(t, patience)
	c.wantLog(t, "were removed from the topic before they were consumed")
	c.wantMetric(t, 505, "ingest_missed_total")
	s.check(t, w)
}

// An event of 10 MB that is one is taken; one that is none is a dead letter, without its value where that is too large.
func TestAnEventOfTenMegabytes(t *testing.T) {
	w, s := newWorld(t, 1), newStream(10, 10)
	limit := "12000000"
	alter := func(topic string) {
		changes := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &limit}}
		if answers, err := w.admin.AlterTopicConfigs(t.Context(), changes, topic); err != nil || answers[0].Err != nil {
			t.Fatalf("AlterTopicConfigs = %v, %v, want nil", answers, err)
		}
	}
	alter(w.topic)
	random := make([]byte, 5_000_000) // what compresses well would pass for small
	_, _ = rand.Read(random)          // never fails
	huge := hex.EncodeToString(random)
	client := broker.Client(t, kgo.DefaultProduceTopic(w.topic), kgo.ProducerBatchMaxBytes(12_000_000))
	send := func(value string) {
		t.Helper()
		eventually(t, patience, func(ctx context.Context) error { // the broker follows what the controller has noted
			err := client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr()
			if err != nil && !errors.Is(err, kerr.MessageTooLarge) {
				t.Fatal(err)
			}
			return err
		})
	}
	send(`{"eventType":"put","userId":"1","recordId":"1","recordType":"movie","value":4,"more":"` + huge + `"}`)
	send(huge)
	c := w.start(t, "pod-1")
	w.wantConsumed(t, patience)
	alter(w.letters)
	send(huge + "y")
	w.wantConsumed(t, patience)
	c.wantMetric(t, 1, "ingest_events_total", "outcome", "applied") // the large one
	s.bad = map[site]string{{0, 1}: "unparsable", {0, 2}: "unparsable"}
	sizes := map[int]bool{}
	for _, r := range w.letterRecords(t, broker) {
		sizes[len(r.Value)] = true
	}
	if !sizes[0] || !sizes[10_000_001] {
		t.Errorf("dead letters of %v bytes, want one without its value and one with all of it", sizes)
	}
	if got := w.buried(t, broker); len(got) != 2 || got[site{0, 1}] != "unparsable" {
		t.Errorf("dead letters %v, want both", got)
	}
}

// The records that end a producer's transaction are passed; what a transaction that was given up sent did not happen.
func TestTransactionsOfProducers(t *testing.T) {
	w, s := newWorld(t, 1), newStream(10, 10)
	client := broker.Client(t, kgo.DefaultProduceTopic(w.topic), kgo.TransactionalID(w.topic))
	transact := func(s *stream, how kgo.TransactionEndTry) {
		t.Helper()
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			r, _ := s.next(n)
			if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := client.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	transact(s, kgo.TryCommit)
	transact(newStream(20, 20), kgo.TryAbort)
	transact(s, kgo.TryCommit)
	c := w.start(t, "pod-1")
	w.wantConsumed(t, patience)
	s.check(t, w)
	c.wantMetric(t, 40, "ingest_events_total") // of the transactions that were committed
	c.wantMetric(t, 0, "ingest_lag_records")   // a marker is no event that waits
}

// Who may not do something is told what to grant, and goes on when it is granted.
func TestDeniedRightsAreNamed(t *testing.T) {
	w, s := newWorld(t, 1), newStream(10, 10)
	user := broker.User(t)
	w.user = user
	user.WriteBinding(t, filepath.Join(w.bindings, "kafka"))
	s.send(t, broker, w.topic, 1000, 0) // the last one is bad
	c := w.start(t, "pod-1")
	for _, topic := range []string{w.letters, w.topic} {
		c.wantLog(t, "Describe on topic "+topic+" ")
		user.MayDescribe(t, topic)
	}
	c.wantLog(t, "Read on group "+w.group)
	user.MayJoin(t, w.group)
	c.wantLog(t, "Read on topic "+w.topic)
	c.wantReady(t)
	user.MayRead(t, w.topic)
	c.wantLog(t, "Write on topic "+w.letters)
	user.MayWrite(t, w.letters)
	w.wantConsumed(t, patience)
	s.check(t, w)
}

// Users and passwords that change need no restart and lose nothing.
func TestCredentialsAreRotated(t *testing.T) {
	kafka, err := parts.StartKafka()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	w := newWorldIn(t, database, kafka, 4)
	w.flow(t, kafka, 20_000, 3000, func(c *consumer) {
		w.user.ChangePassword(t)
		w.user.WriteBinding(t, filepath.Join(w.bindings, "kafka"))
		if err := errors.Join(kafka.Stop(), kafka.Start()); err != nil { // nobody stays logged in
			t.Fatal(err)
		}
		w.rotateDatabaseUser(t)
		c.wantReady(t)
	})
}

// rotateDatabaseUser gives the binding another user, and takes the old one away.
func (w *world) rotateDatabaseUser(t *testing.T) {
	t.Helper()
	dir := filepath.Join(w.bindings, "mysql")
	text, err := os.ReadFile(filepath.Join(dir, "username"))
	if err != nil {
		t.Fatal(err)
	}
	old, next := string(text), string(text)+"_b"
	database.Exec(t, "CREATE USER "+next+"@'%' IDENTIFIED BY 'rotated'", "GRANT ALL ON "+old+".* TO "+next+"@'%'")
	parts.WriteBinding(t, dir, map[string]string{"username": next, "password": "rotated"})
	t.Cleanup(func() { database.Exec(t, "DROP USER "+next+"@'%'") })
	database.Exec(t, "ALTER USER "+old+"@'%' IDENTIFIED BY 'another'", "KILL USER "+old)
	w.db = open(t, dir)
}
