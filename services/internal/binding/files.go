package binding

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// swapLink is where Kubernetes keeps the files of a mounted Secret: the keys are links into it, and an update moves it to
// another directory in one step, then removes the old one.
const swapLink = "..data"

// maxFile bounds a key; a Secret as a whole has at most 1 MiB.
const maxFile = 1 << 20

// readTogether reads all files of a directory as they are at one moment, as far as that can be had: an update by
// Kubernetes in between starts the reading anew, so that a new user name never goes with the old password.
func readTogether(dir string) (map[string]string, error) {
	for {
		before := target(dir)
		files, err := readAll(dir)
		if target(dir) == before {
			return files, err
		}
	}
}

// target is where the link points to, or "" for a directory that people fill.
func target(dir string) string {
	to, err := os.Readlink(filepath.Join(dir, swapLink))
	if err != nil {
		return ""
	}
	return to
}

func readAll(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path) // follows links
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() || info.Size() > maxFile {
			continue // Kubernetes' own directories, and nothing that could be a key
		}
		text, err := os.ReadFile(path) //nolint:gosec // the directory is the operator's
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[e.Name()] = string(text)
	}
	return files, nil
}
