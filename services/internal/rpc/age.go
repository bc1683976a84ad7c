package rpc

import (
	"context"
	"net"
	"net/http"
	"time"
)

type startKey struct{}

func noteStart(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, startKey{}, time.Now())
}

// limitAge ends REST connections after the time that gRPC's may last, with an answer and never within one: what was
// checked when a connection was made, a certificate above all, must not count for ever.
func limitAge(next http.Handler, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if began, ok := r.Context().Value(startKey{}).(time.Time); ok && now().Sub(began) > maxConnectionAge {
			w.Header().Set("Connection", "close") // over HTTP/2 the server says GOAWAY
		}
		next.ServeHTTP(w, r)
	})
}
