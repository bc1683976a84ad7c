package rpc

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// bounded gives the request a body that ends with an error after the longest one allowed, and remembers that it did: the
// gateway keeps only the error's text.
func bounded(w http.ResponseWriter, r *http.Request) *http.Request {
	body := &boundedBody{ReadCloser: http.MaxBytesReader(w, r.Body, restMaxBody)}
	r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, body))
	r.Body = body
	return r
}

type bodyKey struct{}

type boundedBody struct {
	io.ReadCloser

	// Why it ended early; read in the goroutine of the request only.
	over, slow bool
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	_, over := errors.AsType[*http.MaxBytesError](err)
	b.over = b.over || over
	b.slow = b.slow || errors.Is(err, os.ErrDeadlineExceeded)
	return n, err
}

func tooLarge() error {
	return &runtime.HTTPStatusError{
		HTTPStatus: http.StatusRequestEntityTooLarge,
		Err:        status.Errorf(codes.InvalidArgument, "the body is too large: at most %d bytes are allowed", restMaxBody),
	}
}

// callError answers a call that failed. It says in HTTP's words what gRPC's do not reach: that a body was too large or too
// slow, and when to come back.
func callError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	switch body, _ := r.Context().Value(bodyKey{}).(*boundedBody); {
	case body != nil && body.over:
		err = tooLarge()
	case body != nil && body.slow:
		err = &runtime.HTTPStatusError{
			HTTPStatus: http.StatusRequestTimeout,
			Err:        status.Errorf(codes.DeadlineExceeded, "the body did not come within %s", restBodyTimeout),
		}
	}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			seconds := math.Ceil(info.GetRetryDelay().AsDuration().Seconds())
			w.Header().Set("Retry-After", strconv.Itoa(max(1, int(seconds))))
		}
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, err)
}
