package files_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/files"
	"movieexample.com/fleet/services/movie/internal/model"
	"movieexample.com/fleet/services/movie/internal/uploadtest"
)

func inspect(t *testing.T, s *files.Store, id string) model.Finding {
	t.Helper()
	found, err := s.Inspect(t.Context(), id)
	if err != nil {
		t.Fatalf("Inspect() = %v", err)
	}
	return found
}

func mark(t *testing.T, s *files.Store, id string, index uint64, f model.Finding) bool {
	t.Helper()
	marked, err := s.Mark(id, index, f)
	if err != nil {
		t.Fatalf("Mark(%d) = %v", index, err)
	}
	return marked
}

func jobs(t *testing.T, s *files.Store, index uint64) []model.Job {
	t.Helper()
	list, err := s.Pending(t.Context(), index)
	if err != nil {
		t.Fatalf("Pending(%d) = %v", index, err)
	}
	return list
}

func wantState(t *testing.T, s *files.Store, id string, state model.FileState, mediaType string) {
	t.Helper()
	f, err := s.File(id)
	if err != nil || f.State != state || f.Type != mediaType {
		t.Errorf("File() = state %d, type %q, %v, want %d, %q", f.State, f.Type, err, state, mediaType)
	}
}

func TestInspect(t *testing.T) {
	for want, content := range map[string]string{
		"text/plain; charset=utf-8": "The quick brown fox",
		"video/mp4":                 "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
		"application/octet-stream":  "\x00\x01\x02",
		"video/webm":                "\x1aE\xdf\xa3" + strings.Repeat("\x00", 2_000_000),
	} {
		s := uploadtest.Open(t, t.TempDir())
		receive(t, s, header([]byte(content)), []byte(content))
		got := inspect(t, s, idOf([]byte(content)))
		if diff := cmp.Diff(model.Finding{Size: int64(len(content)), Type: want}, got); diff != "" {
			t.Errorf("Inspect() (-want +got):\n%s", diff)
		}
	}
}

func TestInspectEndsWithItsContext(t *testing.T) {
	s := uploadtest.Open(t, t.TempDir())
	content := text(1000)
	receive(t, s, header(content), content)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Inspect(ctx, idOf(content)); !errors.Is(err, context.Canceled) {
		t.Errorf("Inspect() = %v, want that the context ended", err)
	}
	if _, err := s.Inspect(t.Context(), idOf([]byte("not there"))); problem.KindOf(err) != problem.NotFound {
		t.Errorf("Inspect() of no file = %v, want NotFound", err)
	}
}

