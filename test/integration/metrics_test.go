//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	authv1 "movieexample.com/fleet/services/proto/auth/v1"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
	"movieexample.com/fleet/test/docs/catalogue"
	"movieexample.com/fleet/test/parts"
)

func (p *program) shown(t *testing.T) catalogue.Shown {
	t.Helper()
	got, err := request(t, http.MethodGet, "http://"+p.admin+"/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	shown, err := catalogue.Parse(strings.NewReader(got.body))
	if err != nil {
		t.Fatalf("/metrics of %s: %v", p.name, err)
	}
	return shown
}

// What the services show is what docs/metrics.md says, to the last label value; and it is all that the document says.
func TestMetricsAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	document, err := catalogue.Read("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	consul := parts.StartConsul(t)
	e := startEverything(t, consul)
	e.visit(t, "aliens")
	programs := maps.Clone(e.programs)
	programs["ingestor"] = e.ingestor
	for name, p := range programs {
		shown := p.shown(t)
		for _, series := range shown.With("aliens") {
			t.Errorf("%s has the series %s: what callers send is no label's value, for callers are not bounded", name, series)
		}
		if name == "movie" {
			shown.Add(troubledMovie(t, consul).shown(t))
		}
		for _, problem := range append(document.Check(name, shown), document.Missing(name, shown)...) {
			t.Errorf("%s: %s", name, problem)
		}
	}
}

// visit makes calls of all kinds, good and bad, about what is called so.
func (e everything) visit(t *testing.T, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conns := map[string]grpc.ClientConnInterface{}
	for name := range e.programs {
		conns[name] = e.dial(t, name)
	}
	ann := e.invited(ctx, t, conns["auth"])
	wantCode(t, "GetToken with a wrong password", second(authv1.NewAuthServiceClient(conns["auth"]).GetToken(ctx,
		&authv1.GetTokenRequest{Username: id, Password: "wrong-" + id})), codes.Unauthenticated)
	metadata, rating, movie := metadatav1.NewMetadataServiceClient(conns["metadata"]),
		ratingv1.NewRatingServiceClient(conns["rating"]), moviev1.NewMovieServiceClient(conns["movie"])
	put := &metadatav1.PutMetadataRequest{Metadata: &metadatav1.Metadata{Id: id, Title: "About " + id}}
	wantCode(t, "PutMetadata without a token", second(metadata.PutMetadata(ctx, put)), codes.Unauthenticated)
	wantCode(t, "PutMetadata", second(metadata.PutMetadata(ann, put)), codes.OK)
	wantCode(t, "GetMetadata of what is not there", second(metadata.GetMetadata(ctx, &metadatav1.GetMetadataRequest{MovieId: "no-" + id})), codes.NotFound)
	wantCode(t, "ListMetadata", second(metadata.ListMetadata(ctx, &metadatav1.ListMetadataRequest{})), codes.OK)
	write := &ratingv1.PutRatingRequest{RecordType: "movie", RecordId: id, Value: 4}
	wantCode(t, "PutRating without a token", second(rating.PutRating(ctx, write)), codes.Unauthenticated)
	wantCode(t, "PutRating", second(rating.PutRating(ann, write)), codes.OK)
	wantCode(t, "GetMovieDetails", second(movie.GetMovieDetails(ctx, &moviev1.GetMovieDetailsRequest{MovieId: id})), codes.OK)
	wantCode(t, "GetMovieDetails of what is not there", second(movie.GetMovieDetails(ctx, &moviev1.GetMovieDetailsRequest{MovieId: "no-" + id})), codes.NotFound)
	e.send(ann, t, movie, id)
	for name, conn := range conns {
		method := "/" + id + ".v1.Service/" + id
		wantCode(t, name+" "+method, conn.Invoke(ctx, method, &authv1.GetTokenRequest{}, &authv1.GetTokenResponse{}), codes.Unimplemented)
	}
}

func second[T any](_ T, err error) error { return err }

// send uploads a file whose content is its name; without a token it is refused.
func (e everything) send(ann context.Context, t *testing.T, movie moviev1.MovieServiceClient, id string) {
	t.Helper()
	upload := func(ctx context.Context) error {
		stream, err := movie.UploadFile(ctx)
		if err != nil {
			return err
		}
		_ = stream.Send(&moviev1.UploadFileRequest{Part: &moviev1.UploadFileRequest_Header{
			Header: &moviev1.UploadHeader{UploadId: "upload-of-the-file-" + id, Name: id, Size: int64(len(id))},
		}}) // its error is that of the answer
		_ = stream.Send(&moviev1.UploadFileRequest{Part: &moviev1.UploadFileRequest_Chunk{Chunk: []byte(id)}})
		_, err = stream.CloseAndRecv()
		return err
	}
	wantCode(t, "UploadFile without a token", upload(t.Context()), codes.Unauthenticated)
	wantCode(t, "UploadFile", upload(ann), codes.OK)
}

// troubledMovie is a movie whose ratings have a sick instance, and a revision that refuses.
func troubledMovie(t *testing.T, consul *parts.Consul) *program {
	t.Helper()
	const ratings = "troubled-ratings"
	well := serve(t, "rating", "discovery: {kind: consul, name: "+ratings+"}\n", consul.Binding(t))
	well.wantReady(t)
	sick := grpc.NewServer(grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(codes.Internal, "sick") }))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = sick.Serve(listener) }() // until Stop, which waits
	t.Cleanup(sick.Stop)
	shareOut(t, consul, ratings, map[string]int{revision: listener.Addr().(*net.TCPAddr).Port, "dead": 1})
	f := fleet{metadata: serve(t, "metadata", "", "")}
	f.metadata.wantReady(t)
	f.movie = serve(t, "movie", fmt.Sprintf("discovery: {kind: consul}\nupstreams: {metadata: {target: 'static:///%s'}, rating: {target: 'consul:///%s'}}\n",
		f.metadata.api, ratings), consul.Binding(t))
	f.movie.wantReady(t)
	f.putMovie(t)
	eventually(t, func() error {
		if _, err := f.details(t, "tt1"); err != nil {
			t.Fatalf("GetMovieDetails = %v, want no error whatever ratings do", err)
		}
		shown := f.movie.shown(t)
		for _, name := range []string{"grpc_client_ejections_total", "grpc_client_unreachable_total"} {
			if shown[name] == nil {
				return fmt.Errorf("the metrics are %v, want %s", slices.Sorted(maps.Keys(shown)), name)
			}
		}
		return nil
	})
	return f.movie
}

