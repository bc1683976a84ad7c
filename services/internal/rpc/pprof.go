package rpc

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"
)

// ServeProfiles answers /debug/pprof on the listener, which must be on loopback, until the context ends. It has no write
// timeout: a profile takes as long as the caller asks for.
func ServeProfiles(listener net.Listener) func(context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: restHeaderTimeout, IdleTimeout: restIdleTimeout}
	return func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { _ = server.Close() })() // whoever profiles sees the connection end
		return serve(server, listener)(ctx)
	}
}
