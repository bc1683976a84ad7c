package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/events/eventstest"
	"movieexample.com/fleet/services/internal/events/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	eventstest.Run(t, func(*testing.T) eventstest.Bus {
		bus := memory.New()
		return eventstest.Bus{Publisher: bus, Subscriber: bus}
	})
}
