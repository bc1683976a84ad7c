package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

func TestParse(t *testing.T) {
	got, err := parse([]string{"--watch-namespaces=a,b", "--leader-elect=false", "--log-level=debug", "--log-format=text", "--metrics-bind-address=0"}, io.Discard)
	if err != nil {
		t.Fatalf("parse = error %v, want none", err)
	}
	want := options{metricsAddress: "0", probeAddress: ":8081", watchNamespaces: []string{"a", "b"}, logLevel: "debug", logFormat: "text"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(options{})); diff != "" {
		t.Errorf("parse (-want +got):\n%s", diff)
	}
}

func TestParseMistakes(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":         {[]string{"--namespaces=a"}, "unknown flag: --namespaces"},
		"an argument":          {[]string{"serve"}, `unexpected argument "serve"`},
		"log level":            {[]string{"--log-level=loud"}, `--log-level is "loud": write debug, info, warn or error`},
		"log format":           {[]string{"--log-format=xml"}, `--log-format is "xml": write json or text`},
		"namespace":            {[]string{"--watch-namespaces=a,B_"}, `--watch-namespaces: "B_" is not the name of a namespace`},
		"certificate, no TLS":  {[]string{"--metrics-cert-dir=/certs"}, "--metrics-cert-dir has no effect without --metrics-secure"},
		"all mistakes at once": {[]string{"--log-level=loud", "--log-format=xml"}, "--log-format"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(tc.args, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("parse(%q) = error %v, want one that says %q", tc.args, err, tc.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var usage strings.Builder
	if _, err := parse([]string{"--help"}, &usage); !errors.Is(err, pflag.ErrHelp) {
		t.Errorf("parse(--help) = %v, want ErrHelp", err)
	}
	if !strings.Contains(usage.String(), "--watch-namespaces") {
		t.Errorf("help = %q, want it to list the flags", usage.String())
	}
}
