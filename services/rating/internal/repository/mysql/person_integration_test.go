//go:build integration

package mysql_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/storage/storagetest"
	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
)

var noon = time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)

func rate(t *testing.T, r *mysql.Repository, user string, film, value int, at time.Time) {
	t.Helper()
	w := model.Write{
		Key:     model.Key{Record: model.Record{Type: "movie", ID: fmt.Sprintf("tt%04d", film)}, UserID: user},
		Deleted: value == 0, Value: value, OccurredAt: at,
	}
	if _, err := r.Write(context.WithoutCancel(t.Context()), w, at); err != nil {
		t.Errorf("Write(%v) = %v, want nil", w, err)
	}
}

// wantSums wants every aggregate to be that of the ratings that there are, and none missing.
func wantSums(t *testing.T, db *sql.DB) {
	t.Helper()
	var wrong int
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM (
			SELECT record_id, SUM(value) AS s, SUM(NOT deleted) AS n FROM ratings GROUP BY record_id
			UNION ALL SELECT record_id, -rating_sum, -rating_count FROM rating_aggregates) AS both_ways
		WHERE record_id IN (SELECT record_id FROM (
			SELECT record_id, SUM(s) AS s, SUM(n) AS n FROM (
				SELECT record_id, SUM(value) AS s, SUM(NOT deleted) AS n FROM ratings GROUP BY record_id
				UNION ALL SELECT record_id, -rating_sum, -rating_count FROM rating_aggregates) AS parts GROUP BY record_id) AS sums
			WHERE s <> 0 OR n <> 0)`).Scan(&wrong); err != nil || wrong != 0 {
		t.Errorf("%d aggregates are not those of their ratings, %v, want none", wrong, err)
	}
}

func count(t *testing.T, r *mysql.Repository, user string) mysql.Known {
	t.Helper()
	got, err := r.Count(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestExportTellsAllOfOneUser(t *testing.T) {
	r := mysql.NewTelling(storagetest.Migrated(t, server, mysql.Migrations()), outbox.New())
	var want, wantEvents []string
	for film := range 1201 { // more than two pages of either
		value := film % 6 // 0 is taken back
		rate(t, r, "ann", film, value, noon)
		want = append(want, fmt.Sprintf("tt%04d %d", film, value))
		wantEvents = append(wantEvents, fmt.Sprintf("movie/tt%04d", film))
	}
	rate(t, r, "Ann", 1, 5, noon) // somebody else
	var got, gotEvents []string
	err := r.Export(t.Context(), "ann", func(row model.Row) error {
		got = append(got, fmt.Sprintf("%s %d", row.Key.Record.ID, row.Value))
		return nil
	}, func(e outbox.Told) error {
		gotEvents = append(gotEvents, e.Record)
		return nil
	})
	if diff := cmp.Diff(want, got) + cmp.Diff(wantEvents, gotEvents); err != nil || diff != "" {
		t.Errorf("Export = %v (-want +got):\n%s", err, diff)
	}
}

func TestEraseLeavesNothingOfOneUserAndAllOfOthers(t *testing.T) {
	db := storagetest.Migrated(t, server, mysql.Migrations())
	r := mysql.NewTelling(db, outbox.New())
	for film := range 250 { // more than two batches
		rate(t, r, "ann", film, film%6, noon)
		rate(t, r, "ben", film, 3, noon)
	}
	want := count(t, r, "ann")
	if want.Ratings+want.Tombstones != 250 || want.Events != 250 {
		t.Fatalf("Count = %+v, want 250 rows and events", want)
	}
	bens := count(t, r, "ben")
	for i, want := range []mysql.Known{want, {}} {
		if got, err := r.Erase(t.Context(), "ann", noon); err != nil || got != want {
			t.Errorf("Erase, time %d = %+v, %v, want %+v", i+1, got, err, want)
		}
	}
	if got := count(t, r, "ann"); got != (mysql.Known{}) {
		t.Errorf("Count after Erase = %+v, want nothing", got)
	}
	if got := count(t, r, "ben"); got != bens {
		t.Errorf("Count of another user = %+v, want %+v", got, bens)
	}
	wantSums(t, db)
	var told, traces int
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*), SUM(INSTR(CONCAT_WS(' ', actor, subject, before_state, after_state), 'ann') > 0)
		FROM outbox WHERE type = 'rating.delete' AND subject = ''`).Scan(&told, &traces); err != nil || told < int(want.Ratings) || traces != 0 {
		t.Errorf("%d events tell of ratings that are gone, %d of them of whose, %v, want %d and none", told, traces, err, want.Ratings)
	}
}

// Users are erased, by two processes at once, while they and others write: no aggregate is wrong at the end, and whoever
// wrote nothing more is gone.
func TestEraseBesideWriters(t *testing.T) {
	db := storagetest.Migrated(t, server, mysql.Migrations())
	r := mysql.NewTelling(db, outbox.New())
	const users, films = 6, 40
	for user := range users {
		for film := range films {
			rate(t, r, fmt.Sprint("user", user), film, (user+film)%5+1, noon)
		}
	}
	var writers, erasers sync.WaitGroup
	for user := range users {
		writers.Go(func() {
			if user == 0 {
				return // is erased and writes nothing
			}
			for round := range 3 {
				for film := range films {
					rate(t, r, fmt.Sprint("user", user), films-1-film, (user+film+round)%6, noon.Add(time.Duration(round+1)*time.Hour))
				}
			}
		})
	}
	for i := range 4 {
		erasers.Go(func() {
			for range 5 {
				if _, err := r.Erase(context.WithoutCancel(t.Context()), fmt.Sprint("user", i%2), noon); err != nil {
					t.Errorf("Erase = %v, want nil", err)
				}
			}
		})
	}
	writers.Wait()
	erasers.Wait()
	wantSums(t, db)
	if got := count(t, r, "user0"); got != (mysql.Known{}) {
		t.Errorf("Count of a user who was erased = %+v, want nothing", got)
	}
	if _, err := r.Erase(t.Context(), "user1", noon); err != nil {
		t.Fatal(err)
	}
	wantSums(t, db)
	if got := count(t, r, "user2"); got.Ratings+got.Tombstones != films {
		t.Errorf("Count of a user who was not erased = %+v, want %d rows", got, films)
	}
}
