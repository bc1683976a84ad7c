package binding_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"movieexample.com/fleet/services/internal/binding"
)

// mount lays a binding out as the kubelet does: keys are links into ..data, which is a link to a directory.
func mount(t *testing.T, dir string, keys map[string]string) {
	t.Helper()
	for key := range keys {
		if err := os.Symlink(filepath.Join("..data", key), filepath.Join(dir, key)); err != nil {
			t.Fatal(err)
		}
	}
}

// swap moves ..data to a new directory and removes the old one.
func swap(t *testing.T, dir, version string, keys map[string]string) {
	t.Helper()
	link := filepath.Join(dir, "..data")
	old, _ := os.Readlink(link) // none at first
	if err := os.Mkdir(filepath.Join(dir, version), 0o750); err != nil {
		t.Fatal(err)
	}
	for key, value := range keys {
		if err := os.WriteFile(filepath.Join(dir, version, key), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(version, link+"_tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+"_tmp", link); err != nil {
		t.Fatal(err)
	}
	if old != "" {
		if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnUpdateIsReadWholeOrNotAtAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mysql")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	at := func(i int) map[string]string {
		n := strconv.Itoa(i)
		return mysqlKeys(map[string]string{"username": "user" + n, "password": "password" + n})
	}
	swap(t, dir, "..0", at(0))
	mount(t, dir, at(0))
	done, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		for !closed(done) {
			got, err := binding.ReadMySQL(dir)
			if err != nil || strings.TrimPrefix(got.Username, "user") != strings.TrimPrefix(got.Password, "password") {
				t.Errorf("ReadMySQL during updates = %s with password %s, %v, want both from one update", got.Username, got.Password, err)
				return
			}
		}
	}()
	for i := 1; i <= 300; i++ {
		swap(t, dir, ".."+strconv.Itoa(i), at(i))
	}
	close(done)
	<-read
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
