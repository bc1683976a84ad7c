package memory_test

import (
	"testing"

	"movieexample.com/fleet/services/metadata/internal/repository/memory"
	"movieexample.com/fleet/services/metadata/internal/repository/repositorytest"
)

func TestContract(t *testing.T) {
	repositorytest.Run(t, func(*testing.T) repositorytest.Repository { return memory.New() })
}
