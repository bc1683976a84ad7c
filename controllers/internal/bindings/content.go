package bindings

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with a bound Secret.
type Problem struct {
	// Secret is the Secret's name.
	Secret string
	// Key is the key in its data; empty when the Secret itself is missing.
	Key string
	// Message is a sentence that names Secret and key, the cause and how to fix it.
	Message string
}

// MySQL is where a database is. Credentials are left to the pods that use them.
type MySQL struct {
	Host     string
	Port     int
	Database string
}

// Consul is how to reach Consul.
type Consul struct {
	// Scheme is http or https.
	Scheme string
	Host   string
	Port   int
	// Token is empty for anonymous access.
	Token string
	// CA holds the authorities that the certificate of an https agent may come from, in PEM; empty means the system's.
	CA string
}

// Address is host:port, with brackets around an IPv6 host.
func (c Consul) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// String hides the token, so that a binding can be logged.
func (c Consul) String() string { return c.Scheme + "://" + c.Address() }

// GoString hides the token from %#v too.
func (c Consul) GoString() string { return c.String() }

// checkMySQL reads a database's Secret and collects everything that is wrong with it.
func checkMySQL(secret string, data map[string][]byte) (*MySQL, []Problem) {
	c := content{secret: secret, data: data}
	c.kind("mysql", "mariadb")
	m := MySQL{Host: c.host(), Port: c.port()}
	c.required("username")
	c.required("password")
	m.Database = c.required("database")
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return &m, nil
}

// checkConsul reads Consul's Secret and collects everything that is wrong with it.
func checkConsul(secret string, data map[string][]byte) (*Consul, []Problem) {
	c := content{secret: secret, data: data}
	c.kind("consul")
	consul := Consul{Host: c.host(), Port: c.port(), Scheme: c.value("scheme"), Token: c.value("token")}
	consul.CA = c.authorities()
	switch {
	case consul.Scheme == "http" && consul.CA != "":
		c.fail("scheme", "is \"http\" beside a ca.crt: make it https, or remove ca.crt")
	case consul.Scheme == "http", consul.Scheme == "https":
	case consul.Scheme == "" && consul.CA != "":
		consul.Scheme = "https"
	case consul.Scheme == "":
		consul.Scheme = "http"
	default:
		c.fail("scheme", "is %q: write http or https, or leave it out for http", consul.Scheme)
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return &consul, nil
}

// checkRedis collects everything that is wrong with a cache's Secret.
func checkRedis(secret string, data map[string][]byte) []Problem {
	c := content{secret: secret, data: data}
	c.kind("redis")
	c.host()
	if _, ok := data["port"]; ok {
		c.port()
	}
	return c.problems
}

// checkAuthKeys collects everything that is wrong with the Secret of keys that sign tokens.
func checkAuthKeys(secret string, data map[string][]byte) []Problem {
	c := content{secret: secret, data: data}
	c.kind("auth-keys")
	if signing := c.required("signing"); signing != "" {
		c.required(signing + ".pem")
	}
	return c.problems
}

// checkTLS collects what is missing in a certificate's Secret. Such a Secret has a Kubernetes type and no key called type.
func checkTLS(secret string, data map[string][]byte) []Problem {
	c := content{secret: secret, data: data}
	for _, key := range []string{"tls.crt", "tls.key", "ca.crt"} {
		c.required(key)
	}
	return c.problems
}

// content is one Secret's data while it is checked.
type content struct {
	secret   string
	data     map[string][]byte
	problems []Problem
}

func (c *content) fail(key, format string, args ...any) {
	c.problems = append(c.problems, Problem{
		Secret:  c.secret,
		Key:     key,
		Message: fmt.Sprintf("key %q of Secret %q ", key, c.secret) + fmt.Sprintf(format, args...),
	})
}

// value is what stands under key, without the one newline that editors and `echo` add: the services read it so too.
func (c *content) value(key string) string {
	v := strings.TrimSuffix(string(c.data[key]), "\n")
	return strings.TrimSuffix(v, "\r")
}

func (c *content) required(key string) string {
	if _, ok := c.data[key]; !ok {
		c.fail(key, "is missing: add it")
		return ""
	}
	v := c.value(key)
	if v == "" {
		c.fail(key, "is empty: give it a value")
	}
	return v
}

// kind refuses a Secret that describes another sort of server.
func (c *content) kind(want string, alike ...string) {
	got := c.required("type")
	if got == "" || got == want {
		return
	}
	for _, a := range alike {
		if got == a {
			return
		}
	}
	c.fail("type", "is %q, but the binding needs %q: name another Secret, or correct the key", got, want)
}

func (c *content) host() string {
	h := c.required("host")
	if _, err := netip.ParseAddr(h); err == nil {
		return h
	}
	if strings.ContainsAny(h, "/: \t\r\n") {
		c.fail("host", "is %q: write the host name or address alone, without scheme, port or path", h)
	}
	return h
}

// authorities is the key ca.crt.
func (c *content) authorities() string {
	pem := c.value("ca.crt")
	if pem != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(pem)) {
		c.fail("ca.crt", "holds no certificate: it wants PEM, -----BEGIN CERTIFICATE-----")
	}
	return pem
}

func (c *content) port() int {
	raw := c.required("port")
	if raw == "" {
		return 0
	}
	port, err := strconv.Atoi(raw)
	if err != nil || port < 1 || port > 65535 {
		c.fail("port", "is %q: write a number from 1 to 65535", raw)
	}
	return port
}
