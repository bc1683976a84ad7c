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
	dir   string
	files map[string]string
	gone  error // the directory cannot be read at all
	errs  []error
}

func newReader(dir string) *reader {
	r := &reader{dir: dir}
	r.files, r.gone = readTogether(dir)
	return r
}

func (r *reader) name() string { return filepath.Base(r.dir) }

func (r *reader) fail(key, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("binding %q: key %q "+format, append([]any{r.name(), key}, args...)...))
}

// optional is the value of key, or "" if there is no such file. One newline at the end is dropped,
// since editors and `echo` add it and no credential is meant to end with one.
func (r *reader) optional(key string) string {
	value := strings.TrimSuffix(r.files[key], "\n")
	return strings.TrimSuffix(value, "\r")
}

func (r *reader) required(key string) string {
	if _, ok := r.files[key]; !ok {
		r.fail(key, "is missing: add it to the Secret, or write the file %s", filepath.Join(r.dir, key))
		return ""
	}
	value := r.optional(key)
	if value == "" {
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

// oneOf is a key that knows a few words only.
func (r *reader) oneOf(key, fallback string, words ...string) string {
	word := cmp.Or(r.optional(key), fallback)
	if !slices.Contains(words, word) {
		r.fail(key, "is %q, want one of %s", word, strings.Join(words, ", "))
	}
	return word
}

// err joins what is wrong; a directory that is not there at all is one mistake, not one for each key.
func (r *reader) err() error {
	switch {
	case errors.Is(r.gone, fs.ErrNotExist):
		return fmt.Errorf("binding %q: directory %s does not exist: create it, or mount the Secret there", r.name(), r.dir)
	case r.gone != nil:
		return fmt.Errorf("binding %q cannot be read: %w", r.name(), r.gone)
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
	CA       CA // with it, connections are encrypted and the server's certificate is checked
}

// ReadMySQL reads the binding in dir. The port defaults to 3306.
func ReadMySQL(dir string) (MySQL, error) {
	r := newReader(dir)
	r.kind("mysql", "mariadb")
	m := MySQL{
		Host:     r.required("host"),
		Port:     r.port(3306),
		Username: r.required("username"),
		Password: r.required("password"),
		Database: r.required("database"),
		CA:       r.ca(),
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
	CA     CA // for https; without it the system's authorities are asked
}

// ReadConsul reads the binding in dir. The scheme defaults to https if there is a ca.crt, else to http; the port to 8500;
// no token means anonymous.
func ReadConsul(dir string) (Consul, error) {
	r := newReader(dir)
	r.kind("consul")
	c := Consul{Host: r.required("host"), Port: r.port(8500), Token: r.optional("token"), CA: r.ca()}
	fallback := "http"
	if c.CA != "" {
		fallback = "https"
	}
	if c.Scheme = cmp.Or(r.optional("scheme"), fallback); c.Scheme != "http" && c.Scheme != "https" {
		r.fail("scheme", "is %q, want http or https", c.Scheme)
	}
	if c.Scheme == "http" && c.CA != "" {
		r.fail("scheme", "is \"http\" beside a ca.crt: make it https, or remove ca.crt")
	}
	return c, r.err()
}

// Address is host:port, with brackets around an IPv6 host.
func (c Consul) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// String hides the token, so that a binding can be logged.
func (c Consul) String() string { return c.Scheme + "://" + c.Address() }

// GoString hides the token from %#v too.
func (c Consul) GoString() string { return c.String() }
