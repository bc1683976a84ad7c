package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/client"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// What can be called.
const (
	details  = "details"
	titles   = "metadata"
	averages = "rating"
)

// method is where a call goes: the service, by its name in metrics, and the REST path before the id.
type method struct{ service, path string }

func methods() map[string]method {
	return map[string]method{
		details:  {"movie", "/v1/movies/"},
		titles:   {"metadata", "/v1/metadata/"},
		averages: {"rating", "/v1/ratings/movie/"},
	}
}

func methodNames() string { return strings.Join(slices.Sorted(maps.Keys(methods())), ", ") }

// outcome is what came of one call.
type outcome struct {
	revision string
	code     string // gRPC's name, or the HTTP status
	ok       bool
	message  string // of a failure
}

type caller func(ctx context.Context, movie string) outcome

// newGRPC calls over a connection; a host that is not empty takes the place of the target's in :authority.
func newGRPC(conn grpc.ClientConnInterface, method, host string) caller {
	invoke := invoker(conn, method)
	var opts []grpc.CallOption
	if host != "" {
		opts = append(opts, grpc.CallAuthority(host))
	}
	return func(ctx context.Context, movie string) outcome {
		ctx, picked := client.WithRevision(ctx)
		var header metadata.MD
		err := invoke(ctx, movie, append(slices.Clone(opts), grpc.Header(&header))...)
		o := outcome{revision: picked(), code: status.Code(err).String(), ok: err == nil}
		if told := header.Get(client.RevisionHeader); len(told) > 0 {
			o.revision = told[0]
		}
		if err != nil {
			o.message = status.Convert(err).Message()
		}
		return o
	}
}

func invoker(conn grpc.ClientConnInterface, method string) func(context.Context, string, ...grpc.CallOption) error {
	switch method {
	case titles:
		c := metadatav1.NewMetadataServiceClient(conn)
		return func(ctx context.Context, movie string, opts ...grpc.CallOption) error {
			_, err := c.GetMetadata(ctx, &metadatav1.GetMetadataRequest{MovieId: movie}, opts...)
			return err
		}
	case averages:
		c := ratingv1.NewRatingServiceClient(conn)
		return func(ctx context.Context, movie string, opts ...grpc.CallOption) error {
			_, err := c.GetAggregatedRating(ctx, &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: movie}, opts...)
			return err
		}
	default:
		c := moviev1.NewMovieServiceClient(conn)
		return func(ctx context.Context, movie string, opts ...grpc.CallOption) error {
			_, err := c.GetMovieDetails(ctx, &moviev1.GetMovieDetailsRequest{MovieId: movie}, opts...)
			return err
		}
	}
}

// rest calls over HTTP, with a connection pool as large as the load needs.
type rest struct {
	base   string
	host   string // for the header Host; empty is the address's own
	client *http.Client
}

func newREST(address, method, host string, timeout time.Duration, secure *tls.Config) (*rest, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("--rest %q is not of the form http://host:port", address)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 1000, TLSClientConfig: secure}
	return &rest{
		base:   strings.TrimSuffix(address, "/") + methods()[method].path,
		host:   host,
		client: &http.Client{Transport: transport, Timeout: timeout},
	}, nil
}

func (r *rest) close() { r.client.CloseIdleConnections() }

func (r *rest) call(ctx context.Context, movie string) outcome {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+url.PathEscape(movie), nil)
	if err != nil {
		return outcome{code: "error", message: err.Error()}
	}
	req.Host = r.host
	resp, err := r.client.Do(req)
	if err != nil {
		return outcome{code: "no answer", message: err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return outcome{code: "no answer", message: err.Error()}
	}
	o := outcome{
		revision: resp.Header.Get(client.RevisionHeader),
		code:     fmt.Sprint(resp.StatusCode),
		ok:       resp.StatusCode == http.StatusOK,
	}
	if !o.ok {
		o.message = string(body)
	}
	return o
}
