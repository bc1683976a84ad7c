package app

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"

	"movieexample.com/fleet/services/internal/config"
)

// A command that serves works until a signal, beside the program itself: with an admin port of its own and no other.
func TestACommandThatServes(t *testing.T) {
	var working, closed atomic.Bool
	p := program(fine, always())
	defaults := p.Defaults
	p.Defaults.Common = config.Defaults(1) // ports that nobody may take: the command does not use them
	p.Commands = []Command[settings]{{
		Use: "consume", Short: "Consume", Args: cobra.NoArgs, Defaults: defaults,
		Serve: func(_ context.Context, env Env[settings]) (Service, error) {
			if env.Instance == "" {
				t.Error("the instance has no name")
			}
			return Service{
				Workers: []Worker{{Name: "consumer", Run: func(ctx context.Context) error {
					working.Store(true)
					<-ctx.Done()
					working.Store(false)
					return nil
				}}},
				Close: func() error {
					closed.Store(!working.Load()) // what workers use goes after them
					return nil
				},
			}, nil
		},
	}}
	r := launch(t, p, "consume")
	r.until(t, "it is ready and works", func() bool {
		code, _ := r.get(t, r.admin+"/readyz")
		return code == http.StatusOK && working.Load()
	})
	if code, body := r.get(t, r.admin+"/metrics"); code != http.StatusOK || !strings.Contains(body, "fleet_build_info") {
		t.Errorf("/metrics = %d, want the metrics", code)
	}
	r.signals <- os.Interrupt
	if code := <-r.exit; code != exitOK || !closed.Load() {
		t.Errorf("exit = %d, closed after the worker = %v, want 0 and true; %s", code, closed.Load(), r.stderr)
	}
}
