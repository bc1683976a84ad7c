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

// pauseInAFile stops the process while it has a content open, if it is seen before the file has a mark.
func (p *program) pauseInAFile(marks string) error {
	for p.running() && !p.readsAFile() {
		if found, err := filepath.Glob(marks); err != nil || len(found) > 0 {
			return errors.Join(err, fmt.Errorf("the check was over before it was seen: marks %v", found))
		}
		time.Sleep(time.Millisecond) // nobody tells what another process opens
	}
	return p.cmd.Process.Signal(syscall.SIGSTOP)
}

// markFiles matches the marks of a file.
func markFiles(dir, id string) string {
	sum := strings.TrimPrefix(id, "sha256-")
	return filepath.Join(dir, "files", sum[:2], sum, "mark-*.json")
}

// marks are the indexes of the lock in the marks of a file.
func marks(t *testing.T, dir, id string) []int {
	t.Helper()
	names, err := filepath.Glob(markFiles(dir, id))
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

// pair are two instances with one volume and one Consul.
type pair struct {
	holder, other *program // of the lock
	consul        *parts.Consul
	dir           string
}

// Two instances, one volume, one Consul: one of them checks, whatever happens to it.
func TestOneInstanceChecksFiles(t *testing.T) {
	t.Parallel()
	p := pair{consul: parts.StartConsul(t), dir: t.TempDir()}
	settings := fmt.Sprintf("discovery: {kind: consul, name: movies-movie}\nfiles: {path: %s}\n", p.dir)
	binding := p.consul.Binding(t)
	p.holder, p.other = movieAt(t, nil, settings, binding), movieAt(t, nil, settings, binding)
	within(t, takeover, func() error {
		if p.holder.holdsLock(t) == p.other.holdsLock(t) {
			return errors.New("both have the lock, or none")
		}
		return nil
	})
	p.order(t)
	index := p.pauseInACheck(t)
	p.endSession(t, index)
	p.killHolder(t)
	p.emptyConsul(t)
}

// order lets holder be who has the lock.
func (p *pair) order(t *testing.T) {
	t.Helper()
	if p.other.holdsLock(t) {
		p.holder, p.other = p.other, p.holder
	}
}

// pauseInACheck: a holder that sleeps through its lock wakes and changes nothing. It returns the index in the other's mark.
func (p *pair) pauseInACheck(t *testing.T) (index int) {
	t.Helper()
	const size = 512 << 20
	file, id := bigFile(t, "first", size)
	paused := make(chan error, 1)
	go func(holder *program) { paused <- holder.pauseInAFile(markFiles(p.dir, id)) }(p.holder)
	p.other.upload(t, file, id)
	if err := <-paused; err != nil {
		t.Fatal(err)
	}
	p.other.wantFile(t, id, size, takeover)
	marked := marks(t, p.dir, id)
	if len(marked) != 1 || marked[0] < 2 || !p.other.holdsLock(t) {
		t.Fatalf("marks of the file = %v, want one of the second holder", marked)
	}
	if err := p.holder.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	p.holder.wantLock(t, false) // its work has ended by then
	if got := marks(t, p.dir, id); !slices.Equal(got, marked) {
		t.Errorf("marks after the late holder woke = %v, want %v as before", got, marked)
	}
	eventually(t, func() error { // it gives back what it can before it tells
		if !strings.Contains(p.holder.log.String(), "Lost the lock") {
			return errors.New("the late holder's log does not say that it lost the lock")
		}
		return nil
	})
	p.holder, p.other = p.other, p.holder
	return marked[0]
}

// endSession: somebody ends the holder's session in Consul; the next mark is above those before.
func (p *pair) endSession(t *testing.T, index int) {
	t.Helper()
	client := p.consul.Client(t)
	key, _, err := client.KV().Get("locks/movies-movie/processor/0", nil)
	if err != nil || key == nil || key.Session == "" {
		t.Fatalf("the lock in Consul = %v, %v, want it held", key, err)
	}
	if _, err := client.Session().Destroy(key.Session, nil); err != nil {
		t.Fatal(err)
	}
	p.holder.wantLock(t, false)
	file, id := bigFile(t, "second", 1000)
	p.other.upload(t, file, id)
	p.other.wantFile(t, id, 1000, takeover)
	if got := marks(t, p.dir, id); len(got) != 1 || got[0] <= index {
		t.Errorf("marks of the next file = %v, want one above %d", got, index)
	}
}

func (p *pair) killHolder(t *testing.T) {
	t.Helper()
	p.order(t)
	if err := p.holder.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.holder.done
	p.other.wantLock(t, true)
}

// emptyConsul: Consul goes away, and comes back empty; files are taken all the time.
func (p *pair) emptyConsul(t *testing.T) {
	t.Helper()
	p.consul.Stop(t)
	file, id := bigFile(t, "third", 2000)
	p.other.upload(t, file, id)
	p.other.wantLock(t, false)
	p.consul.Start(t)
	p.other.wantFile(t, id, 2000, takeover)
}
