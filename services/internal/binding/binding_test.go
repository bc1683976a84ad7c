package binding_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/binding"
)

func write(t *testing.T, name string, keys map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for key, value := range keys {
		if err := os.WriteFile(filepath.Join(dir, key), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mysqlKeys(changes map[string]string) map[string]string {
	keys := map[string]string{
		"type": "mysql", "host": "db", "port": "3307", "username": "rating", "password": "s3cret", "database": "rating",
	}
	for key, value := range changes {
		if keys[key] = value; value == "-" {
			delete(keys, key)
		}
	}
	return keys
}

func TestReadMySQL(t *testing.T) {
	whole := binding.MySQL{Host: "db", Port: 3307, Username: "rating", Password: "s3cret", Database: "rating"}
	standardPort := whole
	standardPort.Port = 3306
	spaced := whole
	spaced.Password = " s3cret \n"
	for name, tc := range map[string]struct {
		changes map[string]string
		want    binding.MySQL
	}{
		"whole":                        {nil, whole},
		"one newline is dropped":       {map[string]string{"password": "s3cret\n", "host": "db\r\n"}, whole},
		"only one newline is dropped":  {map[string]string{"password": " s3cret \n\n"}, spaced},
		"port defaults to 3306":        {map[string]string{"port": "-"}, standardPort},
		"mariadb is the same protocol": {map[string]string{"type": "mariadb"}, whole},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := binding.ReadMySQL(write(t, "mysql", mysqlKeys(tc.changes)))
			if err != nil {
				t.Fatalf("ReadMySQL = error %v, want none", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("ReadMySQL (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadMySQLMistakes(t *testing.T) {
	for name, tc := range map[string]struct {
		changes map[string]string
		want    []string
	}{
		"missing key":             {map[string]string{"username": "-"}, []string{`binding "mysql": key "username" is missing`}},
		"empty value":             {map[string]string{"database": "\n"}, []string{`binding "mysql": key "database" is empty`}},
		"wrong type":              {map[string]string{"type": "kafka"}, []string{`key "type" is "kafka", want mysql or mariadb`}},
		"port is a word":          {map[string]string{"port": "my"}, []string{`key "port" is "my", want a number from 1 to 65535`}},
		"port is out of range":    {map[string]string{"port": "70000"}, []string{`key "port" is "70000"`}},
		"all mistakes in one go":  {map[string]string{"host": "-", "password": ""}, []string{`"host" is missing`, `"password" is empty`}},
		"a missing key is no dup": {map[string]string{"host": "-"}, []string{`"host" is missing`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := binding.ReadMySQL(write(t, "mysql", mysqlKeys(tc.changes)))
			if err == nil {
				t.Fatal("ReadMySQL = no error, want one")
			}
			if lines := strings.Split(err.Error(), "\n"); len(lines) != len(tc.want) {
				t.Errorf("ReadMySQL = %d mistakes %q, want %d", len(lines), lines, len(tc.want))
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("ReadMySQL = error %q, want it to contain %q", err, want)
				}
			}
		})
	}
}

func TestMissingDirectoryIsOneMistake(t *testing.T) {
	_, err := binding.ReadMySQL(filepath.Join(t.TempDir(), "mysql"))
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("ReadMySQL = error %v, want one line that says the directory does not exist", err)
	}
}

func TestReadConsul(t *testing.T) {
	got, err := binding.ReadConsul(write(t, "consul", map[string]string{"type": "consul", "host": "fd00::1", "token": "t0ken\n"}))
	if err != nil {
		t.Fatalf("ReadConsul = error %v, want none", err)
	}
	if diff := cmp.Diff(binding.Consul{Scheme: "http", Host: "fd00::1", Port: 8500, Token: "t0ken"}, got); diff != "" {
		t.Errorf("ReadConsul (-want +got):\n%s", diff)
	}
	if got.Address() != "[fd00::1]:8500" {
		t.Errorf("Address() = %q, want [fd00::1]:8500", got.Address())
	}
	_, err = binding.ReadConsul(write(t, "consul", map[string]string{"type": "consul", "host": "c", "scheme": "ftp"}))
	if err == nil || !strings.Contains(err.Error(), `"scheme" is "ftp", want http or https`) {
		t.Errorf("ReadConsul = error %v, want one about the scheme", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	for _, v := range []any{
		binding.MySQL{Host: "db", Password: "s3cret"}, binding.Consul{Host: "c", Token: "s3cret"},
		binding.Kafka{Password: "s3cret"}, binding.Redis{Password: "s3cret"}, binding.TLS{Key: "s3cret"},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "s3cret") {
				t.Errorf("Sprintf(%q, %T) = %q, which shows the secret", verb, v, got)
			}
		}
	}
}

func TestDir(t *testing.T) {
	t.Setenv(binding.RootEnv, "/bindings")
	if got, err := binding.Dir("mysql"); got != "/bindings/mysql" || err != nil {
		t.Errorf(`Dir("mysql") = %q, %v, want /bindings/mysql`, got, err)
	}
	t.Setenv(binding.RootEnv, "")
	if _, err := binding.Dir("mysql"); err == nil || !strings.Contains(err.Error(), binding.RootEnv) {
		t.Errorf(`Dir("mysql") with no root = %v, want an error that names %s`, err, binding.RootEnv)
	}
}
