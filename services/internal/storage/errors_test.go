package storage_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/storage"
)

// TestWhatWaitingHeals: a database without room is one to wait for, and a value that no column holds is not.
func TestWhatWaitingHeals(t *testing.T) {
	for number, away := range map[uint16]bool{1021: true, 1114: true, 1040: true, 1406: false, 1062: false} {
		err := fmt.Errorf("ingest: %w", &mysql.MySQLError{Number: number})
		if got := problem.KindOf(storage.Problem(err)) == problem.Unavailable; got != away {
			t.Errorf("Problem(%v) is Unavailable: %v, want %v", err, got, away)
		}
	}
	full, ok := errors.AsType[*problem.Error](storage.Problem(&mysql.MySQLError{Number: 1114}))
	if !ok || full.Message != "the database has no room left" {
		t.Errorf("Problem = %+v, want that there is no room", full)
	}
}
