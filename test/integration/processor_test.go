//go:build integration

package integration_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"movieexample.com/fleet/test/parts"
)

// takeover is the longest that a lock rests: twice the session's life, the lock-delay, a retry, and a busy machine.
const takeover = 90 * time.Second

func (p *program) holdsLock(t *testing.T) bool {
	t.Helper()
	return p.metric(t, `lock_held{lock="processor/0"`) == 1
}

func (p *program) wantLock(t *testing.T, held bool) {
	t.Helper()
	within(t, takeover, func() error {
		if got := p.holdsLock(t); got != held {
			return fmt.Errorf("holds the lock = %v, want %v", got, held)
		}
		return nil
	})
}

// upload sends a file to the instance.
func (p *program) upload(t *testing.T, file, id string) {
	t.Helper()
	client := launch(t, "uploadclient", "", "", "--target", p.api, file)
	select {
	case <-client.done:
	case <-time.After(2 * time.Minute):
		_ = client.cmd.Process.Kill()
		<-client.done
	}
	if client.err != nil || client.log.String() != id+"\n" {
		t.Fatalf("uploadclient = %v, %s, want the id %s", client.err, &client.log, id)
	}
}

// readsAFile tells whether the process has a content open.
func (p *program) readsAFile() bool {
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	entries, _ := os.ReadDir(dir) // none of a process that has ended
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		target, _ := os.Readlink(filepath.Join(dir, e.Name()))
		return strings.HasSuffix(target, "/content")
	})
}

// marks are the indexes of the lock in the marks of a file.
func marks(t *testing.T, dir, id string) []int {
	t.Helper()
	sum := strings.TrimPrefix(id, "sha256-")
	names, err := filepath.Glob(filepath.Join(dir, "files", sum[:2], sum, "mark-*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var indexes []int
	for _, name := range names {
		var index int
		if _, err := fmt.Sscanf(filepath.Base(name), "mark-%d.json", &index); err != nil {
			t.Fatal(err)
		}
		indexes = append(indexes, index)
	}
	return indexes
}

// Two instances, one volume, one Consul: one of them checks, whatever happens to it.
func TestOneInstanceChecksFiles(t *testing.T) {
	const size = 512 << 20
	consul := parts.StartConsul(t)
	dir := t.TempDir()
	settings := fmt.Sprintf("discovery: {kind: consul, name: movies-movie}\nfiles: {path: %s}\n", dir)
	binding := consul.Binding(t)
	holder, other := movieAt(t, nil, settings, binding), movieAt(t, nil, settings, binding)
	within(t, takeover, func() error {
		if holder.holdsLock(t) == other.holdsLock(t) {
			return errors.New("both have the lock, or none")
		}
		return nil
	})
	if other.holdsLock(t) {
		holder, other = other, holder
	}

	// The holder is paused in the middle of a check.
	first, firstID := bigFile(t, "first", size)
	paused := make(chan error, 1)
	go func(p *program) {
		for p.running() && !p.readsAFile() {
			time.Sleep(time.Millisecond)
		}
		paused <- p.cmd.Process.Signal(syscall.SIGSTOP)
	}(holder)
	other.upload(t, first, firstID)
	if err := <-paused; err != nil {
		t.Fatal(err)
	}
	other.wantFile(t, firstID, size, takeover)
	marked := marks(t, dir, firstID)
	if len(marked) != 1 || marked[0] < 2 || !other.holdsLock(t) {
		t.Fatalf("marks of the file = %v, want one of the second holder", marked)
	}
	if err := holder.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	holder.wantLock(t, false) // its work has ended by then
	if got := marks(t, dir, firstID); !slices.Equal(got, marked) {
		t.Errorf("marks after the late holder woke = %v, want %v as before", got, marked)
	}
	if !strings.Contains(holder.log.String(), "Lost the lock") {
		t.Error("the late holder's log does not say that it lost the lock")
	}
	holder, other = other, holder

	// The session is ended by somebody.
	client := consul.Client(t)
	pair, _, err := client.KV().Get("locks/movies-movie/processor/0", nil)
	if err != nil || pair == nil || pair.Session == "" {
		t.Fatalf("the lock in Consul = %v, %v, want it held", pair, err)
	}
	if _, err := client.Session().Destroy(pair.Session, nil); err != nil {
		t.Fatal(err)
	}
	holder.wantLock(t, false)
	small, smallID := bigFile(t, "second", 1000)
	other.upload(t, small, smallID)
	other.wantFile(t, smallID, 1000, takeover)
	if got := marks(t, dir, smallID); len(got) != 1 || got[0] <= marked[0] {
		t.Errorf("marks of the next file = %v, want one above %d", got, marked[0])
	}

	// The holder is killed.
	if other.holdsLock(t) {
		holder, other = other, holder
	}
	if err := holder.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-holder.done
	other.wantLock(t, true)

	// Consul goes away, and comes back empty. Files are taken all the time.
	consul.Stop(t)
	third, thirdID := bigFile(t, "third", 2000)
	other.upload(t, third, thirdID)
	other.wantLock(t, false)
	consul.Start(t)
	other.wantFile(t, thirdID, 2000, takeover)
}
