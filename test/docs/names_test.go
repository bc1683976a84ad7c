package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

var (
	testName   = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]+\b`)
	definition = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]+)\(`)
	narrations = regexp.MustCompile(`narrations? ([a-z0-9, -]+)`)
	slug       = regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+){2,}$`)
	narrative  = regexp.MustCompile(`^[a-z-]+\.txt$`)
)

// TestNamedTestsExist fails for a document that names a test or a narration which is not there (any more).
func TestNamedTestsExist(t *testing.T) {
	defined, narrated := inventory(t)
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(documents) == 0 {
		t.Fatalf("no documents found: %v", err)
	}
	named := 0
	for _, path := range documents {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(raw), "\n") {
			for _, name := range testName.FindAllString(line, -1) {
				if named++; !defined[name] {
					t.Errorf("%s:%d names %s, and there is no such test", filepath.Base(path), i+1, name)
				}
			}
			for _, list := range narrations.FindAllStringSubmatch(line, -1) {
				for name := range strings.SplitSeq(list[1], ",") {
					if name = strings.TrimSpace(name); slug.MatchString(name) && !narrated[name] {
						t.Errorf("%s:%d names the narration %s, and there is none of that name", filepath.Base(path), i+1, name)
					}
				}
			}
		}
	}
	if named < 20 {
		t.Errorf("%d tests are named in docs, want at least 20: has the form of the tables changed?", named)
	}
}

// inventory lists the tests and the narrations of the repository.
func inventory(t *testing.T) (defined, narrated map[string]bool) {
	t.Helper()
	defined, narrated = map[string]bool{}, map[string]bool{}
	for _, text := range testFiles(t) {
		for _, m := range definition.FindAllStringSubmatch(text, -1) {
			defined[m[1]] = true
		}
	}
	walk(t, func(path string) {
		if filepath.Base(filepath.Dir(path)) == "narrations" && narrative.MatchString(filepath.Base(path)) {
			narrated[strings.TrimSuffix(filepath.Base(path), ".txt")] = true
		}
	})
	return defined, narrated
}

// testFiles are the texts of all files of tests, by path.
func testFiles(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	walk(t, func(path string) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = string(text)
	})
	return all
}

// walk visits all files of the repository.
func walk(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			visit(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
