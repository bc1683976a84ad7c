package memory_test

import (
	"testing"

	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/memory"
	"movieexample.com/fleet/services/rating/internal/repository/repositorytest"
)

func TestContract(t *testing.T) {
	repositorytest.RunIngest(t, func(*testing.T) repositorytest.Ingestion {
		r := memory.New()
		return repositorytest.Ingestion{
			Ingester: r,
			Rows:     func(recordType string) (map[model.Key]model.Row, error) { return r.Rows(recordType), nil },
		}
	})
}
