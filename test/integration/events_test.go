//go:build integration

package integration_test

import (
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

// records are those of the topic, by key.
func records(t *testing.T, broker *parts.Kafka, n int) map[string][]string {
	t.Helper()
	client := broker.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	found := map[string][]string{}
	for deadline := time.Now().Add(patience); n > 0 && time.Now().Before(deadline); {
		for _, r := range client.PollFetches(t.Context()).Records() {
			found[string(r.Key)] = append(found[string(r.Key)], fmt.Sprint(fields(t, string(r.Value))["type"]))
			n--
		}
	}
	return found
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
	f.movie.wantProbe(t, "/metrics", http.StatusOK, "events_handled_total 3")
	found := records(t, broker, 3)
	slices.Sort(found["movie/tt1"]) // two services publish in no order between them
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
	if diff := cmp.Diff(map[string][]string{"movie/tt1": {"metadata.put", "rating.put"}}, sortedOnce(records(t, broker, 2))); diff != "" {
		t.Errorf("events by record (-want +got):\n%s", diff)
	}
	f.metadata.wantProbe(t, "/metrics", http.StatusOK, `outbox_backlog 0`)
}

// sortedOnce leaves out repeats; two services publish in no order between them.
func sortedOnce(found map[string][]string) map[string][]string {
	for key, types := range found {
		slices.Sort(types)
		found[key] = slices.Compact(types)
	}
	return found
}
