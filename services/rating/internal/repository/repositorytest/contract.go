package repositorytest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/rating/internal/model"
)

var (
	movie = model.Record{Type: "movie", ID: "tt1"}
	start = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
)

// Repository is what the tests ask of an implementation, and of what wraps one.
type Repository interface {
	Write(ctx context.Context, w model.Write, now time.Time) (model.Result, error)
	Aggregate(ctx context.Context, record model.Record) (model.Aggregate, error)
	Aggregates(ctx context.Context, recordType string, ids []string) (map[string]model.Aggregate, error)
}

// Run tests what makes, a new and empty repository for each test.
func Run(t *testing.T, makeNew func(t *testing.T) Repository) {
	for name, test := range map[string]func(*testing.T, Repository){
		"nothing is zero":             nothingIsZero,
		"a life of one rating":        oneLife,
		"keys are apart":              keysAreApart,
		"many records at once":        manyRecordsAtOnce,
		"many users at once":          manyUsersAtOnce,
		"one user many times at once": oneUserAtOnce,
		"any order ends the same":     anyOrder,
	} {
		t.Run(name, func(t *testing.T) { test(t, makeNew(t)) })
	}
}

func put(user string, value int, after time.Duration) model.Write {
	return model.Write{Key: model.Key{Record: movie, UserID: user}, Value: value, OccurredAt: start.Add(after)}
}

func remove(user string, after time.Duration) model.Write {
	return model.Write{Key: model.Key{Record: movie, UserID: user}, Deleted: true, OccurredAt: start.Add(after)}
}

func write(t *testing.T, r Repository, w model.Write, now time.Time) model.Result {
	t.Helper()
	result, err := r.Write(t.Context(), w, now)
	if err != nil {
		t.Fatalf("Write(%v) = %v, want nil", w, err)
	}
	return result
}

func wantAggregate(t *testing.T, r Repository, record model.Record, want model.Aggregate) {
	t.Helper()
	got, err := r.Aggregate(t.Context(), record)
	if err != nil || got != want {
		t.Errorf("Aggregate(%v) = %v, %v, want %v", record, got, err, want)
	}
}

func nothingIsZero(t *testing.T, r Repository) {
	wantAggregate(t, r, movie, model.Aggregate{})
}

func oneLife(t *testing.T, r Repository) {
	created := start.Add(time.Hour)
	for i, step := range []struct {
		write   model.Write
		outcome model.Outcome
		stored  model.Write
		sum     model.Aggregate
	}{
		{put("u", 4, 0), model.Applied, put("u", 4, 0), model.Aggregate{Sum: 4, Count: 1}},
		{put("u", 4, 0), model.Duplicate, put("u", 4, 0), model.Aggregate{Sum: 4, Count: 1}},
		{put("u", 1, time.Microsecond), model.Applied, put("u", 1, time.Microsecond), model.Aggregate{Sum: 1, Count: 1}},
		{put("u", 5, 0), model.Stale, put("u", 1, time.Microsecond), model.Aggregate{Sum: 1, Count: 1}},
		{remove("u", time.Second), model.Applied, remove("u", time.Second), model.Aggregate{}},
		{put("u", 5, time.Millisecond), model.Stale, remove("u", time.Second), model.Aggregate{}},
		{put("u", 3, time.Minute), model.Applied, put("u", 3, time.Minute), model.Aggregate{Sum: 3, Count: 1}},
	} {
		now := created.Add(time.Duration(i) * time.Second)
		got := write(t, r, step.write, now)
		if diff := cmp.Diff(step.stored, got.Row.Write); got.Outcome != step.outcome || diff != "" {
			t.Errorf("step %d: Write(%v) = outcome %v, want %v; stored (-want +got):\n%s", i, step.write, got.Outcome, step.outcome, diff)
		}
		if !got.Row.CreateTime.Equal(created) || step.outcome == model.Applied && !got.Row.UpdateTime.Equal(now) {
			t.Errorf("step %d: created %v, updated %v, want %v and %v", i, got.Row.CreateTime, got.Row.UpdateTime, created, now)
		}
		wantAggregate(t, r, movie, step.sum)
	}
}

func keysAreApart(t *testing.T, r Repository) {
	records := []model.Record{{Type: "movie", ID: "a"}, {Type: "movie", ID: "A"}, {Type: "song", ID: "a"}}
	for i, record := range records {
		for _, user := range []string{"u", "U"} {
			write(t, r, model.Write{Key: model.Key{Record: record, UserID: user}, Value: i + 1, OccurredAt: start}, start)
		}
	}
	for i, record := range records {
		wantAggregate(t, r, record, model.Aggregate{Sum: int64(2 * (i + 1)), Count: 2})
	}
}

