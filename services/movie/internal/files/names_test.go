package files_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"unicode/utf8"

	"movieexample.com/fleet/services/movie/internal/model"
	"movieexample.com/fleet/services/movie/internal/uploadtest"
)

// Whatever an upload and its file are called: the store's own names, and nothing else, come into being.
func FuzzNames(f *testing.F) {
	for _, name := range []string{
		"trailer.mp4", "../../etc/passwd", "/etc/passwd", "..", ".", "", "a\x00b", "a/../b", `..\..\windows`, "\u202egpj.exe", "ＮＵＬ", "CON",
		"é", "e\u0301", "-rf", "$(reboot)", "a\nb", "%2e%2e%2f", string(make([]byte, 5000)),
	} {
		f.Add(name, name)
	}
	own := regexp.MustCompile(`^(files|uploads|pending|tmp)(/[0-9a-f]{2}(/[0-9a-f]{64}(/(content|info\.json))?)?|/[0-9a-f]{64}(\.json|\.[0-9a-f]{64}))?$`)
	content := []byte("content")
	f.Fuzz(func(t *testing.T, id, name string) {
		if !utf8.ValidString(name) {
			t.Skip("protobuf refuses it")
		}
		parent := t.TempDir()
		dir := filepath.Join(parent, "a", "b", "store")
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		s := uploadtest.Open(t, dir)
		receipt := receive(t, s, model.Header{UploadID: id, Name: name, Size: int64(len(content))}, content)
		if got, err := s.File(receipt.FileID); err != nil || got.Name != name {
			t.Errorf("File().Name = %q, %v, want %q", got.Name, err, name)
		}
		if got, err := s.Upload(id); err != nil || got.FileID != receipt.FileID {
			t.Errorf("Upload(%q) = %+v, %v, want the file", id, got, err)
		}
		err := filepath.WalkDir(parent, func(path string, d fs.DirEntry, err error) error {
			relative, relErr := filepath.Rel(dir, path)
			if relErr == nil && d != nil && !own.MatchString(relative) && relative != "." && relative != ".." && relative != "../.." && relative != "../../.." {
				t.Errorf("%q for the id %q and name %q, want only the store's own names", relative, id, name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// An id of a file is asked for by anybody, too.
func FuzzFileIDs(f *testing.F) {
	for _, id := range []string{"", "sha256-", "sha256-../../../../etc/passwd", "sha256-" + string(make([]byte, 64)), "../content"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		s := uploadtest.Open(t, t.TempDir())
		if got, err := s.File(id); err == nil {
			t.Errorf("File(%q) = %+v in an empty store, want an error", id, got)
		}
	})
}
