package storage

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"movieexample.com/fleet/services/internal/binding"
)

// What is tried when the server has refused: never nothing while there is something that was not.
func TestRefuse(t *testing.T) {
	of := func(password string) binding.MySQL {
		return binding.MySQL{Host: "db", Port: 3306, Database: "rating", Username: "rating", Password: password}
	}
	elsewhere := of("new")
	elsewhere.Host = "another"
	moment, while := 100*time.Millisecond, time.Hour
	for _, test := range []struct {
		name                  string
		wanted, good, refused binding.MySQL
		since                 time.Duration // that the good ones are
		want                  binding.MySQL // none if nothing is left to try
	}{
		{"the only ones", of("old"), of("old"), of("old"), while, binding.MySQL{}},
		{"the first ones", of("old"), binding.MySQL{}, of("old"), while, binding.MySQL{}},
		{"changed ones", of("new"), of("old"), of("new"), while, of("old")},
		{"changed ones of another database", elsewhere, of("old"), elsewhere, while, binding.MySQL{}},
		{"old ones", of("new"), of("old"), of("old"), while, of("new")},
		{"old ones, when another connection has the new ones by now", of("new"), of("new"), of("old"), moment, of("new")},
		{"new ones, when another connection was let in with them a moment later", of("new"), of("new"), of("new"), moment, of("new")},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCredentials("", slog.New(slog.DiscardHandler), time.Now)
			c.wanted, c.good, c.changed = test.wanted, test.good, time.Now().Add(-test.since)
			got, ok := c.refuse(test.refused, errors.New("access denied"))
			if got != test.want || ok != (test.want != binding.MySQL{}) {
				t.Errorf("refuse = %v, %t, want %v", got, ok, test.want)
			}
		})
	}
}
