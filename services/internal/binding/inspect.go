package binding

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Key is one file of a binding, as a person may see it.
type Key struct {
	Binding string
	Name    string
	Shown   string // the value, or in its stead that there is one
	Path    string
}

// public are the keys that hold no secret. All others are masked, whatever they hold.
func public(key string) bool {
	return slices.Contains([]string{
		"type", "provider", "scheme", "host", "port", "username", "database",
		"bootstrap-servers", "security.protocol", "sasl.mechanism", "signing",
	}, key)
}

// Inspect lists the keys of all bindings below root, secrets masked.
func Inspect(root string) ([]Key, error) {
	names, err := list(root)
	if err != nil {
		return nil, err
	}
	var keys []Key
	for _, name := range names {
		files, err := readTogether(filepath.Join(root, name))
		if err != nil {
			return nil, fmt.Errorf("binding %q: %w", name, err)
		}
		for key, value := range files {
			shown := fmt.Sprintf("*** (%d bytes)", len(value))
			if public(key) {
				shown = (&reader{files: files}).optional(key)
			}
			keys = append(keys, Key{Binding: name, Name: key, Shown: shown, Path: filepath.Join(root, name, key)})
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.Path, b.Path) })
	return keys, nil
}

// Check reads the binding called name below root as the services do, and says all that is wrong with it. What is called
// otherwise than the services know is left alone.
func Check(root, name string) error {
	dir := filepath.Join(root, name)
	var err error
	switch name {
	case "mysql":
		_, err = ReadMySQL(dir)
	case "consul":
		_, err = ReadConsul(dir)
	case "kafka":
		_, err = ReadKafka(dir)
	case "redis":
		_, err = ReadRedis(dir)
	case "tls":
		_, err = ReadTLS(dir)
	case "auth-keys":
		_, err = ReadAuthKeys(dir)
	}
	return err
}

// CheckAll checks the bindings that are there and those that are needed.
func CheckAll(root string, needed []string) error {
	names, err := list(root)
	if err != nil {
		return err
	}
	names = append(names, needed...)
	slices.Sort(names)
	var errs []error
	for _, name := range slices.Compact(names) {
		errs = append(errs, Check(root, name))
	}
	return errors.Join(errs...)
}

func list(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("$%s cannot be read: %w", RootEnv, err)
	}
	var names []string
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(root, e.Name())) // follows links
		if err == nil && info.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
