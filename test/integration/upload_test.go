//go:build integration

package integration_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	"movieexample.com/fleet/test/parts"
	"movieexample.com/fleet/test/ports"
)

// maxMemory is far below what is sent, and above what Go takes by itself.
const maxMemory = 128 << 20

// bigFile is a file of that size, with something in it, and the id that it must get.
func bigFile(t *testing.T, name string, size int64) (path, id string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < size; at += 10 << 20 {
		if _, err := f.WriteAt(fmt.Appendf(nil, "%s at %d", name, at), at); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		t.Fatal(err)
	}
	return path, "sha256-" + hex.EncodeToString(sum.Sum(nil))
}

// movieAt is an instance of movie that keeps files.
func movieAt(t *testing.T, before *program, settings, binding string) *program {
	t.Helper()
	return instanceAt(t, "movie", before, settings, binding)
}

// instanceAt is a ready instance on ports of its own or those of one before. Tests may kill it.
func instanceAt(t *testing.T, name string, before *program, settings, binding string) *program {
	t.Helper()
	ports := [3]int{ports.Free(t), ports.Free(t), ports.Free(t)}
	if before != nil {
		for i, address := range []string{before.api, before.rest, before.admin} {
			if _, err := fmt.Sscanf(address, "127.0.0.1:%d", &ports[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := launch(t, name, fmt.Sprintf("api: {port: %d}\nrest: {port: %d}\nadmin: {port: %d}\nshutdown: {propagation: 0s, deadline: 5s}\n%s",
		ports[0], ports[1], ports[2], settings), binding)
	p.api, p.rest, p.admin = loopback(ports[0]), loopback(ports[1]), loopback(ports[2])
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.wait(t) // a killed one has its own exit
	})
	p.wantReady(t)
	return p
}

// wantFile waits until the file is checked.
func (p *program) wantFile(t *testing.T, id string, size int64, limit time.Duration) {
	t.Helper()
	within(t, limit, func() error {
		got, err := request(t, "GET", "http://"+p.rest+"/v1/files/"+id, "")
		if err != nil || !strings.Contains(got.body, moviev1.FileState_FILE_STATE_READY.String()) || !strings.Contains(got.body, fmt.Sprintf("%q", fmt.Sprint(size))) {
			return fmt.Errorf("GET /v1/files/%s = %+v, %w, want it ready with %d bytes", id, got, err, size)
		}
		return nil
	})
}

func within(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %v", limit, err)
		}
	}
}

// peak is the most memory that a process has used.
func (p *program) peak(t *testing.T) int64 {
	t.Helper()
	bytes, err := p.highWater()
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// peakUntilDone waits for the end of a process, which it ends if it takes too long, and returns its peak as it was seen last.
// The usage that the kernel tells afterwards is no less than that of who started the process.
func (p *program) peakUntilDone(t *testing.T, limit time.Duration) (bytes int64) {
	t.Helper()
	late, look := time.After(limit), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-p.done:
			return bytes
		case <-late:
			_ = p.cmd.Process.Kill()
			<-p.done
			return bytes
		case <-look.C:
			if now, err := p.highWater(); err == nil { // else it has ended
				bytes = now
			}
		}
	}
}

// highWater is what a running process has used at most.
func (p *program) highWater() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	var kib int64
	_, err = fmt.Sscan(after, &kib)
	return kib << 10, err
}

// A gibibyte, over a connection that breaks and an instance that is killed in the middle.
func TestUploadOfAGibibyte(t *testing.T) {
	const size = 1 << 30
	file, id := bigFile(t, "trailer.mp4", size)
	dir := t.TempDir()
	settings := fmt.Sprintf("files: {path: %s}\n", dir)
	movie := movieAt(t, nil, settings, "")
	link := parts.StartLink(t, movie.api)
	stored := func() int64 {
		names, _ := filepath.Glob(filepath.Join(dir, "uploads", "*.part"))
		if len(names) == 0 {
			return 0
		}
		info, err := os.Stat(names[0])
		if err != nil {
			return 0
		}
		return info.Size()
	}
	reach := func(part int64) {
		t.Helper()
		within(t, 2*time.Minute, func() error {
			if n := stored(); n < part {
				return fmt.Errorf("%d bytes are there, want %d", n, part)
			}
			return nil
		})
	}
	client := launch(t, "uploadclient", "", "", "--target", link.Address, file)
	reach(size / 4)
	link.Cut()
	reach(size / 2)
	if err := movie.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-movie.done
	kept := stored()
	movie = movieAt(t, movie, settings, "")
	sender := client.peakUntilDone(t, 3*time.Minute)
	if client.err != nil || !strings.HasSuffix(client.log.String(), id+"\n") || strings.Count(client.log.String(), "The upload broke") < 2 {
		t.Fatalf("uploadclient = %v, %s, want two breaks and the id %s", client.err, &client.log, id)
	}
	movie.wantFile(t, id, size, time.Minute)
	sent, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", movie.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(sent), "wchar: ")
	var written int64
	if _, err := fmt.Sscan(after, &written); err != nil || written > size-kept+(64<<20) {
		t.Errorf("the second instance wrote %d bytes, %v, want the rest after %d only", written, err, kept)
	}
	t.Logf("peak memory: movie %d MiB, uploadclient %d MiB", movie.peak(t)>>20, sender>>20)
	if movie.peak(t) > maxMemory || sender > maxMemory || sender == 0 {
		t.Errorf("peak memory: movie %d, uploadclient %d bytes, want at most %d and some", movie.peak(t), sender, maxMemory)
	}
}

func TestUploadWithoutAVolume(t *testing.T) {
	movie := movieAt(t, nil, "", "")
	file, _ := bigFile(t, "small", 10)
	client := launch(t, "uploadclient", "", "", "--target", movie.api, file)
	if err := client.wait(t); err == nil || !strings.Contains(client.log.String(), "set files.path") {
		t.Errorf("uploadclient = %v, %s, want a failure and what to set", err, &client.log)
	}
	missing := launch(t, "movie", "files: {path: /does/not/exist}\n", "", "--port", "0")
	if err := missing.wait(t); missing.cmd.ProcessState.ExitCode() != 2 || !strings.Contains(missing.log.String(), "files.path: ") {
		t.Errorf("movie with a path that is not there = %v, %s, want exit code 2 and the setting", err, &missing.log)
	}
}

func TestUploadNeedsAnEditor(t *testing.T) {
	auth, _, _ := startAuth(t)
	ann, ben := auth.mustLogin(t, "ann@example.com", annsPassword), auth.mustLogin(t, "ben", bensPassword)
	movie := movieAt(t, nil, fmt.Sprintf("files: {path: %s}\n", t.TempDir())+jwtSettings(auth, ""), "")
	file, id := bigFile(t, "small", 100_000)
	for name, c := range map[string]struct {
		token string
		says  string // the whole output of an editor, a part of the others'
	}{
		"an editor": {ann, id + "\n"},
		"a user":    {ben, "code = PermissionDenied"},
		"nobody":    {"", "code = Unauthenticated"},
	} {
		args := []string{"--target", movie.api, file}
		if c.token != "" {
			path := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(path, []byte(c.token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--token-file", path)
		}
		client := launch(t, "uploadclient", "", "", args...)
		err := client.wait(t)
		if (err == nil) != (c.token == ann) || !strings.Contains(client.log.String(), c.says) {
			t.Errorf("uploadclient of %s = %v, %s, want %q", name, err, &client.log, c.says)
		}
	}
	wantDiscreet(t, []string{ann, ben}, movie)
}
