//go:build integration

package ingest_test

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
	rating   string // the program
	database *parts.MariaDB
	broker   *parts.Kafka
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fleet-ingest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	rating = filepath.Join(dir, "rating")
	for _, build := range []*exec.Cmd{
		exec.Command("go", "build", "-o", rating, "movieexample.com/fleet/services/rating/cmd"), buildFaulty(rating),
	} {
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n%s", build, err, out)
			return 1
		}
	}
	return parts.WithMariaDB(func(s *parts.MariaDB) int {
		database = s
		return parts.WithKafka(func(k *parts.Kafka) int { broker = k; return m.Run() })
	})
}
