package parts

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// MountBinding lays a binding out as the kubelet does, or brings it up to date as the kubelet does: each key is a link
// into ..data, which is a link that moves to a new directory in one step; then the old directory goes.
func MountBinding(tb testing.TB, dir string, keys map[string]string) {
	tb.Helper()
	if err := mount(dir, keys); err != nil {
		tb.Fatal(err)
	}
}

func mount(dir string, keys map[string]string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	version, err := os.MkdirTemp(dir, "..")
	if err != nil {
		return err
	}
	var errs []error
	for key, value := range keys {
		errs = append(errs, os.WriteFile(filepath.Join(version, key), []byte(value), 0o600))
		if _, err := os.Lstat(filepath.Join(dir, key)); errors.Is(err, os.ErrNotExist) {
			errs = append(errs, os.Symlink(filepath.Join("..data", key), filepath.Join(dir, key)))
		}
	}
	link := filepath.Join(dir, "..data")
	old, err := os.Readlink(link)
	errs = append(errs, os.Symlink(filepath.Base(version), link+"_tmp"), os.Rename(link+"_tmp", link))
	if err == nil {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, old)))
	}
	return errors.Join(errs...)
}
