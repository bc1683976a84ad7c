package binding

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// RootEnv names the environment variable that holds the directory of all bindings.
const RootEnv = "SERVICE_BINDING_ROOT"

// ErrNoRoot means that a binding is wanted but nobody said where bindings are.
var ErrNoRoot = errors.New(RootEnv + " is not set: point it at the directory that holds the bindings")

// Dir is the directory of the binding called name below $SERVICE_BINDING_ROOT. It need not exist yet.
func Dir(name string) (string, error) {
	root := os.Getenv(RootEnv)
	if root == "" {
		return "", fmt.Errorf("binding %q: %w", name, ErrNoRoot)
	}
	return filepath.Join(root, name), nil
}

// reader collects every mistake of one binding, so that all are reported at once.
type reader struct {
	dir  string
	errs []error
}

func (r *reader) name() string { return filepath.Base(r.dir) }

func (r *reader) fail(key, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("binding %q: key %q "+format, append([]any{r.name(), key}, args...)...))
}

// optional is the value of key, or "" if there is no such file. One newline at the end is dropped,
// since editors and `echo` add it and no credential is meant to end with one.
func (r *reader) optional(key string) string {
	raw, err := os.ReadFile(filepath.Join(r.dir, key)) //nolint:gosec // the directory is the operator's, the key a constant
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		r.fail(key, "cannot be read: %w", err)
		return ""
	}
	value := strings.TrimSuffix(string(raw), "\n")
	return strings.TrimSuffix(value, "\r")
}

func (r *reader) required(key string) string {
	if _, err := os.Stat(filepath.Join(r.dir, key)); errors.Is(err, fs.ErrNotExist) {
		r.fail(key, "is missing: add it to the Secret, or write the file %s", filepath.Join(r.dir, key))
		return ""
	}
	before := len(r.errs)
	value := r.optional(key)
	if value == "" && len(r.errs) == before {
		r.fail(key, "is empty: give it a value")
	}
	return value
}

// kind refuses a directory that holds another sort of binding. mysql and mariadb are the same protocol.
func (r *reader) kind(want ...string) {
	if got := r.required("type"); got != "" && !slices.Contains(want, got) {
		r.fail("type", "is %q, want %s", got, strings.Join(want, " or "))
	}
}

func (r *reader) port(fallback int) int {
	raw := r.optional("port")
	if raw == "" {
		return fallback
	}
	port, err := strconv.Atoi(raw)
	if err != nil || port < 1 || port > 65535 {
		r.fail("port", "is %q, want a number from 1 to 65535", raw)
	}
	return port
}

// err joins what is wrong; a directory that is not there at all is one mistake, not one for each key.
func (r *reader) err() error {
	if _, err := os.Stat(r.dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("binding %q: directory %s does not exist: create it, or mount the Secret there", r.name(), r.dir)
	}
	return errors.Join(r.errs...)
}

// MySQL is how to reach one database of a MySQL or MariaDB server.
type MySQL struct {
	Host     string
	Port     int
	Username string
	Password string
	Database string
}

// ReadMySQL reads the binding in dir. The port defaults to 3306.
func ReadMySQL(dir string) (MySQL, error) {
	r := &reader{dir: dir}
	r.kind("mysql", "mariadb")
	m := MySQL{
		Host:     r.required("host"),
		Port:     r.port(3306),
		Username: r.required("username"),
		Password: r.required("password"),
		Database: r.required("database"),
	}
	return m, r.err()
}

// Address is host:port, with brackets around an IPv6 host.
func (m MySQL) Address() string { return net.JoinHostPort(m.Host, strconv.Itoa(m.Port)) }

// String hides the password, so that a binding can be logged.
func (m MySQL) String() string {
	return fmt.Sprintf("mysql://%s:***@%s/%s", m.Username, m.Address(), m.Database)
}

// GoString hides the password from %#v too.
func (m MySQL) GoString() string { return m.String() }

// Consul is how to reach one Consul agent or server.
type Consul struct {
	Scheme string
	Host   string
	Port   int
	Token  string
}

// ReadConsul reads the binding in dir. The scheme defaults to http, the port to 8500, and no token means anonymous.
func ReadConsul(dir string) (Consul, error) {
	r := &reader{dir: dir}
	r.kind("consul")
	c := Consul{
		Scheme: cmp.Or(r.optional("scheme"), "http"),
		Host:   r.required("host"),
		Port:   r.port(8500),
		Token:  r.optional("token"),
	}
	if c.Scheme != "http" && c.Scheme != "https" {
		r.fail("scheme", "is %q, want http or https", c.Scheme)
	}
	return c, r.err()
}

// Address is host:port, with brackets around an IPv6 host.
func (c Consul) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// String hides the token, so that a binding can be logged.
func (c Consul) String() string { return c.Scheme + "://" + c.Address() }

// GoString hides the token from %#v too.
func (c Consul) GoString() string { return c.String() }
