package controller_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/rating/internal/controller"
	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/memory"
)

var now = time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.FixedZone("east", 7200))

func newController() *controller.Controller {
	return controller.New(memory.New(), controller.Rules{RecordTypes: []string{"movie"}, Retention: 7 * 24 * time.Hour}, func() time.Time { return now })
}

func key() model.Key {
	return model.Key{Record: model.Record{Type: "movie", ID: "1"}, UserID: "105"}
}

func TestPutRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(k *model.Key)
		value  int
		at     time.Time
		field  string
	}{
		"record type":  {func(k *model.Key) { k.Record.Type = "book" }, 3, now, "record_type"},
		"no type":      {func(k *model.Key) { k.Record.Type = "" }, 3, now, "record_type"},
		"future":       {func(*model.Key) {}, 3, now.Add(5*time.Minute + time.Microsecond), "occurred_at"},
		"expired":      {func(*model.Key) {}, 3, now.Add(-7*24*time.Hour - time.Microsecond), "occurred_at"},
		"before 1970":  {func(*model.Key) {}, 3, time.Unix(-1, 0), "occurred_at"},
		"year 1, zone": {func(*model.Key) {}, 3, time.Time{}.Add(time.Hour), "occurred_at"},
	} {
		t.Run(name, func(t *testing.T) {
			k := key()
			c.change(&k)
			_, err := newController().Put(t.Context(), k, c.value, c.at)
			invalid, ok := errors.AsType[*problem.Error](err)
			if !ok || invalid.Kind != problem.Invalid || len(invalid.Violations) != 1 || invalid.Violations[0].Field != c.field {
				t.Errorf("Put = %v, want one mistake in %s", err, c.field)
			}
		})
	}
}

func TestPutListsAllMistakes(t *testing.T) {
	_, err := newController().Put(t.Context(), model.Key{}, 3, now.Add(time.Hour))
	if invalid, ok := errors.AsType[*problem.Error](err); !ok || len(invalid.Violations) != 2 {
		t.Errorf("Put = %v, want both mistakes", err)
	}
}

func TestTimesAreMicrosecondsOfUTC(t *testing.T) {
	result, err := newController().Put(t.Context(), key(), 3, time.Time{})
	want := time.Date(2024, 5, 6, 5, 8, 9, 123456000, time.UTC)
	if err != nil || result.Row.OccurredAt != want || result.Row.CreateTime != want {
		t.Errorf("Put = %v, %v, want it to occur and be created at %v", result.Row, err, want)
	}
}

func TestFutureWithinTheClocksToleranceIsKept(t *testing.T) {
	at := now.Add(5 * time.Minute)
	result, err := newController().Put(t.Context(), key(), 3, at)
	if err != nil || !result.Row.OccurredAt.Equal(at.Truncate(time.Microsecond)) {
		t.Errorf("Put = %v, %v, want it to occur at %v", result.Row, err, at)
	}
}

func TestTheOldestThatIsNotExpiredIsKept(t *testing.T) {
	at := now.Truncate(time.Microsecond).Add(-7 * 24 * time.Hour)
	if result, err := newController().Delete(t.Context(), key(), at); err != nil || result.Outcome != model.Applied {
		t.Errorf("Delete = %v, %v, want it applied", result, err)
	}
}

func TestAggregate(t *testing.T) {
	c := newController()
	if _, err := c.Aggregate(t.Context(), key().Record); problem.KindOf(err) != problem.NotFound {
		t.Errorf("Aggregate of nothing = %v, want NotFound", err)
	}
	other := key()
	other.UserID = "106"
	for k, value := range map[model.Key]int{key(): 5, other: 2} {
		if _, err := c.Put(t.Context(), k, value, now); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.Aggregate(t.Context(), key().Record); err != nil || got.Mean() != 3.5 || got.Count != 2 {
		t.Errorf("Aggregate = %v, %v, want a mean of 3.5 of 2", got, err)
	}
	for _, k := range []model.Key{key(), other} {
		if _, err := c.Delete(t.Context(), k, now.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Aggregate(t.Context(), key().Record); problem.KindOf(err) != problem.NotFound {
		t.Errorf("Aggregate after all were deleted = %v, want NotFound", err)
	}
	if _, err := c.Aggregate(t.Context(), model.Record{Type: "book", ID: "1"}); problem.KindOf(err) != problem.Invalid {
		t.Errorf("Aggregate of a book = %v, want Invalid", err)
	}
}

func TestAggregatesKeepTheOrderAndAnswerOnce(t *testing.T) {
	c := newController()
	for _, id := range []string{"1", "2"} {
		k := key()
		k.Record.ID = id
		if _, err := c.Put(t.Context(), k, 4, now); err != nil {
			t.Fatal(err)
		}
	}
	found, missing, err := c.Aggregates(t.Context(), "movie", []string{"2", "x", "1", "2", "x"})
	four := model.Aggregate{Sum: 4, Count: 1}
	want := []controller.RecordAggregate{{RecordID: "2", Aggregate: four}, {RecordID: "1", Aggregate: four}}
	if diff := cmp.Diff(want, found); err != nil || diff != "" {
		t.Errorf("Aggregates = %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"x"}, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if _, _, err := c.Aggregates(t.Context(), "book", []string{"1"}); problem.KindOf(err) != problem.Invalid {
		t.Errorf("Aggregates of books = %v, want Invalid", err)
	}
}

// broken is a repository whose database is away.
type broken struct{ controller.Repository }

var errAway = problem.NewUnavailable(nil, "the database cannot be reached")

func (broken) Aggregate(context.Context, model.Record) (model.Aggregate, error) {
	return model.Aggregate{}, errAway
}

func (broken) Aggregates(context.Context, string, []string) (map[string]model.Aggregate, error) {
	return nil, errAway
}

func TestFailuresPass(t *testing.T) {
	c := controller.New(broken{}, controller.Rules{RecordTypes: []string{"movie"}}, time.Now)
	_, one := c.Aggregate(t.Context(), key().Record)
	_, _, many := c.Aggregates(t.Context(), "movie", []string{"1"})
	if !errors.Is(one, errAway) || !errors.Is(many, errAway) {
		t.Errorf("Aggregate, Aggregates = %v, %v, want the repository's error", one, many)
	}
}
