package controller_test

import (
	"testing"
	"time"

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
