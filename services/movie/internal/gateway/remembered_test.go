package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/gateway"
	"movieexample.com/fleet/services/movie/internal/model"
)

// ratings is a service that answers as the test sets it.
type ratings struct {
	value model.Rating
	err   error
	calls int
}

func (r *ratings) Get(context.Context, string) (model.Rating, error) {
	r.calls++
	return r.value, r.err
}

func (r *ratings) GetMany(context.Context, []string) (map[string]model.Rating, error) {
	return nil, r.err
}

var away = problem.NewUnavailable(errors.New("refused"), "ratings cannot be had now")

func TestRefresh(t *testing.T) {
	four, five := model.Rating{Value: 4, Count: 1}, model.Rating{Value: 5, Count: 1}
	for name, c := range map[string]struct {
		changed ratings // what the service says when it is asked anew
		want    model.Rating
		wantErr error
	}{
		"changed":       {changed: ratings{value: five}, want: five.MarkStale()},
		"gone":          {changed: ratings{err: model.NoRating("1")}, wantErr: away},
		"cannot be had": {changed: ratings{err: away}, want: four.MarkStale()},
	} {
		t.Run(name, func(t *testing.T) {
			service := &ratings{value: four}
			r := remember(t, service)
			if _, err := r.Get(t.Context(), "1"); err != nil {
				t.Fatal(err)
			}
			*service = c.changed
			r.Refresh(t.Context(), "1")
			*service = ratings{err: away}
			got, err := r.Get(t.Context(), "1")
			if got != c.want || !errors.Is(err, c.wantErr) {
				t.Errorf("Get while the service is away = %v, %v, want %v, %v", got, err, c.want, c.wantErr)
			}
		})
	}
}

func TestRefreshOfWhatIsNotKnown(t *testing.T) {
	service := &ratings{}
	remember(t, service).Refresh(t.Context(), "1")
	if service.calls != 0 {
		t.Errorf("%d calls for a movie that nobody asked for, want none", service.calls)
	}
}

func remember(t *testing.T, service gateway.Getter[model.Rating]) *gateway.Remembered[model.Rating] {
	t.Helper()
	r, err := gateway.Remember(service, model.Rating.MarkStale, lastknown.Options{
		Dependency: "rating", Metrics: lastknown.NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
