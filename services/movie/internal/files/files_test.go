package files_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/files"
	"movieexample.com/fleet/services/movie/internal/model"
	"movieexample.com/fleet/services/movie/internal/uploadtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const uploadID = "0123456789abcdef"

var errCut = errors.New("the stream was cut")

func sum(content []byte) string {
	s := sha256.Sum256(content)
	return hex.EncodeToString(s[:])
}

func idOf(content []byte) string { return "sha256-" + sum(content) }

func text(size int) []byte { return bytes.Repeat([]byte("The quick brown fox. "), size/21+1)[:size] }

func header(content []byte) model.Header {
	return model.Header{UploadID: uploadID, Name: "trailer.mp4", Size: int64(len(content))}
}

// pieces are the chunks of a content, and then an error, nil for none.
func pieces(content []byte, end error) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for at := 0; at < len(content); at += 1000 {
			if !yield(content[at:min(at+1000, len(content))], nil) {
				return
			}
		}
		if end != nil {
			yield(nil, end)
		}
	}
}

func receive(t *testing.T, s *files.Store, h model.Header, content []byte) model.Receipt {
	t.Helper()
	receipt, err := s.Receive(t.Context(), h, pieces(content, nil))
	if err != nil {
		t.Fatalf("Receive(%+v) = %v, want no error", h, err)
	}
	return receipt
}

// breakAt sends some of a content and breaks.
func breakAt(t *testing.T, s *files.Store, h model.Header, some []byte) {
	t.Helper()
	if _, err := s.Receive(t.Context(), h, pieces(some, errCut)); !errors.Is(err, model.ErrInterrupted) || !errors.Is(err, errCut) {
		t.Fatalf("Receive of a stream that breaks = %v, want ErrInterrupted and its cause", err)
	}
}

func wantUpload(t *testing.T, s *files.Store, want model.Upload) {
	t.Helper()
	got, err := s.Upload(uploadID)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Upload() = error %v (-want +got):\n%s", err, diff)
	}
}

// leftovers are the names of files that are no contents.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	for _, sub := range []string{"uploads", "tmp", "pending"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, sub+"/"+e.Name())
		}
	}
	return names
}

func wantNothingLeft(t *testing.T, dir string) {
	t.Helper()
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v, want nothing", left)
	}
}

func TestReceive(t *testing.T) {
	for name, size := range map[string]int{"empty": 0, "a byte": 1, "one chunk": 1000, "many chunks": 123_456} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := uploadtest.Open(t, dir)
			content := text(size)
			h := header(content)
			h.SHA256 = sum(content)
			want := model.Receipt{FileID: idOf(content), SHA256: sum(content), Size: int64(size)}
			if diff := cmp.Diff(want, receive(t, s, h, content)); diff != "" {
				t.Errorf("Receive() (-want +got):\n%s", diff)
			}
			wantUpload(t, s, model.Upload{Size: int64(size), Offset: int64(size), FileID: want.FileID})
			file, err := s.File(want.FileID)
			wantFile := model.File{ID: want.FileID, SHA256: want.SHA256, Size: want.Size, Name: "trailer.mp4", State: model.Stored}
			if diff := cmp.Diff(wantFile, file, cmpopts.IgnoreFields(model.File{}, "CreateTime")); diff != "" || err != nil || file.CreateTime.IsZero() {
				t.Errorf("File() = error %v, time %v (-want +got):\n%s", err, file.CreateTime, diff)
			}
			stored, err := os.ReadFile(contentOf(dir, content))
			if !bytes.Equal(stored, content) || err != nil {
				t.Errorf("stored are %d other bytes, %v", len(stored), err)
			}
		})
	}
}

func contentOf(dir string, content []byte) string {
	return filepath.Join(dir, "files", sum(content)[:2], sum(content), "content")
}

