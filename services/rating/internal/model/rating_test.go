package model_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"movieexample.com/fleet/services/rating/internal/model"
)

var (
	key   = model.Key{Record: model.Record{Type: "movie", ID: "1"}, UserID: "105"}
	start = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
	now   = start.Add(time.Hour)
)

func put(value int, at time.Time) model.Write {
	return model.Write{Key: key, Value: value, OccurredAt: at}
}

func remove(at time.Time) model.Write {
	return model.Write{Key: key, Deleted: true, OccurredAt: at}
}

func TestApply(t *testing.T) {
	older, newer := start.Add(-time.Microsecond), start.Add(time.Microsecond)
	for name, c := range map[string]struct {
		stored  *model.Write
		write   model.Write
		outcome model.Outcome
		change  model.Aggregate
	}{
		"first":                   {nil, put(4, start), model.Applied, model.Aggregate{Sum: 4, Count: 1}},
		"replace":                 {new(put(4, start)), put(1, newer), model.Applied, model.Aggregate{Sum: -3}},
		"older":                   {new(put(4, start)), put(1, older), model.Stale, model.Aggregate{}},
		"same":                    {new(put(4, start)), put(4, start), model.Duplicate, model.Aggregate{}},
		"same time, higher":       {new(put(4, start)), put(5, start), model.Applied, model.Aggregate{Sum: 1}},
		"same time, lower":        {new(put(4, start)), put(3, start), model.Stale, model.Aggregate{}},
		"delete":                  {new(put(4, start)), remove(newer), model.Applied, model.Aggregate{Sum: -4, Count: -1}},
		"delete at the same time": {new(put(5, start)), remove(start), model.Applied, model.Aggregate{Sum: -5, Count: -1}},
		"delete older":            {new(put(4, start)), remove(older), model.Stale, model.Aggregate{}},
		"delete nothing":          {nil, remove(start), model.Applied, model.Aggregate{}},
		"delete twice":            {new(remove(start)), remove(start), model.Duplicate, model.Aggregate{}},
		"put after delete":        {new(remove(start)), put(2, newer), model.Applied, model.Aggregate{Sum: 2, Count: 1}},
		"put before delete":       {new(remove(start)), put(2, older), model.Stale, model.Aggregate{}},
		"put with delete":         {new(remove(start)), put(5, start), model.Stale, model.Aggregate{}},
	} {
		t.Run(name, func(t *testing.T) {
			var stored *model.Row
			created := now
			if c.stored != nil {
				created = start
				stored = &model.Row{Write: *c.stored, CreateTime: start, UpdateTime: start}
			}
			want := model.Result{Outcome: c.outcome, Change: c.change}
			if c.outcome == model.Applied {
				want.Row = model.Row{Write: c.write, CreateTime: created, UpdateTime: now}
			} else {
				want.Row = *stored
			}
			if diff := cmp.Diff(want, model.Apply(stored, c.write, now)); diff != "" {
				t.Errorf("Apply (-want +got):\n%s", diff)
			}
		})
	}
}

// Any order of the same writes, with repetitions, ends with the same write stored and the same aggregate.
func TestApplyInAnyOrder(t *testing.T) {
	writes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) model.Write {
		at := start.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "at")) * time.Microsecond)
		if rapid.Bool().Draw(t, "deleted") {
			return remove(at)
		}
		return put(rapid.IntRange(model.MinValue, model.MaxValue).Draw(t, "value"), at)
	}), 1, 12)
	rapid.Check(t, func(t *rapid.T) {
		first := writes.Draw(t, "writes")
		second := append(rapid.Permutation(first).Draw(t, "order"), rapid.SampledFrom(first).Draw(t, "again"))
		a, sumA := replay(first)
		b, sumB := replay(second)
		if diff := cmp.Diff(a, b); diff != "" || sumA != sumB {
			t.Fatalf("%v and %v end in %v and %v:\n%s", first, second, sumA, sumB, diff)
		}
		if want := sumOf(a); sumA != want {
			t.Fatalf("aggregate = %v, want %v of what is stored", sumA, want)
		}
	})
}

func replay(writes []model.Write) (model.Write, model.Aggregate) {
	var stored *model.Row
	var sum model.Aggregate
	for _, w := range writes {
		result := model.Apply(stored, w, now)
		stored, sum = &result.Row, sum.Plus(result.Change)
	}
	return stored.Write, sum
}

func sumOf(w model.Write) model.Aggregate {
	if w.Deleted {
		return model.Aggregate{}
	}
	return model.Aggregate{Sum: int64(w.Value), Count: 1}
}

func TestMean(t *testing.T) {
	for aggregate, want := range map[model.Aggregate]float64{{}: 0, {Sum: 5, Count: 1}: 5, {Sum: 7, Count: 2}: 3.5} {
		if got := aggregate.Mean(); got != want {
			t.Errorf("Mean(%v) = %v, want %v", aggregate, got, want)
		}
	}
}
