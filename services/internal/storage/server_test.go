package storage

import (
	"strings"
	"testing"
)

func TestCheckVersion(t *testing.T) {
	for version, want := range map[string]bool{
		"10.11.6-MariaDB-0+deb12u1": true,
		"10.6.0-MariaDB":            true,
		"11.4.2-MariaDB-ubu2404":    true,
		"10.5.29-MariaDB-log":       false,
		"8.0.36":                    false,
		"8.4.0-commercial":          false,
		"MariaDB":                   false,
		"":                          false,
	} {
		t.Run(version, func(t *testing.T) {
			err := checkVersion(version)
			if (err == nil) != want {
				t.Errorf("checkVersion(%q) = %v, want it taken: %t", version, err, want)
			}
			if err != nil && !strings.Contains(err.Error(), "want MariaDB 10.6 or newer") {
				t.Errorf("checkVersion(%q) = %v, want it to say what is needed", version, err)
			}
		})
	}
}