func TestSameContentTwiceIsOneFile(t *testing.T) {
	dir := t.TempDir()
	s := uploadtest.Open(t, dir)
	content := text(5000)
	receive(t, s, header(content), content)
	before, err := os.Stat(contentOf(dir, content))
	if err != nil {
		t.Fatal(err)
	}
	again := receive(t, s, model.Header{UploadID: "another-upload-id", Name: "copy.mp4", Size: 5000}, content)
	after, err := os.Stat(contentOf(dir, content))
	if err != nil || !again.Existed || again.FileID != idOf(content) || !os.SameFile(before, after) {
		t.Errorf("the second upload = %+v, %v, want the file of the first, untouched", again, err)
	}
	if f, err := s.File(again.FileID); err != nil || f.Name != "trailer.mp4" {
		t.Errorf("File().Name = %q, %v, want that of the first sender", f.Name, err)
	}
}

func TestABrokenUploadGoesOn(t *testing.T) {
	content := text(10_000)
	for name, offset := range map[string]int64{"where it ended": 6000, "before that": 2500, "from the start": 0} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := uploadtest.Open(t, dir)
			h := header(content)
			breakAt(t, s, h, content[:6000])
			wantUpload(t, s, model.Upload{Size: 10_000, Offset: 6000})
			if _, err := s.File(idOf(content)); problem.KindOf(err) != problem.NotFound {
				t.Errorf("File() of a broken upload = %v, want NotFound", err)
			}
			h.Offset = offset
			if got := receive(t, uploadtest.Open(t, dir), h, content[offset:]); got.FileID != idOf(content) || got.Existed {
				t.Errorf("Receive() of the rest = %+v, want %s, new", got, idOf(content))
			}
		})
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	content := text(10_000)
	for name, tc := range map[string]struct {
		change func(*model.Header)
		send   []byte
		kind   problem.Kind
		says   string
		keeps  int64 // -1: nothing is known of the upload any more
	}{
		"an offset beyond what is there": {func(h *model.Header) { h.Offset = 7000 }, content[7000:], problem.Aborted, "go on at 6000", 6000},
		"another name":                   {func(h *model.Header) { h.Name = "x" }, content, problem.Invalid, "choose a new one", 6000},
		"another size":                   {func(h *model.Header) { h.Size = 9000 }, content[:9000], problem.Invalid, "choose a new one", 6000},
		"too few bytes":                  {func(h *model.Header) { h.Offset = 6000 }, content[6000:9000], problem.Invalid, "ended after 9000 of 10000 bytes", 9000},
		"too many bytes":                 {func(h *model.Header) { h.Offset = 6000 }, content, problem.Invalid, "more came than the 10000 bytes", -1},
		"other bytes":                    {func(h *model.Header) { h.Offset = 6000 }, content[5999:9999], problem.Aborted, "begin again at 0", -1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := uploadtest.Open(t, dir)
			h := header(content)
			h.SHA256 = sum(content)
			breakAt(t, s, h, content[:6000])
			tc.change(&h)
			_, err := s.Receive(t.Context(), h, pieces(tc.send, nil))
			if problem.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("Receive() = %v, want kind %d with %q", err, tc.kind, tc.says)
			}
			if tc.keeps < 0 {
				wantNothingLeft(t, dir)
				return
			}
			wantUpload(t, s, model.Upload{Size: 10_000, Offset: tc.keeps})
		})
	}
}

func TestNothingIsLeftOfWhatNeverBegan(t *testing.T) {
	dir := t.TempDir()
	s := uploadtest.Open(t, dir)
	h := header(text(100))
	breakAt(t, s, h, nil)
	h.Offset = 50
	if _, err := s.Receive(t.Context(), h, pieces(nil, nil)); problem.KindOf(err) != problem.Aborted {
		t.Errorf("Receive() of an unknown upload's rest = %v, want Aborted", err)
	}
	wantNothingLeft(t, dir)
	if _, err := s.Upload(uploadID); problem.KindOf(err) != problem.NotFound {
		t.Errorf("Upload() = %v, want NotFound", err)
	}
}

// The service stored all and ended before the sender heard of it.
func TestAnAnswerThatWasLostIsGivenAgain(t *testing.T) {
	s := uploadtest.Open(t, t.TempDir())
	content := text(3000)
	receive(t, s, header(content), content)
	unread := func(func([]byte, error) bool) { t.Error("the content was read again") }
	got, err := s.Receive(t.Context(), header(content), unread)
	if err != nil || got.FileID != idOf(content) || !got.Existed {
		t.Errorf("Receive() = %+v, %v, want the stored file", got, err)
	}
}

