package memory_test

import (
	"testing"

	"movieexample.com/fleet/services/rating/internal/controller"
	"movieexample.com/fleet/services/rating/internal/repository/memory"
	"movieexample.com/fleet/services/rating/internal/repository/repositorytest"
)

func TestContract(t *testing.T) {
	repositorytest.Run(t, func(*testing.T) controller.Repository { return memory.New() })
}
