package repositorytest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/metadata/internal/model"
)

var start = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)

// Repository is what the tests ask of an implementation.
type Repository interface {
	Get(ctx context.Context, id string) (model.Metadata, error)
	GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error)
	List(ctx context.Context, q model.Query) ([]model.Metadata, error)
	Put(ctx context.Context, m model.Metadata) (model.Metadata, error)
}

// Run tests what makes, a new and empty repository for each test.
func Run(t *testing.T, makeNew func(t *testing.T) Repository) {
	for name, test := range map[string]func(*testing.T, Repository){
		"nothing is NotFound":       nothingIsNotFound,
		"put, get, replace":         putGetReplace,
		"all characters and sizes":  allCharacters,
		"ids are apart":             idsAreApart,
		"callers keep their slices": callersKeepTheirSlices,
		"many put at once":          manyPutAtOnce,
		"many got at once":          manyGotAtOnce,
		"lists are in order":        listsAreInOrder,
	} {
		t.Run(name, func(t *testing.T) { test(t, makeNew(t)) })
	}
}

func record(id string) model.Metadata {
	return model.Metadata{
		ID: id, Title: "The Movie 2", Description: "Sequel of the legendary The Movie", Director: "Foo Bars", Year: 1994,
		Actors: []string{"A", "B"}, CreateTime: start, UpdateTime: start,
	}
}

func put(t *testing.T, r Repository, m model.Metadata) model.Metadata {
	t.Helper()
	stored, err := r.Put(t.Context(), m)
	if err != nil {
		t.Fatalf("Put(%s) = %v, want nil", m.ID, err)
	}
	return stored
}

func wantStored(t *testing.T, r Repository, want model.Metadata) {
	t.Helper()
	got, err := r.Get(t.Context(), want.ID)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("Get(%s) = %v (-want +got):\n%s", want.ID, err, diff)
	}
}

func nothingIsNotFound(t *testing.T, r Repository) {
	_, err := r.Get(t.Context(), "tt1")
	if problem.KindOf(err) != problem.NotFound || !strings.Contains(err.Error(), `"tt1"`) {
		t.Errorf(`Get("tt1") = %v, want NotFound that names it`, err)
	}
}

func putGetReplace(t *testing.T, r Repository) {
	first := record("tt1")
	if diff := cmp.Diff(first, put(t, r, first)); diff != "" {
		t.Errorf("Put (-want +got):\n%s", diff)
	}
	wantStored(t, r, first)

	later := start.Add(time.Hour)
	second := model.Metadata{ID: "tt1", Title: "Other", CreateTime: later, UpdateTime: later}
	want := second
	want.CreateTime = start // the record was there
	if diff := cmp.Diff(want, put(t, r, second), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Put again (-want +got):\n%s", diff)
	}
	wantStored(t, r, want)
}

func allCharacters(t *testing.T, r Repository) {
	m := record("tt1")
	m.Title = strings.Repeat("🎬", 255)
	m.Description = strings.Repeat("語", 8192)
	m.Director = `O'Brien "quoted" \ ; DROP TABLE metadata; -- ?`
	m.Actors = []string{"Zoë", `back\slash`, "\"", "🎬", strings.Repeat("ü", 255)}
	put(t, r, m)
	wantStored(t, r, m)
}

func idsAreApart(t *testing.T, r Repository) {
	lower, upper := record("a"), record("A")
	upper.Title = "Upper"
	put(t, r, lower)
	put(t, r, upper)
	wantStored(t, r, lower)
	wantStored(t, r, upper)
}

func callersKeepTheirSlices(t *testing.T, r Repository) {
	m := record("tt1")
	stored := put(t, r, m)
	m.Actors[0], stored.Actors[0] = "changed", "changed too"
	wantStored(t, r, record("tt1"))
}

func manyPutAtOnce(t *testing.T, r Repository) {
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if _, err := r.Put(context.WithoutCancel(t.Context()), record("tt1")); err != nil {
				t.Errorf("Put = %v, want nil", err)
			}
		})
	}
	group.Wait()
	wantStored(t, r, record("tt1"))
}

func manyGotAtOnce(t *testing.T, r Repository) {
	want := map[string]model.Metadata{}
	ids := []string{"none"}
	for _, id := range []string{"a", "A", "tt1"} {
		want[id] = put(t, r, record(id))
		ids = append(ids, id, id)
	}
	for len(ids) < 100 {
		ids = append(ids, "none"+strings.Repeat("x", len(ids)))
	}
	got, err := r.GetMany(t.Context(), ids)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("GetMany = %v (-want +got):\n%s", err, diff)
	}
	if got, err := r.GetMany(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("GetMany of no ids = %v, %v, want none", got, err)
	}
}

// By the bytes of the ids: capitals first. Directors differ by case, accents and spaces at the end.
func listsAreInOrder(t *testing.T, r Repository) {
	for id, director := range map[string]string{
		"b": "Foo", "a": "Foo", "B": "foo", "a-1": "Föo", "a.1": "Foo", "C": "Foo ", "c": "",
	} {
		m := record(id)
		m.Director = director
		put(t, r, m)
	}
	for name, c := range map[string]struct {
		query model.Query
		want  []string
	}{
		"all":               {model.Query{Limit: 10}, []string{"B", "C", "a", "a-1", "a.1", "b", "c"}},
		"some":              {model.Query{Limit: 2}, []string{"B", "C"}},
		"after one":         {model.Query{After: "a", Limit: 2}, []string{"a-1", "a.1"}},
		"after none":        {model.Query{After: "a-0", Limit: 2}, []string{"a-1", "a.1"}},
		"after all":         {model.Query{After: "c", Limit: 2}, nil},
		"director":          {model.Query{Director: "Foo", Limit: 10}, []string{"a", "a.1", "b"}},
		"director, some":    {model.Query{Director: "Foo", After: "a", Limit: 1}, []string{"a.1"}},
		"director, spaced":  {model.Query{Director: "Foo ", Limit: 10}, []string{"C"}},
		"director, unknown": {model.Query{Director: "Bar", Limit: 10}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := r.List(t.Context(), c.query)
			var got []string
			for _, m := range list {
				got = append(got, m.ID)
			}
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("List(%+v) = %v (-want +got):\n%s", c.query, err, diff)
			}
		})
	}
}
