package memory_test

import (
	"testing"

	"movieexample.com/fleet/services/rating/internal/repository/memory"
	"movieexample.com/fleet/services/rating/internal/repository/repositorytest"
)

func TestContract(t *testing.T) {
	repositorytest.RunStore(t, func(*testing.T) repositorytest.Store { return memory.New() })
}
