package app

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/flags"
)

// withFlags is the program with a feature flag whose settings are c.
func withFlags(c config.Flags) Program[settings] {
	p := program(fine, always())
	build := p.Build
	p.Build = func(ctx context.Context, env Env[settings]) (Service, error) {
		if _, err := env.Flags(c, flags.Defaults{"feature": false}); err != nil {
			return Service{}, err
		}
		return build(ctx, env)
	}
	return p
}

func TestFlagsFollowTheFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "flags.yaml"), "feature: perhaps\n")
	r := launch(t, withFlags(config.Flags{Path: filepath.Join(dir, "flags.yaml")}), "--port", "0", "--shutdown.propagation", "0s")
	r.until(t, "mistakes are told", func() bool { return r.logged(`feature in line 1 is \"perhaps\"`) })
	write(t, filepath.Join(dir, "flags.yaml"), "feature: true\n")
	r.until(t, "the flag is on", func() bool {
		_, body := r.get(t, r.admin+"/metrics")
		return strings.Contains(body, `feature_flag_on{flag="feature"`) && r.logged(`"msg":"Flag changed"`)
	})
	r.signals <- syscall.SIGTERM
	if code := <-r.exit; code != exitOK {
		t.Errorf("exit = %d, want 0; stderr: %s", code, r.stderr)
	}
}

func TestFlagsOfTheSettingsAreUnderTheFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "flags.yaml"), "{}\n")
	r := launch(t, withFlags(config.Flags{Set: []string{"feature=true"}, Path: filepath.Join(dir, "flags.yaml")}), "--port", "0", "--shutdown.propagation", "0s")
	shows := func(value string) func() bool {
		return func() bool {
			_, body := r.get(t, r.admin+"/metrics")
			return regexp.MustCompile(`feature_flag_on\{flag="feature"[^}]*\} ` + value + `\n`).MatchString(body)
		}
	}
	r.until(t, "the setting is in force", shows("1"))
	write(t, filepath.Join(dir, "flags.yaml"), "feature: false\n")
	r.until(t, "the file goes over it", shows("0"))
	r.signals <- syscall.SIGTERM
	if code := <-r.exit; code != exitOK {
		t.Errorf("exit = %d, want 0; stderr: %s", code, r.stderr)
	}
}

func TestFlagsInAKeyNeedConsul(t *testing.T) {
	var stderr strings.Builder
	code := run(t.Context(), withFlags(config.Flags{Key: "flags/movie"}), []string{"--port", "0"}, process{
		lookupEnv: func(string) (string, bool) { return "", false }, stdout: &strings.Builder{}, stderr: &stderr,
	})
	if code != exitMistake || !strings.Contains(stderr.String(), "needs discovery.kind consul") {
		t.Errorf("exit = %d %s, want %d and what is needed", code, stderr.String(), exitMistake)
	}
}
