package memory_test

import (
	"testing"

	"movieexample.com/fleet/services/metadata/internal/controller"
	"movieexample.com/fleet/services/metadata/internal/repository/memory"
	"movieexample.com/fleet/services/metadata/internal/repository/repositorytest"
)

func TestContract(t *testing.T) {
	repositorytest.Run(t, func(*testing.T) controller.Repository { return memory.New() })
}
