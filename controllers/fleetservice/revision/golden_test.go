package revision_test

import (
	"os"
	"strings"
	"testing"

	"movieexample.com/fleet/controllers/fleetservice/revision"
)

const kept = 50

// TestHashGolden holds on to the hashes that clusters know. A new line may be added with any hash: the test tells the
// right one.
func TestHashGolden(t *testing.T) {
	raw, err := os.ReadFile("testdata/hashes.golden")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 3 {
			t.Fatalf("line %q has %d fields separated by tabs, want name, hash and spec", line, len(fields))
		}
		name, want := fields[0], fields[1]
		got, err := revision.Hash(service(t, fields[2]))
		if err != nil {
			t.Errorf("%s: Hash = %v", name, err)
		}
		if got != want {
			t.Errorf("%s: Hash = %s, want %s", name, got, want)
		}
		if other, twice := names[got]; twice {
			t.Errorf("%s and %s are one revision %s", name, other, got)
		}
		names[got] = name
	}
	if len(names) < kept {
		t.Errorf("the golden file holds %d hashes, want at least %d: lines are never removed", len(names), kept)
	}
}
