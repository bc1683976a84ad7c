//go:build integration

package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"movieexample.com/fleet/test/parts"
)

//nolint:gochecknoglobals // made once for the tests of this package
var (
	programs string // directory of the services' binaries
	server   *parts.MariaDB
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fleet-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	programs = dir
	for _, name := range []string{"metadata", "rating", "movie", "auth", "uploadclient"} {
		pkg := "movieexample.com/fleet/services/" + name + "/cmd"
		if name == "uploadclient" {
			pkg = "movieexample.com/fleet/services/movie/cmd/uploadclient"
		}
		build := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n%s", build, err, out)
			return 1
		}
	}
	return parts.WithMariaDB(func(s *parts.MariaDB) int { server = s; return m.Run() })
}
