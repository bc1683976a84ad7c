package telemetry_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"movieexample.com/fleet/services/internal/telemetry"
)

func TestNewLogger(t *testing.T) {
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, telemetry.LogOptions{Level: "warn", Format: "auto"})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("Not shown")
	log.Warn("Shown", telemetry.KeyService, "rating")
	var record map[string]any
	if err := json.Unmarshal(out.Bytes(), &record); err != nil {
		t.Fatalf("the log of a pipe = %q, want one JSON object: %v", out.String(), err)
	}
	if record["msg"] != "Shown" || record["service"] != "rating" {
		t.Errorf("record = %v, want msg Shown and service rating", record)
	}
}

func TestNewLoggerText(t *testing.T) {
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, telemetry.LogOptions{Level: "info", Format: "text"})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("Shown")
	if !strings.Contains(out.String(), "msg=Shown") {
		t.Errorf("log = %q, want text with msg=Shown", out.String())
	}
}

func TestNewLoggerMistakes(t *testing.T) {
	for name, o := range map[string]telemetry.LogOptions{
		"level":  {Level: "loud", Format: "json"},
		"format": {Level: "info", Format: "xml"},
	} {
		if _, err := telemetry.NewLogger(&bytes.Buffer{}, o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("NewLogger(%+v) = error %v, want one about the %s", o, err, name)
		}
	}
}

func TestNewRegistry(t *testing.T) {
	families, err := telemetry.NewRegistry("rating", "v1", "abc").Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range families {
		found[f.GetName()] = true
	}
	for _, want := range []string{"fleet_build_info", "go_goroutines", "process_open_fds"} {
		if !found[want] {
			t.Errorf("metric %s is missing", want)
		}
	}
}
