package app

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"movieexample.com/fleet/test/ports"
)

func TestLevelFollowsTheFile(t *testing.T) {
	// As a ConfigMap is mounted: the file is a link into a directory that is exchanged.
	dir := t.TempDir()
	write(t, filepath.Join(dir, "v1", "rating.yaml"), "log: {level: info}\n")
	write(t, filepath.Join(dir, "v2", "rating.yaml"), "log: {level: debug}\nlimits: {maxInFlight: 7}\n")
	write(t, filepath.Join(dir, "v3", "rating.yaml"), "log: {level: loud}\n")
	point := func(version string) {
		t.Helper()
		next := filepath.Join(dir, "..next")
		if err := os.Symlink(version, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	point("v1")
	r := launch(t, program(fine, always()), "--config", filepath.Join(dir, "..data", "rating.yaml"), "--port", "0", "--shutdown.propagation", "0s")
	point("v2")
	r.until(t, "the new level is in force", func() bool { return r.logged(`"msg":"Log level changed"`) })
	r.until(t, "what needs a restart is named", func() bool { return r.logged(`"settings":"limits.maxInFlight"`) })
	point("v3")
	r.until(t, "mistakes are told", func() bool { return r.logged(`log.level: \"loud\" is not one of`) })
	r.signals <- syscall.SIGTERM
	<-r.exit
	if !r.logged(`"msg":"Stopped a part"`) {
		t.Error("no debug record after the level became debug, want those of the stop: the mistakes changed nothing")
	}
}

func TestProfiles(t *testing.T) {
	port := strconv.Itoa(ports.Free(t))
	r := launch(t, program(fine, always()), "--port", "0", "--admin.pprofPort", port, "--shutdown.propagation", "0s")
	if code, body := r.get(t, "http://127.0.0.1:"+port+"/debug/pprof/goroutine?debug=1"); code != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("GET /debug/pprof/goroutine on loopback = %d %.80s, want a profile", code, body)
	}
	// 127.0.0.2 stands for every address but 127.0.0.1, as the pod's: what listens on all of them answers there.
	if code, body := r.get(t, "http://127.0.0.2:"+port+"/debug/pprof/"); code != 0 || !strings.Contains(body, "refused") {
		t.Errorf("GET /debug/pprof/ on another address = %d %.80s, want it refused", code, body)
	}
	for _, server := range []string{r.admin, r.rest} {
		if code, _ := r.get(t, server+"/debug/pprof/"); code != http.StatusNotFound {
			t.Errorf("GET %s/debug/pprof/ = %d, want 404", server, code)
		}
	}
	r.signals <- syscall.SIGTERM
	if code := <-r.exit; code != exitOK {
		t.Errorf("exit = %d, want 0; stderr: %s", code, r.stderr)
	}
}
