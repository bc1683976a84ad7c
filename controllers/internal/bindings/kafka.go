package bindings

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// Kafka is how to reach a Kafka cluster.
type Kafka struct {
	// Servers are host:port each.
	Servers []string
	// Encrypted is true where connections are by TLS.
	Encrypted bool
	// CA holds the authorities that brokers' certificates may come from, in PEM; empty means the system's.
	CA string
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty where nobody logs in.
	Mechanism, Username, Password string
}

// String hides the password, so that a binding can be logged.
func (k Kafka) String() string {
	return fmt.Sprintf("kafka %s as %q", strings.Join(k.Servers, ","), k.Username)
}

// GoString hides the password from %#v too.
func (k Kafka) GoString() string { return k.String() }

// checkKafka reads a broker's Secret, with the defaults that the services have, and collects everything that is wrong.
func checkKafka(secret string, data map[string][]byte) (*Kafka, []Problem) {
	c := content{secret: secret, data: data}
	c.kind("kafka")
	k := Kafka{Servers: c.servers(), CA: c.authorities()}
	protocol := c.protocol(k.CA)
	k.Encrypted = strings.HasSuffix(protocol, "SSL")
	if !k.Encrypted && k.CA != "" {
		c.fail("security.protocol", "is %q beside a ca.crt: make it SSL or SASL_SSL, or remove ca.crt", protocol)
	}
	if strings.HasPrefix(protocol, "SASL_") {
		k.Mechanism = c.oneOf("sasl.mechanism", "SCRAM-SHA-512", "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
		k.Username, k.Password = c.required("username"), c.required("password")
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return &k, nil
}

func (c *content) servers() []string {
	var list []string
	for server := range strings.SplitSeq(c.required("bootstrap-servers"), ",") {
		server = strings.TrimSpace(server)
		if _, _, err := net.SplitHostPort(server); err != nil && server != "" {
			c.fail("bootstrap-servers", "holds %q: write host:port, several separated by commas", server)
		}
		list = append(list, server)
	}
	return list
}

func (c *content) protocol(ca string) string {
	fallback := "PLAINTEXT"
	switch {
	case c.value("username") != "":
		fallback = "SASL_SSL"
	case ca != "":
		fallback = "SSL"
	}
	return c.oneOf("security.protocol", fallback, "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
}

// oneOf is what stands under key, or the fallback where nothing does.
func (c *content) oneOf(key, fallback string, allowed ...string) string {
	v := c.value(key)
	if v == "" {
		return fallback
	}
	if !slices.Contains(allowed, v) {
		c.fail(key, "is %q: write one of %s", v, strings.Join(allowed, ", "))
	}
	return v
}
