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
	for _, test := range []struct {
		name                  string
		wanted, good, refused binding.MySQL
		want                  binding.MySQL // none if nothing is left to try
	}{
		{"the only ones", of("old"), of("old"), of("old"), binding.MySQL{}},
		{"the first ones", of("old"), binding.MySQL{}, of("old"), binding.MySQL{}},
		{"changed ones", of("new"), of("old"), of("new"), of("old")},
		{"changed ones of another database", elsewhere, of("old"), elsewhere, binding.MySQL{}},
		{"old ones", of("new"), of("old"), of("old"), of("new")},
		{"old ones, when another connection has the new ones by now", of("new"), of("new"), of("old"), of("new")},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCredentials("", slog.New(slog.DiscardHandler), time.Now)
			c.wanted, c.good = test.wanted, test.good
			got, ok := c.refuse(test.refused, errors.New("access denied"))
			if got != test.want || ok != (test.want != binding.MySQL{}) {
				t.Errorf("refuse = %v, %t, want %v", got, ok, test.want)
			}
		})
	}
}
