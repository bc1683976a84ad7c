package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"movieexample.com/fleet/services/internal/config"
)

type settings struct {
	config.Common `config:",inline"`
	Storage       config.Storage `config:"storage"`
	RecordTypes   []string       `config:"recordTypes"`
	Upstreams     upstreams      `config:"upstreams"`
	Flags         config.Flags   `config:"flags"`
}

func (s settings) Check(report config.Report) { config.CheckFlags(s.Flags, s.Discovery, report) }

type upstreams struct {
	Rating config.Upstream `config:"rating"`
}

func defaults() settings {
	s := settings{Common: config.Defaults(8082), RecordTypes: []string{"movie"}}
	s.Storage.Kind = "memory"
	s.Upstreams.Rating = config.Upstream{Target: "static:///127.0.0.1:8082", Timeout: 2 * time.Second}
	return s
}

func load(t *testing.T, file string, env map[string]string, args ...string) (settings, error) {
	t.Helper()
	if file != "" {
		path := filepath.Join(t.TempDir(), "rating.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	loader := config.NewLoader("rating", defaults())
	flags := pflag.NewFlagSet("rating", pflag.ContinueOnError)
	loader.BindFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return loader.Load(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
}

func TestLoad(t *testing.T) {
	change := func(f func(*settings)) settings { s := defaults(); f(&s); return s }
	for name, tc := range map[string]struct {
		file string
		env  map[string]string
		args []string
		want settings
	}{
		"defaults":                  {want: defaults()},
		"an empty file":             {file: "# nothing\n", want: defaults()},
		"a part with nothing in it": {file: "api:\nrest: {}\n", want: defaults()},
		"file over defaults": {
			file: "api: {port: 9000}\nstorage: {kind: mysql}\nrecordTypes: [movie, show]\nshutdown: {deadline: 30s}\n",
			want: change(func(s *settings) {
				s.API.Port, s.Storage.Kind, s.RecordTypes, s.Shutdown.Deadline = 9000, "mysql", []string{"movie", "show"}, 30*time.Second
			}),
		},
		"environment over file": {
			file: "api: {port: 9000}\nlog: {level: warn}\n",
			env: map[string]string{
				"RATING_API_PORT": "9001", "RATING_RECORD_TYPES": "a,b", "RATING_API_REFLECTION": "false",
				"RATING_TELEMETRY_TRACES_ENDPOINT": "http://[::1]:4317", "RATING_TELEMETRY_TRACES_RATIO": "0.5",
			},
			want: change(func(s *settings) {
				s.Telemetry.Traces = config.Traces{Endpoint: "http://[::1]:4317", Ratio: 0.5}
				s.API.Port, s.Log.Level, s.RecordTypes, s.API.Reflection = 9001, "warn", []string{"a", "b"}, false
			}),
		},
		"flags over environment": {
			env:  map[string]string{"RATING_API_PORT": "9001"},
			args: []string{"--api.port", "9002", "--upstreams.rating.target", "dns:///rating:8082"},
			want: change(func(s *settings) { s.API.Port, s.Upstreams.Rating.Target = 9002, "dns:///rating:8082" }),
		},
		"--port moves all three": {
			args: []string{"--port", "9082"},
			want: change(func(s *settings) { s.API.Port, s.Admin.Port, s.REST.Port = 9082, 9092, 9182 }),
		},
		"a flag of its own beats --port": {
			args: []string{"--port", "9082", "--rest.port", "80"},
			want: change(func(s *settings) { s.API.Port, s.Admin.Port, s.REST.Port = 9082, 9092, 80 }),
		},
		"--port 0 is any free port for all": {
			args: []string{"--port", "0"},
			want: change(func(s *settings) { s.API.Port, s.Admin.Port, s.REST.Port = 0, 0, 0 }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, tc.file, tc.env, tc.args...)
			if err != nil {
				t.Fatalf("Load() = error %v, want none", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Load() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadMistakes(t *testing.T) {
	for name, tc := range map[string]struct {
		file string
		env  map[string]string
		args []string
		want []string
	}{
		"unknown key": {file: "api:\n  prot: 9000\n", want: []string{
			`api.prot: "9000" there is no such setting; did you mean api.port? (rating.yaml line 2)`,
		}},
		"unknown key that is like none": {file: "colour: blue\n", want: []string{
			`colour: "blue" there is no such setting (rating.yaml line 1)`,
		}},
		"set twice": {file: "api: {port: 1}\nrest: {port: 2}\napi: {port: 3}\n", want: []string{
			`api.port: "3" is set twice, first in rating.yaml line 1 (rating.yaml line 3)`,
		}},
		"a list for a scalar": {file: "storage: {kind: [mysql]}\n", want: []string{`storage.kind: "[mysql]" is a list where one value is wanted`}},
		"a scalar for a part": {file: "storage: mysql\n", want: []string{`storage: "mysql" there is no such setting`}},
		"not a mapping":       {file: "- a\n", want: []string{"the file is not a mapping"}},
		"word of an enum":     {file: "storage: {kind: postgres}\n", want: []string{`storage.kind: "postgres" is not one of mysql, memory (rating.yaml line 1)`}},
		"port as a word":      {env: map[string]string{"RATING_API_PORT": "tcp://10.0.0.1:80"}, want: []string{`api.port: "tcp://10.0.0.1:80" is not a whole number (environment RATING_API_PORT)`}},
		"port out of range":   {args: []string{"--api.port", "65536"}, want: []string{`api.port: "65536" is not a port: use 1 to 65535, or 0 for any free one (flag --api.port)`}},
		"--port out of range": {args: []string{"--port", "65500"}, want: []string{`port: "65500" is not a port from 1 to 65435`}},
		"two on one port":     {args: []string{"--api.port", "8182"}, want: []string{`rest.port: "8182" is the port of api.port too`}},
		"duration with no unit": {file: "shutdown: {deadline: 8}\n", want: []string{
			`shutdown.deadline: "8" is not a duration: write a number and a unit, for example 500ms, 2s or 1m (rating.yaml line 1)`,
		}},
		"no deadline":         {file: "shutdown: {deadline: 0s}\n", want: []string{`shutdown.deadline: "0s" is not above 0`}},
		"negative wait":       {file: "shutdown: {propagation: -1s}\n", want: []string{`shutdown.propagation: "-1s" is below 0`}},
		"call with no limit":  {file: "upstreams: {rating: {timeout: 0s}}\n", want: []string{`upstreams.rating.timeout: "0s" is not above 0`}},
		"bool":                {file: "api: {reflection: perhaps}\n", want: []string{`api.reflection: "perhaps" is neither true nor false`}},
		"empty list entry":    {env: map[string]string{"RATING_RECORD_TYPES": "movie,"}, want: []string{`recordTypes: "movie," has an empty entry`}},
		"target scheme":       {args: []string{"--upstreams.rating.target", "http:///x:1"}, want: []string{`has the unknown scheme "http": use static, dns or consul`}},
		"target form":         {args: []string{"--upstreams.rating.target", "localhost:80"}, want: []string{"is not of the form static:///host:port"}},
		"target port":         {args: []string{"--upstreams.rating.target", "static:///a:1,b"}, want: []string{`holds "b", which is not host:port`}},
		"target name":         {args: []string{"--upstreams.rating.target", "consul:///Rating"}, want: []string{`holds the name "Rating"`}},
		"not a number":        {args: []string{"--telemetry.traces.ratio", "few"}, want: []string{`telemetry.traces.ratio: "few" is not a number`}},
		"not a number at all": {args: []string{"--telemetry.traces.ratio", "NaN"}, want: []string{`telemetry.traces.ratio: "NaN" is not a number`}},
		"not a share":         {args: []string{"--telemetry.traces.ratio", "1.5"}, want: []string{`telemetry.traces.ratio: "1.5" is not a share from 0 to 1`}},
		"collector":           {args: []string{"--telemetry.traces.endpoint", "collector:4317"}, want: []string{`telemetry.traces.endpoint: "collector:4317" is not of the form http://host:port`}},
		"name":                {args: []string{"--discovery.name", "a/b"}, want: []string{`discovery.name: "a/b" holds the name "a/b"`}},
		"key of flags":        {args: []string{"--flags.key", "/flags/movie", "--discovery.kind", "consul"}, want: []string{`flags.key: "/flags/movie" begins with a slash`}},
		"a flag of no value":  {args: []string{"--flags.set", "recommendations"}, want: []string{`flags.set: "recommendations" is not of the form name=true or name=false`}},
		"a flag set twice":    {args: []string{"--flags.set", "a=true,a=false"}, want: []string{`flags.set: "a=false" sets a flag a second time`}},
		"flags in no Consul":  {args: []string{"--flags.key", "flags/movie"}, want: []string{`flags.key: "flags/movie" needs discovery.kind consul`}},
		"all in one go": {
			file: "api: {port: x}\nlog: {levle: info}\n",
			args: []string{"--storage.kind", "disk"},
			want: []string{"api.port", "did you mean log.level?", "storage.kind"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tc.file, tc.env, tc.args...)
			if !errors.Is(err, config.ErrInvalid) {
				t.Fatalf("Load() = error %v, want %v", err, config.ErrInvalid)
			}
			if got := strings.Count(err.Error(), "\n"); got != len(tc.want) {
				t.Errorf("Load() = %d mistakes, want %d:\n%v", got, len(tc.want), err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Load() = error\n%v\nwant it to contain %q", err, want)
				}
			}
		})
	}
}

func TestLoadFileThatCannotBeRead(t *testing.T) {
	_, err := load(t, "", map[string]string{config.FileEnv: "/nowhere/rating.yaml"})
	if err == nil || !strings.Contains(err.Error(), "/nowhere/rating.yaml") {
		t.Errorf("Load() = error %v, want one that names the file", err)
	}
	_, err = load(t, "api: [", nil)
	if err == nil || !strings.Contains(err.Error(), "is not YAML") {
		t.Errorf("Load() = error %v, want one that says it is not YAML", err)
	}
}
