package memory_test

import (
	"testing"

	"movieexample.com/fleet/services/auth/internal/repository/memory"
	"movieexample.com/fleet/services/auth/internal/repository/repositorytest"
)

func TestContract(t *testing.T) {
	repositorytest.Run(t, func(*testing.T) repositorytest.Repository { return memory.New() })
}
