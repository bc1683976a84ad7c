package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/movie/internal/gateway"
	"movieexample.com/fleet/services/movie/internal/model"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
)

// listing is titles over a connection, with what they tell.
type listing struct {
	*gateway.Titles

	registry *prometheus.Registry
	log      *bytes.Buffer
}

func list(conn grpc.ClientConnInterface) *listing {
	l := &listing{registry: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(l.log, nil))
	notes := lastknown.NewNotes(lastknown.Options{
		Dependency: "recommendations", Metrics: lastknown.NewMetrics(l.registry), Log: log, Now: time.Now,
	})
	l.Titles = gateway.NewTitles(conn, breaker.New("recommendations", breaker.NewMetrics(l.registry), log), notes)
	return l
}

func (l *listing) wantLeftOut(t *testing.T, times string) {
	t.Helper()
	want := `# HELP fallbacks_total Failed calls to a dependency, by what was answered instead: its last known value, or none.
		# TYPE fallbacks_total counter
		fallbacks_total{answer="last_known",dependency="recommendations"} 0
		fallbacks_total{answer="none",dependency="recommendations"} ` + times + "\n"
	if err := testutil.GatherAndCompare(l.registry, strings.NewReader(want), "fallbacks_total"); err != nil {
		t.Error(err)
	}
}

func TestTitles(t *testing.T) {
	l := list(dial(t, codes.OK))
	got := l.ByDirector(t.Context(), "F", 6)
	if diff := cmp.Diff([]model.Title{{ID: "1", Name: "T"}, {ID: "2", Name: "T"}}, got); diff != "" {
		t.Errorf("ByDirector (-want +got):\n%s", diff)
	}
	l.wantLeftOut(t, "0")
}

func TestTitlesThatFail(t *testing.T) {
	l := list(dial(t, codes.Internal))
	if got := l.ByDirector(t.Context(), "F", 6); got != nil {
		t.Errorf("ByDirector = %v, want none", got)
	}
	l.wantLeftOut(t, "1")
	if !strings.Contains(l.log.String(), "dependency=recommendations") || strings.Count(l.log.String(), "\n") != 1 {
		t.Errorf("log = %s, want one line about recommendations", l.log)
	}
}

// hanging is a connection over which nothing is heard.
type hanging struct {
	grpc.ClientConnInterface

	calls int
}

func (h *hanging) Invoke(ctx context.Context, _ string, _, _ any, _ ...grpc.CallOption) error {
	h.calls++
	<-ctx.Done()
	return ctx.Err()
}

func TestTitlesThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &hanging{}
		l := list(conn)
		for range 3 {
			began := time.Now()
			if got := l.ByDirector(t.Context(), "F", 6); got != nil || time.Since(began) != 200*time.Millisecond {
				t.Errorf("ByDirector = %v after %v, want none after 200ms", got, time.Since(began))
			}
		}
		for range 100 { // nobody waits for what is known to hang
			began := time.Now()
			if got := l.ByDirector(t.Context(), "F", 6); got != nil || time.Since(began) != 0 {
				t.Errorf("ByDirector = %v after %v, want none at once", got, time.Since(began))
			}
		}
		if conn.calls != 3 {
			t.Errorf("%d calls, want the first 3", conn.calls)
		}
		l.wantLeftOut(t, "103")
	})
}

// A caller who has gone says nothing about lists.
func TestTitlesNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &hanging{}
		l := list(conn)
		for range 50 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			l.ByDirector(ctx, "F", 6)
			cancel()
		}
		if conn.calls != 50 {
			t.Errorf("%d calls, want all 50", conn.calls)
		}
		l.wantLeftOut(t, "0")
	})
}

func (s server) ListMetadata(_ context.Context, r *metadatav1.ListMetadataRequest) (*metadatav1.ListMetadataResponse, error) {
	if s.code != codes.OK || r.GetDirector() != "F" || r.GetPageSize() != 6 || r.GetPageToken() != "" {
		return nil, errors.New("said the server")
	}
	return &metadatav1.ListMetadataResponse{Metadata: []*metadatav1.Metadata{record("1"), record("2")}, NextPageToken: "more"}, nil
}
