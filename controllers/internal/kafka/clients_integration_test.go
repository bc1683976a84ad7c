//go:build integration

package kafka_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"movieexample.com/fleet/controllers/internal/kafka"
)

// traffic counts what clients do to a broker.
type traffic struct{ connections, requests atomic.Int64 }

func (c *traffic) OnBrokerConnect(kgo.BrokerMetadata, time.Duration, net.Conn, error) {
	c.connections.Add(1)
}

func (c *traffic) OnBrokerWrite(kgo.BrokerMetadata, int16, int, time.Duration, time.Duration, error) {
	c.requests.Add(1)
}

// TestLooksShareAConnection: a look at a binding that has been looked at connects no more, sees all the same what has changed
// since, and begins anew with another password. Nothing is left of it in the end.
func TestLooksShareAConnection(t *testing.T) {
	s := newScene(t, 4)
	s.grant("")
	s.look() // until the new broker knows its offsets
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after the cleanups of what comes below
	var seen traffic
	s.clients = kafka.NewClientsWith(kgo.WithHooks(&seen))
	t.Cleanup(s.clients.Close)
	report := s.look()
	connections, requests := seen.connections.Load(), seen.requests.Load()
	const looks = 11
	for range looks {
		s.look()
	}
	again := seen.requests.Load() - requests
	t.Logf("the first look: %d connections, %d requests; each further one: %d, %.1f", connections, requests, seen.connections.Load()-connections, float64(again)/looks)
	if got := seen.connections.Load(); got != connections {
		t.Errorf("%d connections after %d further looks, want the %d of the first", got, looks, connections)
	}
	admin := kadm.NewClient(broker.Client(t))
	if _, err := admin.DeleteTopics(t.Context(), s.source.Topic); err != nil {
		t.Fatal(err)
	}
	s.eventually(t, func(r kafka.Report) string { return cmp.Diff(1, len(r.Problems)) })
	broker.Topic(t, s.source.Topic, 2)
	s.eventually(t, func(r kafka.Report) string {
		return cmp.Diff(2, len(r.Partitions)) + cmp.Diff(true, r.TopicID != report.TopicID)
	})
	s.user.ChangePassword(t)
	if got := s.look(); len(got.Problems) > 0 || seen.connections.Load() == connections {
		t.Errorf("after another password: Problems = %q, %d connections; want none and new ones", got.Problems, seen.connections.Load())
	}
}
