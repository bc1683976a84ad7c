//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/testing/protocmp"

	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	"movieexample.com/fleet/test/parts"
)

const topic = "fleet.changes"

func startKafka(t *testing.T) *parts.Kafka {
	t.Helper()
	broker, err := parts.StartKafka()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	return broker
}

// eventFleet is a fleet whose services tell each other of changes, each with a user of its own.
func eventFleet(t *testing.T, broker *parts.Kafka) fleet {
	t.Helper()
	const kafka = "events: {kind: kafka}\n"
	bound := func(binding string, user *parts.KafkaUser) string {
		user.WriteBinding(t, filepath.Join(filepath.Dir(binding), "kafka"))
		return binding
	}
	f := fleet{
		metadata: serve(t, "metadata", mysqlStorage+kafka, bound(migrated(t, "metadata"), broker.User(t).MayWrite(t, topic))),
		rating:   serve(t, "rating", mysqlStorage+kafka, bound(migrated(t, "rating"), broker.User(t).MayWrite(t, topic))),
	}
	f.metadata.wantReady(t)
	f.rating.wantReady(t)
	none := filepath.Join(t.TempDir(), "none")
	f.movie = serve(t, "movie", kafka+fmt.Sprintf("upstreams: {metadata: {target: 'static:///%s', timeout: 2s}, rating: {target: 'static:///%s', timeout: 2s}}\n",
		f.metadata.api, f.rating.api), bound(none, broker.User(t).MayRead(t, topic)))
	f.movie.wantReady(t)
	return f
}

// records are the types of the topic's first n events, by key: each event once, since any may be published again; all is
// how many records that took. Two services publish in no order between them.
func records(t *testing.T, broker *parts.Kafka, n int) (found map[string][]string, all int) {
	t.Helper()
	client := broker.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	found = map[string][]string{}
	known := map[string]bool{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(known) < n && ctx.Err() == nil {
		for _, r := range client.PollFetches(ctx).Records() {
			all++
			event := fields(t, string(r.Value))
			id := fmt.Sprint(event["id"])
			if known[id] {
				continue
			}
			known[id] = true
			found[string(r.Key)] = append(found[string(r.Key)], fmt.Sprint(event["type"]))
		}
	}
	for _, types := range found {
		slices.Sort(types)
	}
	return found, all
}

// wantHandled waits until the instance has handled so many events, or more: any may be delivered again.
func (p *program) wantHandled(t *testing.T, events int) {
	t.Helper()
	eventually(t, func() error {
		got, err := request(t, http.MethodGet, "http://"+p.admin+"/metrics", "")
		if err != nil {
			return err
		}
		_, shown, _ := strings.Cut(got.body, "\nevents_handled_total ")
		var handled int
		if _, err := fmt.Sscan(shown, &handled); err != nil || handled < events {
			return fmt.Errorf("events_handled_total of %s = %d, %w, want %d", p.name, handled, err, events)
		}
		return nil
	})
}

// A visitor in an outage sees the last change, though movie was not asked since: it was told.
func TestMovieIsToldOfChanges(t *testing.T) {
	broker := startKafka(t)
	broker.Topic(t, topic, 3)
	f := eventFleet(t, broker)
	f.putMovie(t)
	f.rate(t, "105", 4, time.Now())
	f.wantDetails(t, false, &moviev1.MovieRating{Value: 4, Count: 1})
	f.rate(t, "106", 5, time.Now())
	found, all := records(t, broker, 3)
	f.movie.wantHandled(t, all)
	if diff := cmp.Diff(map[string][]string{"movie/tt1": {"metadata.put", "rating.put", "rating.put"}}, found); diff != "" {
		t.Errorf("events by record (-want +got):\n%s", diff)
	}
	stopServer(t)
	got, err := f.details(t, "tt1")
	if diff := cmp.Diff(&moviev1.MovieRating{Value: 4.5, Count: 2, Stale: true}, got.GetRating(), protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("rating after the database went, %v (-want +got):\n%s", err, diff)
	}
}

// Without its topic, without rights and without brokers the fleet serves; what was changed meanwhile arrives in the end.
func TestKafkaIsNeededByNobody(t *testing.T) {
	t.Parallel()
	broker := startKafka(t)
	f := eventFleet(t, broker)
	f.putMovie(t)
	f.metadata.wantProbe(t, "/metrics", http.StatusOK, `outbox_backlog 1`)
	eventually(t, func() error {
		if log := f.metadata.log.String(); !strings.Contains(log, "create the topic") {
			return fmt.Errorf("log = %s, want what to do", log)
		}
		return nil
	})
	if err := broker.Kill(); err != nil {
		t.Fatal(err)
	}
	f.rate(t, "105", 4, time.Now())
	f.wantDetails(t, false, &moviev1.MovieRating{Value: 4, Count: 1})
	for _, p := range []*program{f.metadata, f.rating, f.movie} {
		p.wantReady(t)
	}
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	broker.Topic(t, topic, 3)
	found, _ := records(t, broker, 2)
	if diff := cmp.Diff(map[string][]string{"movie/tt1": {"metadata.put", "rating.put"}}, found); diff != "" {
		t.Errorf("events by record (-want +got):\n%s", diff)
	}
	f.metadata.wantProbe(t, "/metrics", http.StatusOK, `outbox_backlog 0`)
}