func manyRecordsAtOnce(t *testing.T, r Repository) {
	want := map[string]model.Aggregate{}
	ids := []string{"none"}
	for i, id := range []string{"a", "A", "b"} {
		record := model.Record{Type: "movie", ID: id}
		write(t, r, model.Write{Key: model.Key{Record: record, UserID: "u"}, Value: i + 1, OccurredAt: start}, start)
		want[id] = model.Aggregate{Sum: int64(i + 1), Count: 1}
		ids = append(ids, id, id)
	}
	other := model.Record{Type: "song", ID: "none"}
	write(t, r, model.Write{Key: model.Key{Record: other, UserID: "u"}, Value: 5, OccurredAt: start}, start)
	back := model.Key{Record: model.Record{Type: "movie", ID: "gone"}, UserID: "u"}
	write(t, r, model.Write{Key: back, Value: 5, OccurredAt: start}, start)
	write(t, r, model.Write{Key: back, Deleted: true, OccurredAt: start}, start)

	got, err := r.Aggregates(t.Context(), "movie", append(ids, "gone"))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Aggregates = %v (-want +got):\n%s", err, diff)
	}
	if got, err := r.Aggregates(t.Context(), "movie", nil); err != nil || len(got) != 0 {
		t.Errorf("Aggregates of no ids = %v, %v, want none", got, err)
	}
}

const writers = 24

// atOnce runs each list of writes in a goroutine of its own.
func atOnce(t *testing.T, r Repository, lists ...[]model.Write) {
	t.Helper()
	var group sync.WaitGroup
	for _, list := range lists {
		group.Go(func() {
			for _, w := range list {
				if _, err := r.Write(context.WithoutCancel(t.Context()), w, start); err != nil {
					t.Errorf("Write(%v) = %v, want nil", w, err)
				}
			}
		})
	}
	group.Wait()
}

// Each user rates, changes, and every third one takes it back, all on one record.
func manyUsersAtOnce(t *testing.T, r Repository) {
	var want model.Aggregate
	lists := make([][]model.Write, writers)
	for i := range writers {
		user, last := fmt.Sprint("user", i), i%5+1
		lists[i] = []model.Write{put(user, 5, 0), put(user, 1, time.Second), put(user, last, time.Minute)}
		if i%3 == 0 {
			lists[i] = append(lists[i], remove(user, time.Hour))
			continue
		}
		want = want.Plus(model.Aggregate{Sum: int64(last), Count: 1})
	}
	atOnce(t, r, lists...)
	wantAggregate(t, r, movie, want)
}

// The first row of a user is contended too: nobody has it when all begin.
func oneUserAtOnce(t *testing.T, r Repository) {
	lists := make([][]model.Write, writers)
	for i := range writers {
		lists[i] = []model.Write{put("u", i%5+1, time.Duration(i)*time.Second), put("u", 5-i%5, time.Duration(i)*time.Second)}
	}
	last := put("u", 2, time.Duration(writers)*time.Second)
	lists[0] = append(lists[0], last)
	atOnce(t, r, lists...)
	wantAggregate(t, r, movie, model.Aggregate{Sum: 2, Count: 1})
	if got := write(t, r, last, start); got.Outcome != model.Duplicate {
		t.Errorf("the last write again = outcome %v, want duplicate", got.Outcome)
	}
}

func anyOrder(t *testing.T, r Repository) {
	writes := []model.Write{}
	want := model.Aggregate{}
	for i := range 6 {
		user := fmt.Sprint("user", i)
		writes = append(writes, put(user, 1, 0), put(user, 5, 0), remove(user, time.Second), put(user, 4, time.Second), put(user, i%5+1, time.Minute))
		if i%2 == 0 {
			writes = append(writes, remove(user, time.Minute))
			continue
		}
		want = want.Plus(model.Aggregate{Sum: int64(i%5 + 1), Count: 1})
	}
	shuffled := make([][]model.Write, 4) // four replays of everything at once, each in an order of its own
	for i := range shuffled {
		shuffled[i] = append(shuffled[i], writes...)
		random := rand.New(rand.NewPCG(uint64(i), 7)) // the same orders in each run
		random.Shuffle(len(writes), func(a, b int) { shuffled[i][a], shuffled[i][b] = shuffled[i][b], shuffled[i][a] })
	}
	atOnce(t, r, shuffled...)
	wantAggregate(t, r, movie, want)
	for _, w := range writes {
		if got := write(t, r, w, start); got.Outcome == model.Applied {
			t.Errorf("Write(%v) after all of them = applied, want stale or duplicate", w)
		}
	}
}
