package controller_test

import (
	"context"
	"errors"
	"fmt"
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

func fill(t *testing.T, c *controller.Controller, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := c.Put(t.Context(), model.Metadata{ID: id, Title: "T", Director: "Foo"}); err != nil {
			t.Fatal(err)
		}
	}
}

func idsOf(list []model.Metadata) []string {
	var ids []string
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestGetManyKeepsTheOrderAndAnswersOnce(t *testing.T) {
	c := newController()
	fill(t, c, "a", "b", "c")
	asked := []string{"c", "x", "a", "c", "y", "x"}
	found, missing, err := c.GetMany(t.Context(), asked)
	if diff := cmp.Diff([][]string{{"c", "a"}, {"x", "y"}}, [][]string{idsOf(found), missing}); err != nil || diff != "" {
		t.Errorf("GetMany = %v; found and missing (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"c", "x", "a", "c", "y", "x"}, asked); diff != "" {
		t.Errorf("GetMany changed the caller's ids:\n%s", diff)
	}
}

// What is put between two pages neither shifts nor doubles what was there.
func TestListWhileOthersPut(t *testing.T) {
	c := newController()
	fill(t, c, "b", "d", "f", "h", "j")
	var got []string
	for token, pages := "", 0; pages == 0 || token != ""; pages++ {
		list, next, err := c.List(t.Context(), 2, token, "Foo")
		if err != nil {
			t.Fatal(err)
		}
		got, token = append(got, idsOf(list)...), next
		fill(t, c, "a", "g", "b") // before, after and at what was listed
	}
	if diff := cmp.Diff([]string{"b", "d", "f", "g", "h", "j"}, got); diff != "" {
		t.Errorf("all pages (-want +got):\n%s", diff)
	}
}

func TestListBounds(t *testing.T) {
	c := newController()
	var ids []string
	for i := range 51 {
		ids = append(ids, fmt.Sprintf("id%02d", i))
	}
	fill(t, c, ids...)
	if list, next, err := c.List(t.Context(), 0, "", ""); err != nil || len(list) != 50 || next == "" {
		t.Errorf("List of no size = %d records, %q, %v, want 50 and a token", len(list), next, err)
	}
	if list, next, err := c.List(t.Context(), 51, "", ""); err != nil || len(list) != 51 || next != "" {
		t.Errorf("List of all = %d records, %q, %v, want 51 and no token", len(list), next, err)
	}
	_, foreign, err := c.List(t.Context(), 1, "", "Foo")
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"no base64": "?", "no JSON": "AAAA", "empty": "e30", "another director's": foreign} {
		if _, _, err := c.List(t.Context(), 1, token, ""); problem.KindOf(err) != problem.Invalid || !strings.Contains(err.Error(), "page_token is no token") {
			t.Errorf("List with a token that is %s = %v, want Invalid at page_token", name, err)
		}
	}
}

// broken is a repository whose database is away.
type broken struct{ controller.Repository }

var errAway = problem.NewUnavailable(nil, "the database cannot be reached")

func (broken) GetMany(context.Context, []string) (map[string]model.Metadata, error) {
	return nil, errAway
}
func (broken) List(context.Context, model.Query) ([]model.Metadata, error) { return nil, errAway }

func TestFailuresPass(t *testing.T) {
	c := controller.New(broken{}, time.Now)
	if _, _, err := c.GetMany(t.Context(), []string{"a"}); !errors.Is(err, errAway) {
		t.Errorf("GetMany = %v, want the repository's error", err)
	}
	if _, _, err := c.List(t.Context(), 1, "", ""); !errors.Is(err, errAway) {
		t.Errorf("List = %v, want the repository's error", err)
	}
}
