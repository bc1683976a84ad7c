package batch_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/batch"
)

func TestOnce(t *testing.T) {
	ids := []string{"c", "x", "a", "c", "x"}
	if diff := cmp.Diff([]string{"c", "x", "a"}, batch.Once(ids)); diff != "" {
		t.Errorf("Once (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"c", "x", "a", "c", "x"}, ids); diff != "" {
		t.Errorf("Once changed its argument:\n%s", diff)
	}
}

func TestInOrder(t *testing.T) {
	found, missing := batch.InOrder([]string{"c", "x", "a"}, map[string]int{"a": 1, "b": 2, "c": 3})
	if diff := cmp.Diff([]int{3, 1}, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"x"}, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}
