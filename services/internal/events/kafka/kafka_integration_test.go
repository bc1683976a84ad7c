//go:build integration

package kafka_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace/noop"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/events/eventstest"
	"movieexample.com/fleet/services/internal/events/kafka"
	"movieexample.com/fleet/test/parts"
)

var server *parts.Kafka //nolint:gochecknoglobals // one broker for the tests of this package

func TestMain(m *testing.M) {
	os.Exit(parts.WithKafka(func(k *parts.Kafka) int { server = k; return m.Run() }))
}

func reading(dir string) broker.Read {
	return func() (binding.Kafka, error) { return binding.ReadKafka(dir) }
}

func newPublisher(t *testing.T, dir, topic string) *kafka.Publisher {
	t.Helper()
	p := kafka.NewPublisher(reading(dir), "test", topic, noop.NewTracerProvider())
	t.Cleanup(p.Close)
	return p
}

// log may be read while it is written.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type subscriber struct {
	*kafka.Subscriber
	log     *log
	metrics *prometheus.Registry
}

func newSubscriber(dir, topic string) subscriber {
	s := subscriber{log: &log{}, metrics: prometheus.NewRegistry()}
	s.Subscriber = kafka.NewSubscriber(reading(dir), "test", topic, time.Now(), kafka.Options{
		Metrics: s.metrics, Log: slog.New(slog.NewTextHandler(s.log, nil)), Traces: noop.NewTracerProvider(),
	})
	return s
}

func TestContract(t *testing.T) {
	eventstest.Run(t, func(t *testing.T) eventstest.Bus {
		topic := server.Name("changes")
		server.Topic(t, topic, 3)
		writer, reader := server.User(t).MayWrite(t, topic), server.User(t).MayRead(t, topic)
		return eventstest.Bus{Publisher: newPublisher(t, writer.Binding(t), topic), Subscriber: newSubscriber(reader.Binding(t), topic)}
	})
}

// publish is one try, which must end by itself.
func publish(t *testing.T, p *kafka.Publisher, list []events.Event) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return p.Publish(ctx, list)
}

// wantFailure wants nothing stored, and to be told why: by the next try where the time of one was up before it could know.
func wantFailure(t *testing.T, p *kafka.Publisher, reason string) {
	t.Helper()
	eventually(t, func() error {
		stored, err := publish(t, p, eventstest.Numbered(10))
		if len(stored) != 0 || err == nil {
			t.Fatalf("Publish = %v, %v, want none stored because of %s", stored, err, reason)
		}
		if broker.Reason(err) != reason {
			return fmt.Errorf("Publish = %w, want %s", err, reason)
		}
		return nil
	})
}

func wantPublished(t *testing.T, p *kafka.Publisher) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		stored, err := publish(t, p, eventstest.Numbered(10))
		if err == nil && len(stored) == 10 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("Publish = %v, %v, want all stored", stored, err)
		}
		time.Sleep(100 * time.Millisecond) // an ACL or user of another moment ago takes a while to act
	}
}

func TestPublisherIsRefused(t *testing.T) {
	topic := server.Name("changes")
	user := server.User(t)
	dir := user.Binding(t)
	p := newPublisher(t, dir, topic)

	user.MayWrite(t, topic)
	wantFailure(t, p, broker.ReasonUnknownTopic)
	server.Topic(t, topic, 1)
	wantPublished(t, p)

	user.Revoke(t, topic)
	user.MayRead(t, topic)
	eventually(t, func() error {
		if _, err := publish(t, p, eventstest.Numbered(1)); broker.Reason(err) != broker.ReasonDenied {
			return fmt.Errorf("Publish without the right to write = %w, want reason %s", err, broker.ReasonDenied)
		}
		return nil
	})
	user.MayWrite(t, topic)
	wantPublished(t, p)
}

func TestPublisherWithWrongCredentials(t *testing.T) {
	topic := server.Name("changes")
	server.Topic(t, topic, 1)
	user := server.User(t).MayWrite(t, topic)
	dir := user.Binding(t)
	right := user.Password
	user.Password = "wrong"
	user.WriteBinding(t, dir)
	p := newPublisher(t, dir, topic)
	wantFailure(t, p, broker.ReasonLoginFailed)
	user.Password = right
	user.WriteBinding(t, dir)
	wantPublished(t, p)
}

