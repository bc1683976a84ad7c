package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// qualified is a test as the table of promises names it: the end of its package's path, and its name.
var qualified = regexp.MustCompile("`([a-z/]+)/((?:Test|Fuzz)[A-Z][A-Za-z0-9]+)`")

// TestPromisesNameTheirTests fails for a promise that no test holds (any more).
func TestPromisesNameTheirTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "services.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| promise | held by |\n|---|---|\n")
	if !found {
		t.Fatal("services.md has no table of promises")
	}
	defined := definitions(t)
	rows := 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		promise, held, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if strings.HasPrefix(promise, "**") { // a heading
			continue
		}
		rows++
		tests := qualified.FindAllStringSubmatch(held, -1)
		if len(tests) == 0 || len(tests) != strings.Count(held, "`")/2 {
			t.Errorf("%q is held by %s, want tests as `package/TestName`", promise, held)
		}
		for _, test := range tests {
			if !defined.has(test[1], test[2]) {
				t.Errorf("%q is held by %s of %s, and there is no such test", promise, test[2], test[1])
			}
		}
	}
	if rows < 40 {
		t.Errorf("%d promises, want at least 40: has the form of the table changed?", rows)
	}
}

// TestFaultsNameTheirTests fails for a fault of the ingestor that no test makes (any more).
func TestFaultsNameTheirTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "ingestor.md"))
	if err != nil {
		t.Fatal(err)
	}
	defined := definitions(t)
	named := qualified.FindAllStringSubmatch(string(text), -1)
	for _, test := range named {
		if !defined.has(test[1], test[2]) {
			t.Errorf("ingestor.md names %s of %s, and there is no such test", test[2], test[1])
		}
	}
	if len(named) < 20 {
		t.Errorf("ingestor.md names %d tests, want at least 20: has their form changed?", len(named))
	}
}

// testsOf are the names of tests by directory.
type testsOf map[string]map[string]bool

func (d testsOf) has(pkg, name string) bool {
	for dir, names := range d {
		if names[name] && strings.HasSuffix("/"+dir, "/"+pkg) {
			return true
		}
	}
	return false
}

func definitions(t *testing.T) testsOf {
	t.Helper()
	all := testsOf{}
	for path, text := range testFiles(t) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if all[dir] == nil {
			all[dir] = map[string]bool{}
		}
		for _, m := range definition.FindAllStringSubmatch(text, -1) {
			all[dir][m[1]] = true
		}
	}
	return all
}
