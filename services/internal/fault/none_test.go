//go:build !faults

package fault_test

import (
	"strings"
	"testing"

	"movieexample.com/fleet/services/internal/fault"
)

func TestABuildWithoutFaultsRefusesThem(t *testing.T) {
	_, err := fault.FromEnv(func(string) (string, bool) { return "error=1", true })
	if err == nil || !strings.Contains(err.Error(), "built without faults") {
		t.Errorf("FromEnv() = error %v, want one that says the program was built without faults", err)
	}
	s, err := fault.FromEnv(func(string) (string, bool) { return "", true })
	if err != nil || s.String() != "" || s.Ready(t.Context()) != nil {
		t.Errorf("FromEnv() = %v, %v, want no fault", s, err)
	}
}
