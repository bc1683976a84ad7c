package changes_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/movie/internal/changes"
)

type memory struct{ asked []string }

func (m *memory) Refresh(ctx context.Context, id string) {
	if _, bounded := ctx.Deadline(); bounded {
		m.asked = append(m.asked, id)
	}
}

func TestHandle(t *testing.T) {
	metadata, rating := &memory{}, &memory{}
	changes.New(metadata, rating).Handle(t.Context(), []events.Event{
		{Type: "rating.put", Record: "movie/1"},
		{Type: "rating.delete", Record: "movie/1"},
		{Type: "metadata.put", Record: "movie/1"},
		{Type: "rating.put", Record: "movie/2"},
		{Type: "rating.put", Record: "series/3"},
		{Type: "review.put", Record: "movie/4"},
	})
	if diff := cmp.Diff([]string{"1"}, metadata.asked); diff != "" {
		t.Errorf("metadata asked for (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1", "2"}, rating.asked); diff != "" {
		t.Errorf("rating asked for, each once (-want +got):\n%s", diff)
	}
}
