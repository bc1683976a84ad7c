package controller_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/metadata/internal/controller"
	"movieexample.com/fleet/services/metadata/internal/model"
	"movieexample.com/fleet/services/metadata/internal/repository/memory"
)

var now = time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.FixedZone("east", 7200))

func newController() *controller.Controller {
	return controller.New(memory.New(), func() time.Time { return now })
}

func TestPutChecksEachField(t *testing.T) {
	long := strings.Repeat("é", 256)
	for name, c := range map[string]struct {
		change func(m *model.Metadata)
		fields []string
	}{
		"good":               {func(*model.Metadata) {}, nil},
		"no id":              {func(m *model.Metadata) { m.ID = "" }, []string{"metadata.id"}},
		"id":                 {func(m *model.Metadata) { m.ID = "a/b" }, []string{"metadata.id"}},
		"no title":           {func(m *model.Metadata) { m.Title = "" }, []string{"metadata.title"}},
		"long title":         {func(m *model.Metadata) { m.Title = long }, []string{"metadata.title"}},
		"longest title":      {func(m *model.Metadata) { m.Title = long[2:] }, nil},
		"long description":   {func(m *model.Metadata) { m.Description = strings.Repeat("d", 8193) }, []string{"metadata.description"}},
		"long director":      {func(m *model.Metadata) { m.Director = long }, []string{"metadata.director"}},
		"year not known":     {func(m *model.Metadata) { m.Year = 0 }, nil},
		"year before film":   {func(m *model.Metadata) { m.Year = 1869 }, []string{"metadata.year"}},
		"year far off":       {func(m *model.Metadata) { m.Year = 2201 }, []string{"metadata.year"}},
		"empty actor":        {func(m *model.Metadata) { m.Actors = []string{"A", ""} }, []string{"metadata.actors[1]"}},
		"too many actors":    {func(m *model.Metadata) { m.Actors = slices.Repeat([]string{"A"}, 101) }, []string{"metadata.actors"}},
		"as many as allowed": {func(m *model.Metadata) { m.Actors = slices.Repeat([]string{"A"}, 100) }, nil},
		"all":                {func(m *model.Metadata) { *m = model.Metadata{Year: 1} }, []string{"metadata.id", "metadata.title", "metadata.year"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := model.Metadata{ID: "tt1", Title: "T", Year: 1994}
			c.change(&m)
			_, err := newController().Put(t.Context(), m)
			var fields []string
			if invalid, ok := errors.AsType[*problem.Error](err); ok {
				for _, v := range invalid.Violations {
					fields = append(fields, v.Field)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.fields, fields); diff != "" {
				t.Errorf("Put = %v; fields at fault (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestPutStampsTheRecord(t *testing.T) {
	c := newController()
	foreign := time.Unix(1, 0)
	got, err := c.Put(t.Context(), model.Metadata{ID: "tt1", Title: "T", CreateTime: foreign, UpdateTime: foreign})
	want := time.Date(2024, 5, 6, 5, 8, 9, 123456000, time.UTC)
	if err != nil || got.CreateTime != want || got.UpdateTime != want {
		t.Errorf("Put = %v, %v, want it stamped %v", got, err, want)
	}
}

func TestGet(t *testing.T) {
	c := newController()
	if _, err := c.Get(t.Context(), ""); problem.KindOf(err) != problem.Invalid {
		t.Errorf("Get(\"\") = %v, want Invalid", err)
	}
	if _, err := c.Get(t.Context(), "tt1"); problem.KindOf(err) != problem.NotFound {
		t.Errorf("Get = %v, want NotFound", err)
	}
	if _, err := c.Put(t.Context(), model.Metadata{ID: "tt1", Title: "T"}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "tt1"); err != nil || got.Title != "T" {
		t.Errorf("Get = %v, %v, want what was put", got, err)
	}
}
