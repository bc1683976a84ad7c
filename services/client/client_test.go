package client_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"movieexample.com/fleet/services/client"
)

func TestNewMistakes(t *testing.T) {
	for _, url := range []string{"localhost:8500", "http://localhost", "ftp://a:1", "http://a:x", "http://[::1"} {
		if _, err := client.New(client.Options{ConsulURL: url, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "address of Consul") {
			t.Errorf("New(ConsulURL %q) = error %v, want one about the address of Consul", url, err)
		}
	}
}

func TestDialMistakes(t *testing.T) {
	c, err := client.New(client.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}()
	for _, target := range []string{"", "movie", "http:///a:1", "static:///a"} {
		if _, err := c.Dial("movie", target, time.Second); err == nil {
			t.Errorf("Dial(%q) = no error, want one", target)
		}
	}
}
