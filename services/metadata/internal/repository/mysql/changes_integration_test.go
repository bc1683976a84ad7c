//go:build integration

package mysql_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/storage/storagetest"
	"movieexample.com/fleet/services/metadata/internal/model"
	"movieexample.com/fleet/services/metadata/internal/repository/mysql"
)

var start = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)

// Each event's state before is the state after of the event before it, however many write at once.
func TestChangesAreToldInOrder(t *testing.T) {
	db := storagetest.Migrated(t, server, mysql.Migrations())
	r := mysql.NewTelling(db, outbox.New())
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for i := range 10 {
				at := start.Add(time.Duration(w*10+i) * time.Second)
				m := model.Metadata{ID: "tt1", Title: fmt.Sprint(w, i), Actors: []string{"A"}, CreateTime: at, UpdateTime: at}
				if _, err := r.Put(context.WithoutCancel(t.Context()), m); err != nil {
					t.Errorf("Put = %v, want nil", err)
				}
			}
		})
	}
	group.Wait()
	rows, err := db.QueryContext(t.Context(), "SELECT type, record, COALESCE(before_state, ''), after_state FROM outbox ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var last string
	n := 0
	for ; rows.Next(); n++ {
		var kind, record, before, after string
		if err := rows.Scan(&kind, &record, &before, &after); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"metadata.put", "movie/tt1", last}, []string{kind, record, before}); diff != "" {
			t.Fatalf("event %d, and the state after the one before it (-want +got):\n%s", n, diff)
		}
		last = after
	}
	if err := rows.Err(); err != nil || n != 80 {
		t.Errorf("%d events, %v, want 80", n, err)
	}
}
