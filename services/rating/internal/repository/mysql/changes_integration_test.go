//go:build integration

package mysql_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/storage/storagetest"
	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
)

func TestChangesAreTold(t *testing.T) {
	db := storagetest.Migrated(t, server, mysql.Migrations())
	r := mysql.NewTelling(db, outbox.New())
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	key := model.Key{Record: model.Record{Type: "movie", ID: "tt1"}, UserID: "105"}
	ctx := auth.WithCaller(t.Context(), auth.Caller{Subject: "105"})
	for _, w := range []model.Write{
		{Key: key, Value: 4, OccurredAt: at},
		{Key: key, Value: 4, OccurredAt: at},                                   // a duplicate changes nothing
		{Key: key, Value: 5, OccurredAt: at.Add(-time.Second)},                 // a stale one neither
		{Key: key, Value: 4, OccurredAt: at.Add(time.Second)},                  // the same value, later
		{Key: key, Deleted: true, OccurredAt: at.Add(2 * time.Second)},         // taken back
		{Key: key, Value: 1, OccurredAt: at.Add(3 * time.Second)},              // rated again
		{Key: key, Deleted: true, OccurredAt: at.Add(2500 * time.Millisecond)}, // stale
	} {
		if _, err := r.Write(ctx, w, at.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := db.QueryContext(t.Context(), `SELECT type, record, subject, actor, COALESCE(JSON_VALUE(before_state, '$.value'), '-'),
		COALESCE(JSON_VALUE(after_state, '$.value'), '-'), COALESCE(JSON_VALUE(after_state, '$.userId'), '-') FROM outbox ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var got [][7]string
	for rows.Next() {
		var e [7]string
		if err := rows.Scan(&e[0], &e[1], &e[2], &e[3], &e[4], &e[5], &e[6]); err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	want := [][7]string{
		{"rating.put", "movie/tt1", "105", "105", "-", "4", "105"},
		{"rating.put", "movie/tt1", "105", "105", "4", "4", "105"},
		{"rating.delete", "movie/tt1", "105", "105", "4", "-", "-"},
		{"rating.put", "movie/tt1", "105", "105", "-", "1", "105"},
	}
	if diff := cmp.Diff(want, got); rows.Err() != nil || diff != "" {
		t.Errorf("events, %v (-want +got):\n%s", rows.Err(), diff)
	}
}
