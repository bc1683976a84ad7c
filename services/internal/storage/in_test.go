package storage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/storage"
)

func TestIn(t *testing.T) {
	for n, want := range map[int]string{1: "SELECT a FROM t WHERE b = ? AND a IN (?)", 3: "SELECT a FROM t WHERE b = ? AND a IN (?, ?, ?)"} {
		if got := storage.In("SELECT a FROM t WHERE b = ? AND a IN (?)", n); got != want {
			t.Errorf("In(…, %d) = %s, want %s", n, got, want)
		}
	}
	if diff := cmp.Diff([]any{"a", "b"}, storage.Args([]string{"a", "b"})); diff != "" {
		t.Errorf("Args (-want +got):\n%s", diff)
	}
}
