//go:build integration

package files_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/uploadtest"
)

// smallVolume names the variable with the directory where the test's second process mounts a volume of 1 MiB.
const smallVolume = "FLEET_TEST_SMALL_VOLUME"

// A real full file system. Mounting one needs namespaces of the test's own, so the rest runs in a second process.
func TestAFullVolume(t *testing.T) {
	if dir := os.Getenv(smallVolume); dir != "" {
		onSmallVolume(t, dir)
		return
	}
	self := exec.Command("/proc/self/exe", "-test.run=^TestAFullVolume$", "-test.v")
	self.Env = append(os.Environ(), smallVolume+"="+t.TempDir())
	self.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	out, err := self.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestAFullVolume") {
		t.Errorf("the second process = %v:\n%s", err, out)
	}
}

func onSmallVolume(t *testing.T, dir string) {
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	s := uploadtest.Open(t, dir)
	large, small := text(2<<20), text(300_000)
	_, err := s.Receive(t.Context(), header(large), pieces(large, nil))
	if problem.KindOf(err) != problem.Exhausted || !strings.Contains(err.Error(), "the volume for files is full") {
		t.Errorf("Receive() = %v, want Exhausted and that the volume is full", err)
	}
	wantNothingLeft(t, dir)
	h := header(small)
	h.UploadID = "another-upload-id"
	if got := receive(t, s, h, small); got.FileID != idOf(small) {
		t.Errorf("Receive() of what fits = %+v, want it stored", got)
	}
	// Not even an empty file fits.
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = filler.Write(block)
	}
	_ = filler.Close()
	if _, err := s.Receive(t.Context(), header(large), pieces(large, nil)); problem.KindOf(err) != problem.Exhausted {
		t.Errorf("Receive() on a volume without a byte = %v, want Exhausted", err)
	}
}
