package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"movieexample.com/fleet/services/internal/lifecycle"
)

// Identity says in /readyz who answers.
type Identity struct {
	Service  string `json:"service"`
	Version  string `json:"version"`
	Revision string `json:"revision"`
}

// Admin is the plain HTTP server of probes and scrapes, which have no certificate.
type Admin struct {
	server *http.Server
}

// NewAdmin serves /metrics, /healthz (the process lives) and /readyz (it should get requests; else 503 and the reason).
func NewAdmin(gatherer prometheus.Gatherer, identity Identity, readiness func() lifecycle.State) *Admin {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, report{Status: "ok", Identity: identity})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		state := readiness()
		h := report{Status: "ready", Identity: identity, Checks: map[string]string{}}
		code := http.StatusOK
		if !state.Ready {
			h.Status, code = "not ready", http.StatusServiceUnavailable
		}
		for _, c := range state.Checks {
			h.Checks[c.Name] = c.Problem
			if c.Problem == "" {
				h.Checks[c.Name] = "ok"
			}
		}
		writeJSON(w, code, h)
	})
	return &Admin{server: newHTTPServer(mux)}
}

type report struct {
	Status string `json:"status"`
	Identity
	Checks map[string]string `json:"checks,omitempty"` // "ok", or what is wrong
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the prober hung up
}

// ServeOn answers requests until Stop.
func (a *Admin) ServeOn(listener net.Listener) func(context.Context) error {
	return serve(a.server, listener)
}

// Stop lets requests in flight finish until the context ends, then cuts them.
func (a *Admin) Stop(ctx context.Context) error { return stop(ctx, a.server) }

func serve(s *http.Server, listener net.Listener) func(context.Context) error {
	return func(context.Context) error {
		if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}

func stop(ctx context.Context, s *http.Server) error {
	if err := s.Shutdown(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}
