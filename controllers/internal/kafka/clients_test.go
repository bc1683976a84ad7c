package kafka_test

import (
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"movieexample.com/fleet/controllers/internal/bindings"
	"movieexample.com/fleet/controllers/internal/kafka"
)

// TestNothingIsLeft: clients end when their binding changes, their owner goes, or the operator ends, also when it does so in the
// middle of a look; and none comes after that.
func TestNothingIsLeft(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	away := bindings.Kafka{Servers: []string{"127.0.0.1:1"}}
	elsewhere := bindings.Kafka{Servers: []string{"127.0.0.1:2"}}
	source := kafka.Source{Topic: "a", Group: "b", DeadLetterTopic: "c"}
	clients := kafka.NewClients()
	for _, b := range []bindings.Kafka{away, elsewhere, elsewhere} {
		if _, err := clients.Look(t.Context(), "one", b, source); err == nil {
			t.Errorf("Look at %s = nil, want an error", b)
		}
	}
	clients.Forget("one")
	clients.Forget("nobody")
	var looks sync.WaitGroup
	for _, owner := range []string{"two", "three"} {
		looks.Go(func() { _, _ = clients.Look(t.Context(), owner, away, source) })
	}
	clients.Close()
	looks.Wait()
	if _, err := clients.Look(t.Context(), "four", away, source); err == nil || !strings.Contains(err.Error(), "the operator ends") {
		t.Errorf("Look after Close = %v, want that the operator ends", err)
	}
}