// New credentials are used by themselves, and the old ones can go.
func TestPublisherFollowsTheBinding(t *testing.T) {
	topic := server.Name("changes")
	server.Topic(t, topic, 1)
	user := server.User(t).MayWrite(t, topic)
	dir := user.Binding(t)
	p := newPublisher(t, dir, topic)
	wantPublished(t, p)
	user.ChangePassword(t)
	user.WriteBinding(t, dir)
	restart(t)
	wantPublished(t, p)
}

func restart(t *testing.T) {
	t.Helper()
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
}

func TestBrokerIsAwayAndComesBack(t *testing.T) {
	topic := server.Name("changes")
	server.Topic(t, topic, 3)
	user := server.User(t).MayWrite(t, topic).MayRead(t, topic)
	dir := user.Binding(t)
	p, s := newPublisher(t, dir, topic), newSubscriber(dir, topic)
	until := eventstest.Receive(t, s)
	list := eventstest.Numbered(60)
	stored := publishAll(t, p, list[:20])
	until(eventstest.AtLeast(20))

	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, p, broker.ReasonUnreachable)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	stored += publishAll(t, p, list[20:])
	got := eventstest.ByRecord(until(eventstest.AtLeast(stored)))
	if diff := cmp.Diff(eventstest.ByRecord(list), got); diff != "" {
		t.Errorf("events by record (-published +arrived):\n%s", diff)
	}
}

// publishAll tries again with what is not stored, as a relay does.
func publishAll(t *testing.T, p *kafka.Publisher, list []events.Event) int {
	t.Helper()
	n := len(list)
	eventually(t, func() error {
		stored, err := publish(t, p, list)
		for _, id := range stored {
			for i := range list {
				if list[i].ID == id {
					list = append(list[:i:i], list[i+1:]...)
					break
				}
			}
		}
		if len(list) > 0 {
			return fmt.Errorf("%d events not published: %w", len(list), err)
		}
		return nil
	})
	return n
}

func TestSubscriberIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, user *parts.KafkaUser, topic string)
		heal    func(t *testing.T, user *parts.KafkaUser, topic string)
		reason  string
	}{
		"no topic": {
			prepare: func(t *testing.T, u *parts.KafkaUser, topic string) { u.MayRead(t, topic) },
			heal:    func(t *testing.T, _ *parts.KafkaUser, topic string) { server.Topic(t, topic, 1) },
			reason:  broker.ReasonUnknownTopic,
		},
		"no right": {
			prepare: func(t *testing.T, _ *parts.KafkaUser, topic string) { server.Topic(t, topic, 1) },
			heal:    func(t *testing.T, u *parts.KafkaUser, topic string) { u.MayRead(t, topic) },
			reason:  broker.ReasonDenied,
		},
	} {
		t.Run(name, func(t *testing.T) {
			topic, user := server.Name("changes"), server.User(t)
			c.prepare(t, user, topic)
			s := newSubscriber(user.Binding(t), topic)
			until := eventstest.Receive(t, s)
			eventually(t, func() error {
				if !strings.Contains(s.log.String(), "reason="+c.reason) {
					return fmt.Errorf("log = %s, want reason=%s", s.log, c.reason)
				}
				return nil
			})
			c.heal(t, user, topic)
			writer := newPublisher(t, server.User(t).MayWrite(t, topic).Binding(t), topic)
			wantPublished(t, writer)
			until(eventstest.AtLeast(10))
		})
	}
}

func TestSubscriberPassesOverWhatIsNoEvent(t *testing.T) {
	topic := server.Name("changes")
	server.Topic(t, topic, 1)
	user := server.User(t).MayWrite(t, topic).MayRead(t, topic)
	dir := user.Binding(t)
	s := newSubscriber(dir, topic)
	until := eventstest.Receive(t, s)
	produce(t, topic, `{"a":1}`, `garbage`)
	wantPublished(t, newPublisher(t, dir, topic))
	until(eventstest.AtLeast(10))
	want := "# HELP events_unreadable_total Records of the topic that are no event and were passed over.\n" +
		"# TYPE events_unreadable_total counter\nevents_unreadable_total 2\n"
	if err := testutil.GatherAndCompare(s.metrics, strings.NewReader(want), "events_unreadable_total"); err != nil {
		t.Error(err)
	}
}

func produce(t *testing.T, topic string, values ...string) {
	t.Helper()
	for _, v := range values {
		if err := server.Client(t).ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // another process gives no signal that could be waited for
	}
}
