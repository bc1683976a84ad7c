package config

import "testing"

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{"0": 0, "1024": 1024, "64KiB": 64 << 10, "4 GiB": 4 << 30, "10MB": 10_000_000, "1.5GiB": 3 << 29} {
		var got Bytes
		if problem := setBytes(&got, text); problem != "" || got != want {
			t.Errorf("setBytes(%q) = %d, %q, want %d", text, got, problem, want)
		}
		var again Bytes
		if problem := setBytes(&again, got.String()); problem != "" || again < want-want/10 || again > want+want/10 {
			t.Errorf("setBytes(%q) = %d, %q, want about %d", got.String(), again, problem, want)
		}
	}
	for _, text := range []string{"", "much", "-1", "4 parsecs", "99999999999999GiB"} {
		var got Bytes
		if problem := setBytes(&got, text); problem == "" {
			t.Errorf("setBytes(%q) = %d, want a problem", text, got)
		}
	}
}
