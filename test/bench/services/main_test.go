//go:build bench

package services_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

//nolint:gochecknoglobals // made once for the benchmarks of this package
var programs string // directory of the services' binaries

// TestMain runs the benchmarks; or, started by one of them, one of the bare servers.
func TestMain(m *testing.M) {
	if role := os.Getenv(envRole); role != "" {
		os.Exit(runBare(role))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fleet-bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	programs = dir
	for _, name := range []string{"metadata", "rating", "movie", "auth"} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, name), "movieexample.com/fleet/services/"+name+"/cmd")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n%s", build, err, out)
			return 1
		}
	}
	return m.Run()
}