// The process ended after the record named the file, and before the content was in its place.
func TestACrashBeforeTheLastStep(t *testing.T) {
	dir := t.TempDir()
	s := uploadtest.Open(t, dir)
	content := text(3000)
	receive(t, s, header(content), content)
	parts, err := filepath.Glob(filepath.Join(dir, "uploads", "*.json"))
	if err != nil || len(parts) != 1 {
		t.Fatalf("records = %v, %v, want one", parts, err)
	}
	if err := os.Rename(contentOf(dir, content), strings.TrimSuffix(parts[0], ".json")+".part"); err != nil {
		t.Fatal(err)
	}
	wantUpload(t, s, model.Upload{Size: 3000, Offset: 3000})
	h := header(content)
	h.Offset = 3000
	if got := receive(t, s, h, nil); got.FileID != idOf(content) {
		t.Errorf("Receive() of nothing more = %+v, want the file", got)
	}
}

// A crash of the machine may take bytes that were not on the disk yet, or leave zeros in their place.
func TestBytesThatACrashDamagedAreNotStored(t *testing.T) {
	dir := t.TempDir()
	s := uploadtest.Open(t, dir)
	content := text(8000)
	h := header(content)
	h.SHA256 = sum(content)
	breakAt(t, s, h, content[:6000])
	parts, err := filepath.Glob(filepath.Join(dir, "uploads", "*.part"))
	if err != nil || len(parts) != 1 {
		t.Fatalf("parts = %v, %v, want one", parts, err)
	}
	if err := os.WriteFile(parts[0], append(make([]byte, 1000), content[1000:6000]...), 0); err != nil {
		t.Fatal(err)
	}
	h.Offset = 6000
	if _, err := s.Receive(t.Context(), h, pieces(content[6000:], nil)); problem.KindOf(err) != problem.Aborted {
		t.Errorf("Receive() = %v, want Aborted", err)
	}
	wantNothingLeft(t, dir)
}

func TestTwoStreamsOfOneUpload(t *testing.T) {
	dir := t.TempDir()
	one, other := uploadtest.Open(t, dir), uploadtest.Open(t, dir) // as two instances
	content := text(4000)
	asked := func(yield func([]byte, error) bool) {
		if !yield(content[:2000], nil) {
			return
		}
		_, err := other.Receive(t.Context(), header(content), pieces(content, nil))
		if problem.KindOf(err) != problem.Aborted || !strings.Contains(err.Error(), "another stream") {
			t.Errorf("Receive() beside another stream = %v, want Aborted", err)
		}
		wantUpload(t, other, model.Upload{Size: 4000, Offset: 2000})
		yield(content[2000:], nil)
	}
	if got, err := one.Receive(t.Context(), header(content), asked); err != nil || got.FileID != idOf(content) {
		t.Errorf("Receive() = %+v, %v, want the file", got, err)
	}
}

func TestManyInstancesSendOneContent(t *testing.T) {
	dir := t.TempDir()
	content := text(50_000)
	done := make(chan error, 8)
	for i := range cap(done) {
		s := uploadtest.Open(t, dir)
		go func() {
			h := header(content)
			h.UploadID += string(rune('a' + i))
			got, err := s.Receive(context.Background(), h, pieces(content, nil))
			if err == nil && got.FileID != idOf(content) {
				err = errors.New("got " + got.FileID)
			}
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Errorf("Receive() = %v, want no error", err)
		}
	}
	found := 0
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if d.Name() == "content" {
			found++
		}
		return err
	})
	if stored, readErr := os.ReadFile(contentOf(dir, content)); found != 1 || err != nil || readErr != nil || !bytes.Equal(stored, content) {
		t.Errorf("%d contents, %v, %v, want one and the right one", found, err, readErr)
	}
}

func TestOpenNeedsADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ path, says string }{
		"nothing there":   {file + "-not", "create it, or mount the volume there"},
		"no directory":    {file, "create it, or mount the volume there"},
		"cannot be used":  {"/proc", "cannot be used"},
		"an empty string": {"", "create it"},
	} {
		if _, err := files.Open(tc.path, time.Now); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: Open(%q) = %v, want an error with %q", name, tc.path, err, tc.says)
		}
	}
}