// shareOut registers instances of one's own, by revision, and gives each revision a share.
func shareOut(t *testing.T, consul *parts.Consul, service string, ports map[string]int) {
	t.Helper()
	c := consul.Client(t)
	subsets := map[string]api.ServiceResolverSubset{}
	var splits []api.ServiceSplit
	for name, port := range ports {
		err := c.Agent().ServiceRegister(&api.AgentServiceRegistration{
			ID: service + "-" + strconv.Itoa(port), Name: service, Address: "127.0.0.1", Port: port, Meta: map[string]string{"revision": name},
		})
		if err != nil {
			t.Fatal(err)
		}
		subsets[name] = api.ServiceResolverSubset{Filter: `Service.Meta.revision == "` + name + `"`, OnlyPassing: true}
		splits = append(splits, api.ServiceSplit{Weight: float32(100 / len(ports)), ServiceSubset: name})
	}
	for _, entry := range []api.ConfigEntry{
		&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: service, Protocol: "grpc"},
		&api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: service, DefaultSubset: revision, Subsets: subsets},
		&api.ServiceSplitterConfigEntry{Kind: api.ServiceSplitter, Name: service, Splits: splits},
	} {
		if _, _, err := c.ConfigEntries().Set(entry, nil); err != nil {
			t.Fatal(err)
		}
	}
}
