//go:build bench

package services_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"movieexample.com/fleet/test/parts"
)

const (
	mostMemory = 48 << 20        // bytes that are resident in a service that nobody calls
	mostStart  = 2 * time.Second // from the start of the process to ready
	idleFor    = 3 * time.Second // probes and the scrape that asks go on meanwhile
)

// TestBenchIdle starts each service as on a laptop and tells what it costs to have one.
func TestBenchIdle(t *testing.T) {
	for _, name := range []string{"metadata", "rating", "movie"} {
		t.Run(name, func(t *testing.T) {
			admin := parts.FreePort(t)
			began := time.Now()
			pid := start(t, filepath.Join(programs, name), nil,
				"--api.port=0", "--rest.port=0", fmt.Sprintf("--admin.port=%d", admin), "--shutdown.propagation=0s", "--log.level=warn")
			untilReady(t, fmt.Sprintf("http://%s/readyz", loopback(admin)))
			took := time.Since(began)
			<-time.After(idleFor) // the observation itself
			memory := resident(t, pid)
			t.Logf("%s: ready after %s, %.1f MiB resident", name, took.Round(time.Millisecond), float64(memory)/(1<<20))
			if took > mostStart {
				t.Errorf("%s was ready after %s, want at most %s", name, took, mostStart)
			}
			if memory > mostMemory {
				t.Errorf("%s has %d bytes resident, want at most %d", name, memory, mostMemory)
			}
		})
	}
}

func untilReady(t *testing.T, url string) {
	t.Helper()
	ctx := wait(t)
	for ctx.Err() == nil {
		if asked(ctx, url) {
			return
		}
		time.Sleep(time.Millisecond) // nobody tells when a port opens
	}
	t.Fatalf("%s: %v", url, ctx.Err())
}

func asked(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// resident is the physical memory of a process, in bytes.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kilobytes int64
		if n, err := fmt.Sscanf(line, "VmRSS: %d kB", &kilobytes); n == 1 && err == nil {
			return kilobytes << 10
		}
	}
	t.Fatalf("/proc/%d/status has no VmRSS", pid)
	return 0
}
