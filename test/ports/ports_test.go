package ports_test

import (
	"testing"

	"movieexample.com/fleet/test/ports"
)

// TestFree: of so many ports some would be the same, were they only drawn.
func TestFree(t *testing.T) {
	seen := map[int]bool{}
	for range 1000 {
		port := ports.Free(t)
		if seen[port] {
			t.Fatalf("port %d was given twice", port)
		}
		seen[port] = true
	}
}
