package rpc

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel/propagation"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

const (
	restHeaderTimeout = 5 * time.Second
	restBodyTimeout   = 15 * time.Second
	restWriteTimeout  = restBodyTimeout + restCallTimeout // from the end of the header: time for the body, then for the call
	restIdleTimeout   = 60 * time.Second
	restCallTimeout   = 5 * time.Second // the edge's limit for one call
	restMaxBody       = 1 << 20
)

// RegisterREST adds a service's REST routes; the generated Register…Handler functions are of this form.
type RegisterREST func(ctx context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error

// REST is the JSON server. Its requests pass through the gRPC server inside the process, so that both have the same
// handlers, interceptors and metrics.
type REST struct {
	server *http.Server
	conn   *grpc.ClientConn
}

// NewREST makes the JSON server of a gRPC server.
func NewREST(ctx context.Context, s *Server, revision string, routes ...RegisterREST) (*REST, error) {
	conn, err := grpc.NewClient("passthrough:///inside",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.inside.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(carryUnary),
		grpc.WithChainStreamInterceptor(carryStream),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithIdleTimeout(0),
	)
	if err != nil {
		return nil, fmt.Errorf("REST: %w", err)
	}
	mux := newMux()
	for _, register := range routes {
		if err := register(ctx, mux, conn); err != nil {
			_ = conn.Close() // the first error says what matters
			return nil, fmt.Errorf("REST: %w", err)
		}
	}
	server := newHTTPServer(limitAge(answer(mux, revision), time.Now))
	server.ConnContext = noteStart
	server.ErrorLog = log.New(&seldomLog{log: s.log, seldom: &rate.Sometimes{First: 3, Interval: time.Second}}, "", 0)
	return &REST{conn: conn, server: server}, nil
}

func newMux() *runtime.ServeMux {
	return runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			// A field with its default value is shown, a message that is not there (a movie's rating) is not.
			MarshalOptions: protojson.MarshalOptions{EmitDefaultValues: true},
			// A field that nobody knows is a mistake, not noise.
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
		}),
		runtime.WithRoutingErrorHandler(routingError),
		runtime.WithErrorHandler(callError),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithMetadata(traceContext),
		runtime.WithIncomingHeaderMatcher(incomingHeader),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
	)
}

// traceContext hands on the trace that the caller is in, so that a REST request is the same span as the gRPC call it becomes.
func traceContext(_ context.Context, r *http.Request) metadata.MD {
	carried := metadata.MD{}
	for _, name := range (propagation.TraceContext{}).Fields() {
		if value := r.Header.Get(name); value != "" {
			carried.Set(name, value)
		}
	}
	return carried
}

// incomingHeader lets no request write gRPC metadata by hand (Grpc-Metadata-…): who calls, and from where, would be for
// the caller to say.
func incomingHeader(name string) (string, bool) {
	if strings.HasPrefix(name, runtime.MetadataHeaderPrefix) {
		return "", false
	}
	return runtime.DefaultHeaderMatcher(name)
}

// routingError corrects the gateway, which answers a wrong method with 501.
func routingError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	if code != http.StatusMethodNotAllowed {
		runtime.DefaultRoutingErrorHandler(ctx, mux, m, w, r, code)
		return
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, &runtime.HTTPStatusError{
		HTTPStatus: code,
		Err:        status.Errorf(codes.Unimplemented, "method %s is not allowed here", r.Method),
	})
}

func newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: restHeaderTimeout,
		ReadTimeout:       restBodyTimeout,
		WriteTimeout:      restWriteTimeout,
		IdleTimeout:       restIdleTimeout,
		MaxHeaderBytes:    maxHeader,
	}
}

// answer bounds each request and puts the revision into each answer.
func answer(mux *runtime.ServeMux, revision string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if revision != "" {
			w.Header().Set(RevisionHeader, revision)
		}
		ctx, cancel := context.WithTimeout(withRESTCaller(r.Context(), r.TLS), restCallTimeout)
		defer cancel()
		r = bounded(w, r.WithContext(ctx))
		if r.ContentLength > restMaxBody {
			_, m := runtime.MarshalerForRequest(mux, r)
			runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, tooLarge())
			return
		}
		if r.Method == http.MethodDelete {
			w = &noContent{ResponseWriter: w}
		}
		mux.ServeHTTP(w, r)
	})
}

// noContent answers a DELETE that went well with 204 and no body.
type noContent struct {
	http.ResponseWriter

	wrote bool
}

func (w *noContent) WriteHeader(code int) {
	w.wrote = true
	w.ResponseWriter.WriteHeader(code)
}

func (w *noContent) Write(b []byte) (int, error) {
	if w.wrote {
		return w.ResponseWriter.Write(b)
	}
	w.Header().Del("Content-Type")
	w.Header().Del("Content-Length")
	w.ResponseWriter.WriteHeader(http.StatusNoContent)
	return len(b), nil
}

// ServeOn answers requests until Stop.
func (r *REST) ServeOn(listener net.Listener) func(context.Context) error {
	return serve(r.server, listener)
}

// Stop lets requests in flight finish until the context ends, then cuts them.
func (r *REST) Stop(ctx context.Context) error {
	err := stop(ctx, r.server)
	_ = r.conn.Close() // inside the process; there is nothing to lose
	return err
}
