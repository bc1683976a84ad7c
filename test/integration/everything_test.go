//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"

	"movieexample.com/fleet/services/client"
	authv1 "movieexample.com/fleet/services/proto/auth/v1"
	"movieexample.com/fleet/test/parts"
)

// everything is the fleet with all its parts on: MySQL, Consul, Kafka, Redis, TLS, tokens, traces, a volume for files.
type everything struct {
	programs map[string]*program // those that take calls
	ingestor *program
	me       *member
}

func startEverything(t *testing.T, consul *parts.Consul) everything {
	t.Helper()
	ca, broker, redis, collector := parts.NewAuthority(t), startKafka(t), parts.StartRedis(t), parts.StartCollector(t)
	broker.Topic(t, topic, 3)
	e := everything{programs: map[string]*program{}, me: newMember(t, "me", ca)}
	bound := func(name string) *member {
		m := newMember(t, name, ca)
		parts.WriteBinding(t, filepath.Join(m.root, "consul"), map[string]string{"type": "consul", "host": "127.0.0.1", "port": strconv.Itoa(consul.Port)})
		return m
	}
	common := fmt.Sprintf("discovery: {kind: consul}\ntelemetry: {traces: {endpoint: %q, ratio: 1}}\n", collector.Endpoint())

	auth := bound("auth").withDatabase(t)
	database := filepath.Join(auth.root, "mysql")
	newSigningKeys(t, database, "first")
	mustCommand(t, database, annsPassword+"\n", "user", "add", "ann@example.com", "editor")
	e.programs["auth"] = auth.start(t, common+mysqlStorage+"tls: {mode: server}\nkeys: {kind: binding}\n")

	common += fmt.Sprintf("auth: {kind: jwt, jwks: 'https://%s/.well-known/jwks.json', identity: '%s'}\nevents: {kind: kafka}\n",
		e.programs["auth"].rest, named("auth"))
	metadata, rating, movie := bound("metadata").withDatabase(t), bound("rating").withDatabase(t), bound("movie")
	redis.WriteBinding(t, filepath.Join(metadata.root, "redis"))
	broker.User(t).MayWrite(t, topic).WriteBinding(t, filepath.Join(metadata.root, "kafka"))
	broker.User(t).MayWrite(t, topic).WriteBinding(t, filepath.Join(rating.root, "kafka"))
	broker.User(t).MayRead(t, topic).WriteBinding(t, filepath.Join(movie.root, "kafka"))
	e.programs["metadata"] = metadata.start(t, common+mysqlStorage+"tls: {mode: mutual}\ncache: {shared: redis}\n")
	e.programs["rating"] = rating.start(t, common+mysqlStorage+"tls: {mode: mutual}\n")
	e.programs["movie"] = movie.start(t, common+fmt.Sprintf("tls: {mode: server}\nfiles: {path: %s}\nflags: {path: %s, key: flags/movie}\nupstreams:\n"+
		"  metadata: {target: 'consul:///metadata', identity: '%s'}\n  rating: {target: 'consul:///rating', identity: '%s'}\n",
		t.TempDir(), flagsFile(t, "recommendations: true\n"), named("metadata"), named("rating")))
	e.ingestor = startIngestor(t, broker, fmt.Sprintf("telemetry: {traces: {endpoint: %q, ratio: 1}}\n", collector.Endpoint()))
	return e
}

// startIngestor starts a consumer of rating events with a database of its own, and waits until it has its partition.
func startIngestor(t *testing.T, broker *parts.Kafka, settings string) *program {
	t.Helper()
	broker.Topic(t, "ratings", 1)
	broker.Topic(t, "ratings.dlq", 1)
	binding := migrated(t, "rating")
	broker.User(t).MayRead(t, "ratings").MayWrite(t, "ratings.dlq").MayJoin(t, "rating").
		WriteBinding(t, filepath.Join(filepath.Dir(binding), "kafka"))
	ingestor := serve(t, "rating", mysqlStorage+settings, binding, "ingest")
	ingestor.wantReady(t)
	ingestor.wantProbe(t, "/metrics", http.StatusOK, `ingest_next_offset{partition="0"} 0`)
	return ingestor
}

// dial is a connection to the service, with the certificate of the caller.
func (e everything) dial(t *testing.T, service string) grpc.ClientConnInterface {
	t.Helper()
	c, err := client.New(client.Options{TLSDir: filepath.Join(e.me.root, "tls"), Server: named(service), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	conn, err := c.Dial(service, "static:///"+e.programs[service].api, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// invited is a context with ann's token, who is an editor.
func (e everything) invited(ctx context.Context, t *testing.T, auth grpc.ClientConnInterface) context.Context {
	t.Helper()
	got, err := authv1.NewAuthServiceClient(auth).GetToken(ctx, &authv1.GetTokenRequest{Username: "ann@example.com", Password: annsPassword})
	if err != nil {
		t.Fatal(err)
	}
	return bearing(ctx, got.GetToken())
}
