//go:build integration

package tryit_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// longestMain bounds a service's main, imports and comments too: what is more belongs into the kit.
const longestMain = 50

// shown is a file as a document shows it: its path at the end of a line, then its text.
var shown = regexp.MustCompile("(?ms)`([a-z0-9/._]+)`:\n\n```(?:go|proto|yaml)\n(.*?)^```$")

// TestNewService builds the service of docs/new-service.md as the document says, in a copy of the repository, and calls it.
func TestNewService(t *testing.T) {
	dir := copied(t)
	files := shown.FindAllStringSubmatch(read(t, "new-service.md"), -1)
	if len(files) != 6 {
		t.Fatalf("the document shows %d files, want 6: has its form changed?", len(files))
	}
	for _, f := range files {
		path := filepath.Join(dir, f[1])
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f[2]), 0o600); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(f[2], "\n"); filepath.Base(path) == "main.go" && lines > longestMain {
			t.Errorf("%s has %d lines, want at most %d: the kit stands in the way", f[1], lines, longestMain)
		}
	}
	if compared := follow(t, "new-service.md", dir); compared == 0 {
		t.Error("no output was compared")
	}
}
