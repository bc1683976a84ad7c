package send_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"movieexample.com/fleet/services/movie/internal/send"
	"movieexample.com/fleet/services/movie/internal/uploadtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const size = 3<<20 + 17

// file is a file with content of its own in a directory of its own.
func file(t *testing.T) (*send.File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trailer.mp4")
	if err := os.WriteFile(path, bytes.Repeat([]byte("0123456789abcdef!"), size/17+1)[:size], 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, path, ""), path
}

func open(t *testing.T, path, name string) *send.File {
	t.Helper()
	f, err := send.Open(path, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func wantStored(t *testing.T, s *uploadtest.Server, f *send.File) {
	t.Helper()
	got, err := s.Store.File("sha256-" + f.SHA256)
	if err != nil || got.Size != f.Size || got.Name != "trailer.mp4" {
		t.Errorf("stored is %+v, %v, want the file", got, err)
	}
}

func TestSend(t *testing.T) {
	s := uploadtest.Serve(t, t.TempDir(), uploadtest.Options{})
	f, _ := file(t)
	var told []int64
	sender := send.Sender{Movies: uploadtest.Client(t, s.Address), Patience: time.Minute, Progress: func(n int64) { told = append(told, n) }}
	answer, err := sender.Send(t.Context(), f)
	if err != nil || answer.GetFileId() != "sha256-"+f.SHA256 {
		t.Fatalf("Send() = %v, %v, want the file's id", answer, err)
	}
	wantStored(t, s, f)
	if len(told) != size/65536+1 || told[0] != 65536 || told[len(told)-1] != size {
		t.Errorf("progress = %d times, %v, want it for each chunk, up to %d", len(told), told, size)
	}
	told = nil
	if answer, err := sender.Send(t.Context(), f); err != nil || answer.GetFileId() != "sha256-"+f.SHA256 || len(told) > 0 {
		t.Errorf("Send() again = %v, %v, progress %v, want the same answer and nothing sent", answer, err, told)
	}
}

func TestSendGoesOnAfterBreaks(t *testing.T) {
	s := uploadtest.Serve(t, t.TempDir(), uploadtest.Options{})
	cutter := uploadtest.NewCutter(t, s.Address, 0, 500_000, 1_000_000, 700_000)
	f, _ := file(t)
	var broken []error
	var total, last int64
	sender := send.Sender{
		Movies: uploadtest.Client(t, cutter.Address), Patience: time.Minute,
		Broken: func(err error, _ time.Duration) { broken = append(broken, err) },
		Progress: func(n int64) {
			if n > last {
				total += n - last
			} else {
				total += 65536 // sent again
			}
			last = n
		},
	}
	if _, err := sender.Send(t.Context(), f); err != nil {
		t.Fatalf("Send() = %v, want that it goes on; broken: %v", err, broken)
	}
	wantStored(t, s, f)
	if len(broken) == 0 {
		t.Error("nobody was told of a break")
	}
	if total > 2*size {
		t.Errorf("%d bytes were sent for %d, want that it goes on where it ended", total, size)
	}
}

// The second run of a program finds what the first has sent.
func TestSendGoesOnInAnotherRun(t *testing.T) {
	dir := t.TempDir()
	s := uploadtest.Serve(t, dir, uploadtest.Options{})
	f, path := file(t)
	ctx, cancel := context.WithCancel(t.Context())
	first := send.Sender{Movies: uploadtest.Client(t, s.Address), Patience: time.Minute, Progress: func(n int64) {
		if n > size/2 {
			cancel()
		}
	}}
	if _, err := first.Send(ctx, f); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the same command goes on") {
		t.Fatalf("Send() = %v, want that it was interrupted", err)
	}
	s.Stop()
	s = uploadtest.Serve(t, dir, uploadtest.Options{}) // another instance
	from := int64(-1)
	second := send.Sender{Movies: uploadtest.Client(t, s.Address), Patience: time.Minute, Progress: func(n int64) {
		if from < 0 {
			from = n
		}
	}}
	if _, err := second.Send(t.Context(), open(t, path, "")); err != nil {
		t.Fatalf("Send() = %v", err)
	}
	wantStored(t, s, f)
	if from <= 65536 {
		t.Errorf("the second run began at %d, want where the first ended", from-65536)
	}
	if other := open(t, path, "other.mp4"); other.UploadID == f.UploadID {
		t.Error("the same upload id for another name, want another")
	}
}

func TestSendGivesUp(t *testing.T) {
	full := uploadtest.Serve(t, t.TempDir(), uploadtest.Options{MaxSize: 1000})
	nowhere := uploadtest.Serve(t, "", uploadtest.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	away := l.Addr().String()
	_ = l.Close()
	for name, tc := range map[string]struct {
		address string
		says    string
	}{
		"too large":              {full.Address, "at most 1000 are allowed (files.maxSize) (ResourceExhausted)"},
		"no place for files":     {nowhere.Address, "set files.path"},
		"nobody answers":         {away, "nothing got through for 300ms; the same command goes on where this one ended: "},
		"nobody answers, reason": {away, "(Unavailable)"},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := file(t)
			sender := send.Sender{Movies: uploadtest.Client(t, tc.address), Patience: 300 * time.Millisecond}
			_, err := sender.Send(t.Context(), f)
			if err == nil || !strings.Contains(send.Reason(err), tc.says) || strings.Contains(send.Reason(err), "rpc error") {
				t.Errorf("Send() = %v, want %q", err, tc.says)
			}
		})
	}
}

func TestAFileThatSomebodyWritesTo(t *testing.T) {
	s := uploadtest.Serve(t, t.TempDir(), uploadtest.Options{})
	f, path := file(t)
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	sender := send.Sender{Movies: uploadtest.Client(t, s.Address), Patience: time.Minute}
	if _, err := sender.Send(t.Context(), f); err == nil || !strings.Contains(err.Error(), "does somebody write to the file") {
		t.Errorf("Send() = %v, want that the file changes", err)
	}
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := sender.Send(t.Context(), f); err == nil || !strings.Contains(err.Error(), "cannot be read at 100") {
		t.Errorf("Send() of a file that became shorter = %v, want where it ends", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for path, says := range map[string]string{t.TempDir(): "is no regular file", "/does/not/exist": "no such file"} {
		if _, err := send.Open(path, ""); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Open(%s) = %v, want %q", path, err, says)
		}
	}
}

func TestAnAnswerForOtherBytes(t *testing.T) {
	s := uploadtest.Serve(t, t.TempDir(), uploadtest.Options{})
	f, _ := file(t)
	right := f.SHA256
	f.SHA256 = "" // not announced, so that the service cannot notice
	sender := send.Sender{Movies: uploadtest.Client(t, s.Address), Patience: time.Minute}
	if _, err := sender.Send(t.Context(), f); err == nil || !strings.Contains(err.Error(), right) {
		t.Errorf("Send() = %v, want that other bytes are stored", err)
	}
}
