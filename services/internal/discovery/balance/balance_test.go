package balance_test

import (
	"testing"

	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/discoverytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryKeepsTheContract(t *testing.T) {
	discoverytest.Run(t, func(*testing.T) discoverytest.Subject {
		m := discovery.NewMemory()
		return discoverytest.Subject{Registry: m, SetSubset: m.SetSubset, SetSplit: m.SetSplit}
	})
}

func TestStaticAddresses(t *testing.T) {
	a, b := discoverytest.StartInstance(t, "a", ""), discoverytest.StartInstance(t, "b", "")
	conn := discoverytest.Dial(t, discovery.Static{}, a.Address()+","+b.Address())
	discoverytest.Eventually(t, "an address of the list answers", func() bool {
		_, err := discoverytest.Call(t.Context(), conn)
		return err == nil
	})
	load := discoverytest.StartLoad(t, conn)
	a.Stop()
	load.WantNoFailure(t)
}
