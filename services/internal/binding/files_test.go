package binding_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/test/parts"
)

func TestAnUpdateIsReadWholeOrNotAtAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mysql")
	at := func(i int) map[string]string {
		n := strconv.Itoa(i)
		return mysqlKeys(map[string]string{"username": "user" + n, "password": "password" + n})
	}
	parts.MountBinding(t, dir, at(0))
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
		parts.MountBinding(t, dir, at(i))
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
