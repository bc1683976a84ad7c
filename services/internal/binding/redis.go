package binding

import (
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
)

// Redis is how to reach one Redis server.
type Redis struct {
	Host     string
	Port     int
	Username string // empty: the user default
	Password string // empty: none
	CA       CA     // with it, connections are encrypted and the server's certificate is checked
}

// ReadRedis reads the binding in dir. The port defaults to 6379.
func ReadRedis(dir string) (Redis, error) {
	r := newReader(dir)
	r.kind("redis")
	b := Redis{
		Host: r.required("host"), Port: r.port(6379),
		Username: r.optional("username"), Password: r.optional("password"), CA: r.ca(),
	}
	if b.Username != "" && b.Password == "" {
		r.fail("password", "is missing or empty beside a username")
	}
	return b, r.err()
}

// Address is host:port, with brackets around an IPv6 host.
func (b Redis) Address() string { return net.JoinHostPort(b.Host, strconv.Itoa(b.Port)) }

// TLS is what a client checks the server with, or nil if connections are not encrypted.
func (b Redis) TLS() *tls.Config {
	if b.CA == "" {
		return nil
	}
	return b.CA.TLS(b.Host)
}

// String hides the password, so that a binding can be logged.
func (b Redis) String() string { return fmt.Sprintf("redis://%s:***@%s", b.Username, b.Address()) }

// GoString hides the password from %#v too.
func (b Redis) GoString() string { return b.String() }
