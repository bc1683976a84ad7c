package storage_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"movieexample.com/fleet/services/internal/storage"
)

const header = "-- phase: expand\n-- oldest-binary: 0\n-- +goose Up\n"

func files(named map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for name, text := range named {
		fs[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fs
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       string // part of the error, "" for none
	}{
		"good":             {"0001_a.sql", header + "CREATE TABLE a (id INT);", ""},
		"contract":         {"0002_a.sql", "-- phase: contract\n-- oldest-binary: 1\n-- +goose Up\nDROP TABLE a;", ""},
		"no version":       {"create.sql", header + "CREATE TABLE a (id INT);", "name it VERSION_what_it_does.sql"},
		"no phase":         {"0001_a.sql", "-- oldest-binary: 0\n-- +goose Up\nDROP TABLE a;", "wants the lines"},
		"unknown phase":    {"0001_a.sql", "-- phase: later\n-- oldest-binary: 0\nDROP TABLE a;", "wants the lines"},
		"no oldest":        {"0001_a.sql", "-- phase: expand\n-- +goose Up\nDROP TABLE a;", "wants the lines"},
		"two statements":   {"0001_a.sql", header + "DROP TABLE a; DROP TABLE b;", "has 2 statements"},
		"no statement":     {"0001_a.sql", header, "has 0 statements"},
		"newer than it is": {"0001_a.sql", "-- phase: expand\n-- oldest-binary: 2\nDROP TABLE a;", "newer than the migration"},
	} {
		t.Run(name, func(t *testing.T) {
			err := storage.Check(files(map[string]string{c.file: c.text}))
			if c.want == "" && err != nil {
				t.Errorf("Check = %v, want nil", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.file)) {
				t.Errorf("Check = %v, want an error that names %s and says %q", err, c.file, c.want)
			}
		})
	}
}

func TestLatest(t *testing.T) {
	got, err := storage.Latest(files(map[string]string{
		"0001_a.sql": header + "DROP TABLE a;", "0010_b.sql": header + "DROP TABLE b;", "0002_c.sql": header + "DROP TABLE c;",
	}))
	if err != nil || got != 10 {
		t.Errorf("Latest = %d, %v, want 10", got, err)
	}
}
