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

	"movieexample.com/fleet/test/bench/table"
	"movieexample.com/fleet/test/ports"
)

const (
	mostMemory = space(48 << 20) // that are resident in a service that nobody calls
	mostStart  = 2 * time.Second // from the start of the process to ready
	idleFor    = 3 * time.Second // probes and the scrape that asks go on meanwhile
)

// TestBenchIdle starts each service as on a laptop and tells what it costs to have one.
func TestBenchIdle(t *testing.T) {
	for _, name := range []string{"metadata", "rating", "movie", "auth"} {
		t.Run(name, func(t *testing.T) {
			admin := ports.Free(t)
			began := time.Now()
			pid := start(t, filepath.Join(programs, name), nil,
				"--api.port=0", "--rest.port=0", fmt.Sprintf("--admin.port=%d", admin), "--shutdown.propagation=0s", "--log.level=warn")
			untilReady(t, fmt.Sprintf("http://%s/readyz", loopback(admin)))
			took := time.Since(began)
			<-time.After(idleFor) // the observation itself
			memory := resident(t, pid)
			table.Within(t, name+": start to ready", took.Round(time.Millisecond), mostStart, took <= mostStart)
			table.Within(t, name+": resident when idle", memory, mostMemory, memory <= mostMemory)
			table.Row(t, name+": program file, to which the image adds certificates", size(t, filepath.Join(programs, name)).String())
		})
	}
}

// space is told in MiB.
type space int64

func (s space) String() string { return fmt.Sprintf("%.1f MiB", float64(s)/(1<<20)) }

func size(t *testing.T, file string) space {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return space(info.Size())
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

// resident is the physical memory of a process.
func resident(t *testing.T, pid int) space {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kilobytes space
		if n, err := fmt.Sscanf(line, "VmRSS: %d kB", &kilobytes); n == 1 && err == nil {
			return kilobytes << 10
		}
	}
	t.Fatalf("/proc/%d/status has no VmRSS", pid)
	return 0
}
