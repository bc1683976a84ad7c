package handler

import (
	"context"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// KeysPath is where RFC 8615 and the habit of the trade put the keys.
const KeysPath = "/.well-known/jwks.json"

// PublishKeys adds the route of the keys to REST. They are no call of auth.v1: whoever knows JSON Web Keys can read them,
// without our proto files. published is nil while there are none.
func PublishKeys(published func() []byte) func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error {
	return func(_ context.Context, mux *runtime.ServeMux, _ *grpc.ClientConn) error {
		return mux.HandlePath(http.MethodGet, KeysPath, func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
			text := published()
			if text == nil {
				_, m := runtime.MarshalerForRequest(mux, r)
				runtime.HTTPError(r.Context(), mux, m, w, r, status.Error(codes.Unavailable, "there are no keys yet"))
				return
			}
			w.Header().Set("Content-Type", "application/jwk-set+json")
			w.Header().Set("Cache-Control", "no-cache") // a key that signs must be found at once
			_, _ = w.Write(text)                        // the reader hung up
		})
	}
}