func TestALateHolderChangesNothing(t *testing.T) {
	dir := t.TempDir()
	s := uploadtest.Open(t, dir)
	content := text(1000)
	id := idOf(content)
	receive(t, s, header(content), content)
	if got := jobs(t, s, 5); len(got) != 1 || got[0].FileID != id {
		t.Fatalf("Pending() = %v, want the file", got)
	}
	if !mark(t, s, id, 5, model.Finding{Type: "text/five"}) || !mark(t, s, id, 7, model.Finding{Type: "text/seven"}) {
		t.Error("Mark() = false for an index that grows, want true")
	}
	if mark(t, s, id, 6, model.Finding{Type: "text/six", Damaged: true}) {
		t.Error("Mark() = true for a holder before the last, want false")
	}
	wantState(t, s, id, model.Ready, "text/seven")
	// Later still: it had looked before the other wrote.
	late := filepath.Join(filepath.Dir(contentOf(dir, content)), "mark-6.json")
	if err := os.WriteFile(late, []byte(`{"type":"text/six","damaged":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	wantState(t, s, id, model.Ready, "text/seven")
	if got := jobs(t, s, 6); len(got) != 0 {
		t.Errorf("Pending() for a holder before the last = %v, want nothing", got)
	}
	if !mark(t, s, id, 12, model.Finding{Type: "text/twelve"}) {
		t.Error("Mark(12) after 7 = false, want true: indexes are numbers")
	}
	wantState(t, s, id, model.Ready, "text/twelve")
}

func TestADamagedFileIsMendedBySendingItAgain(t *testing.T) {
	dir := t.TempDir()
	s := uploadtest.Open(t, dir)
	content := text(1000)
	id := idOf(content)
	receive(t, s, header(content), content)
	first := jobs(t, s, 1)[0]
	if err := os.Chmod(contentOf(dir, content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(contentOf(dir, content), bytes.ToUpper(content), 0o600); err != nil {
		t.Fatal(err)
	}
	found := inspect(t, s, id)
	if !found.Damaged || !mark(t, s, id, 9, found) {
		t.Fatalf("Inspect() = %+v, want that it is damaged", found)
	}
	wantState(t, s, id, model.Damaged, "")
	h := header(content)
	h.UploadID, h.Name = "another-upload-id", "copy.mp4"
	if got := receive(t, s, h, content); got.Existed {
		t.Errorf("Receive() = %+v, want that the damaged file is none", got)
	}
	wantState(t, s, id, model.Stored, "")
	if f, err := s.File(id); err != nil || f.Name != "trailer.mp4" {
		t.Errorf("File().Name = %q, %v, want that of the first sender", f.Name, err)
	}
	// Whoever checked the damaged content may finish its job only now. It may have seen the second upload's ticket too,
	// which is there before the content.
	if err := s.Finish(first); err != nil {
		t.Error(err)
	}
	again := jobs(t, s, 9)
	if len(again) != 2 {
		t.Fatalf("Pending() = %v, want a job from before the mended file was in its place and one from after", again)
	}
	mark(t, s, id, 9, inspect(t, s, id))
	wantState(t, s, id, model.Ready, "text/plain; charset=utf-8")
	for _, j := range again {
		if err := s.Finish(j); err != nil {
			t.Error(err)
		}
	}
	if got := jobs(t, s, 9); len(got) != 0 {
		t.Errorf("Pending() = %v after all jobs, want nothing", got)
	}
}

func age(t *testing.T, dir string) {
	t.Helper()
	for _, name := range leftovers(t, dir) {
		if err := os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Now().Add(-25*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
}

func sweep(t *testing.T, s *files.Store) int {
	t.Helper()
	n, err := s.Sweep(t.Context(), time.Now().Add(-24*time.Hour))
	if err != nil {
		t.Fatalf("Sweep() = %v", err)
	}
	return n
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	s := uploadtest.Open(t, dir)
	content, stored := text(5000), text(700)
	h := header(stored)
	h.UploadID = "the-upload-that-ended"
	receive(t, s, h, stored)
	breakAt(t, s, header(content), content[:2000])
	for _, name := range []string{"tmp/LEFTBEHIND", "pending/" + sum(content) + ".nothing"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n := sweep(t, s); n != 0 {
		t.Errorf("Sweep() of what is new = %d, want 0", n)
	}
	age(t, dir)
	asked := func(func([]byte, error) bool) { // somebody sends it, so slowly that it looks old
		age(t, dir)
		if n := sweep(t, uploadtest.Open(t, dir)); n != 3 {
			t.Errorf("Sweep() beside a stream = %d, want 3: a record, a temporary file, a ticket", n)
		}
	}
	if _, err := s.Receive(t.Context(), header(content), asked); err == nil {
		t.Error("Receive() of too little = no error")
	}
	age(t, dir)
	for sweep(t, s) > 0 { // the bytes, then their record
		continue
	}
	if left := leftovers(t, dir); len(left) != 1 || !strings.HasPrefix(left[0], "pending/"+sum(stored)) {
		t.Errorf("left are %v, want the ticket of the file that is to be checked", left)
	}
	wantState(t, s, idOf(stored), model.Stored, "")
	mark(t, s, idOf(stored), 3, model.Finding{})
	sweep(t, s)
	wantNothingLeft(t, dir)
}
