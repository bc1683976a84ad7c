package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ask runs a command of the program and returns its exit code and what it printed.
func ask(t *testing.T, p Program[settings], env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	code = run(t.Context(), p, args, process{
		lookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		stdout:    &out, stderr: &err, signals: make(chan os.Signal),
	})
	return code, out.String(), err.String()
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigShow(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "mysql", "host"), "db\n")
	write(t, filepath.Join(dir, "mysql", "password"), "hunter2")
	env := map[string]string{
		"FLEET_CONFIG":         write(t, filepath.Join(dir, "rating.yaml"), "api:\n  port: 9000\n"),
		"RATING_LOG_LEVEL":     "warn",
		"SERVICE_BINDING_ROOT": dir,
	}
	code, stdout, stderr := ask(t, program(fine, always()), env, "config", "show", "--rest.port", "9100")
	if code != exitOK || stderr != "" {
		t.Fatalf("config show = %d, %q, want 0", code, stderr)
	}
	for _, want := range [][]string{
		{"api.port", "9000", "rating.yaml line 2"},
		{"rest.port", "9100", "flag --rest.port"},
		{"log.level", "warn", "environment RATING_LOG_LEVEL"},
		{"shutdown.deadline", "8s", "default"},
		{"binding mysql/host", "db", filepath.Join(dir, "mysql", "host")},
		{"binding mysql/password", "*** (7 bytes)", filepath.Join(dir, "mysql", "password")},
	} {
		if !hasRow(stdout, want) {
			t.Errorf("config show =\n%s\nwant the row %v", stdout, want)
		}
	}
	if strings.Contains(stdout, "hunter2") {
		t.Errorf("config show tells the password:\n%s", stdout)
	}
}

func hasRow(table string, cells []string) bool {
	for line := range strings.SplitSeq(table, "\n") {
		if strings.Join(strings.Fields(line), " ") == strings.Join(strings.Fields(strings.Join(cells, " ")), " ") {
			return true
		}
	}
	return false
}

func TestConfigCheck(t *testing.T) {
	good, bad := t.TempDir(), t.TempDir()
	for key, value := range map[string]string{"type": "consul", "host": "127.0.0.1"} {
		write(t, filepath.Join(good, "consul", key), value)
	}
	write(t, filepath.Join(bad, "redis", "type"), "mysql")
	for name, tc := range map[string]struct {
		file string
		env  map[string]string
		code int
		want []string
	}{
		"good": {"discovery: {kind: consul}\n", map[string]string{"SERVICE_BINDING_ROOT": good}, exitOK, nil},
		"all mistakes at once": {
			"api: {prot: 1}\nlog: {level: loud}\ndiscovery: {kind: consul}\nshutdown: {deadline: 8}\n",
			map[string]string{"SERVICE_BINDING_ROOT": bad, "FLEET_FAULT": "error=2"}, exitMistake,
			[]string{
				"did you mean api.port?", "log.level", "shutdown.deadline", "FLEET_FAULT",
				`binding "consul": directory`, `binding "redis": key "type" is "mysql"`, `binding "redis": key "host" is missing`,
			},
		},
		"a binding that nobody can look for": {"discovery: {kind: consul}\n", nil, exitMistake, []string{"SERVICE_BINDING_ROOT is not set"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"config", "check", "--config", write(t, filepath.Join(t.TempDir(), "rating.yaml"), tc.file)}
			code, stdout, stderr := ask(t, program(fine, always()), tc.env, args...)
			if code != tc.code || (code == exitOK) != strings.Contains(stdout, "are good") {
				t.Errorf("config check = %d, %q, %q, want %d", code, stdout, stderr, tc.code)
			}
			for _, want := range tc.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("config check says\n%s\nwant %q in it", stderr, want)
				}
			}
		})
	}
}

func TestConfigCheckStartsNothing(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port) // a TCP listener
	if code, _, stderr := ask(t, program(fine, always()), nil, "config", "check", "--api.port", port); code != exitOK {
		t.Errorf("config check with a port that is in use = %d, %q, want 0", code, stderr)
	}
}

type version string

func (v version) String() string { return string(v) }

func TestSchema(t *testing.T) {
	p := program(fine, always())
	if code, _, _ := ask(t, p, nil, "schema"); code != exitMistake {
		t.Errorf("schema of a program without a database = %d, want %d", code, exitMistake)
	}
	p.Schema = func(context.Context, Env[settings]) (fmt.Stringer, error) { return version("current 1, wanted 2"), nil }
	if code, stdout, stderr := ask(t, p, nil, "schema"); code != exitOK || stdout != "current 1, wanted 2\n" {
		t.Errorf("schema = %d, %q, %q, want the version alone", code, stdout, stderr)
	}
}
