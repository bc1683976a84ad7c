package outbox_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each service makes the table by a migration of its own: they must all be the table that this package's tests use.
func TestServicesHaveTheTable(t *testing.T) {
	want, err := os.ReadFile("testdata/0001_create_outbox.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"metadata/internal/repository/mysql/migrations/0003_create_outbox.sql",
		"rating/internal/repository/mysql/migrations/0003_create_outbox.sql",
	} {
		got, err := os.ReadFile("../../../" + path)
		if diff := cmp.Diff(string(want), string(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", path, err, diff)
		}
	}
}
