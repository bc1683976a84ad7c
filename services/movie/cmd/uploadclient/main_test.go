package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"movieexample.com/fleet/services/movie/internal/uploadtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trailer.mp4")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 300_000), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUpload(t *testing.T) {
	s := uploadtest.Serve(t, t.TempDir(), uploadtest.Options{})
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{"--target", s.Address, "--name", "other.mp4", newFile(t)}, &stdout, &stderr)
	id := strings.TrimSpace(stdout.String())
	f, err := s.Store.File(id)
	if code != 0 || err != nil || f.Size != 300_000 || f.Name != "other.mp4" || stderr.Len() > 0 {
		t.Errorf("exit = %d, stdout %q, stderr %q, stored %+v, %v; want 0, the id, nothing, the file", code, id, stderr.String(), f, err)
	}
}

func TestFailures(t *testing.T) {
	s := uploadtest.Serve(t, t.TempDir(), uploadtest.Options{MaxSize: 1000})
	file := newFile(t)
	for name, tc := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no file":           {nil, exitUsage, "name one file"},
		"two files":         {[]string{"a", "b"}, exitUsage, "name one file"},
		"unknown flag":      {[]string{"--tagret", "x", "a"}, exitUsage, "unknown flag: --tagret"},
		"no such CA":        {[]string{"--ca-file", "/does/not/exist", file}, exitUsage, "--ca-file: "},
		"no such token":     {[]string{"--token-file", "/does/not/exist", file}, exitUsage, "--token-file: "},
		"token without TLS": {[]string{"--token-file", file, "--target", "movie.example.com:8083", file}, exitUsage, "by TLS only"},
		"no such file":      {[]string{"/does/not/exist"}, exitFailed, "no such file"},
		"too large":         {[]string{"--target", s.Address, file}, exitFailed, "at most 1000 are allowed"},
		"a name with paths": {[]string{"--target", s.Address, "--name", "../x", file}, exitFailed, "header.name"},
		"nobody there":      {[]string{"--target", "127.0.0.1:1", "--patience", "10ms", file}, exitFailed, "the same command goes on"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			code := run(t.Context(), tc.args, &stdout, &stderr)
			last := strings.TrimSpace(stderr.String())
			last = last[strings.LastIndex(last, "\n")+1:]
			if code != tc.code || !strings.HasPrefix(last, "uploadclient: ") || !strings.Contains(last, tc.says) || stdout.Len() > 0 {
				t.Errorf("exit = %d, stdout %q, stderr %q, want %d and one sentence with %q", code, stdout.String(), stderr.String(), tc.code, tc.says)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr strings.Builder
	code := run(ctx, []string{"--target", "127.0.0.1:1", newFile(t)}, &stdout, &stderr)
	if code != exitFailed || !strings.Contains(stderr.String(), "interrupted; the same command goes on") {
		t.Errorf("exit = %d, stderr %q, want 1 and how to go on", code, stderr.String())
	}
}

func TestProgressOnATerminal(t *testing.T) {
	var out strings.Builder
	p := &progress{w: &out, terminal: true, size: 4 << 20, first: -1}
	p.show(1 << 20)
	p.show(2 << 20) // too soon
	p.broken(errors.New("connection reset"), time.Second)
	p.show(4 << 20)
	p.end()
	want := "\r\033[K 25 %  1.0 MiB of 4.0 MiB\nThe upload broke and goes on in 1s: connection reset\n\r\033[K100 %  4.0 MiB of 4.0 MiB"
	if got := out.String(); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "/s\n") {
		t.Errorf("progress = %q, want %q and a rate", got, want)
	}
}
