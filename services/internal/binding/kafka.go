package binding

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
)

// Protocols and mechanisms that a Kafka binding may name.
const (
	Plaintext     = "PLAINTEXT"
	SSL           = "SSL"
	SASLPlaintext = "SASL_PLAINTEXT"
	SASLSSL       = "SASL_SSL"

	Plain       = "PLAIN"
	SCRAMSHA256 = "SCRAM-SHA-256"
	SCRAMSHA512 = "SCRAM-SHA-512"
)

// Kafka is how to reach a Kafka cluster.
type Kafka struct {
	BootstrapServers []string // host:port each
	Protocol         string   // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
	Mechanism        string   // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty without SASL
	Username         string
	Password         string
	CA               CA // for SSL; without it the system's authorities are asked
}

// ReadKafka reads the binding in dir: bootstrap-servers, and what its security.protocol needs. The protocol defaults to
// SASL_SSL if there is a username (SASL_PLAINTEXT must be said), else to SSL if there is a ca.crt, else to PLAINTEXT;
// the mechanism to SCRAM-SHA-512.
func ReadKafka(dir string) (Kafka, error) {
	r := newReader(dir)
	r.kind("kafka")
	k := Kafka{BootstrapServers: r.servers("bootstrap-servers"), CA: r.ca(), Protocol: r.protocol()}
	if strings.HasPrefix(k.Protocol, "SASL_") {
		k.Mechanism = r.oneOf("sasl.mechanism", SCRAMSHA512, SCRAMSHA512, SCRAMSHA256, Plain)
		k.Username, k.Password = r.required("username"), r.required("password")
	}
	if !k.encrypted() && k.CA != "" {
		r.fail("security.protocol", "is %q beside a ca.crt: make it SSL or SASL_SSL, or remove ca.crt", k.Protocol)
	}
	return k, r.err()
}

func (r *reader) protocol() string {
	fallback := Plaintext
	switch {
	case r.optional("username") != "":
		fallback = SASLSSL
	case r.files["ca.crt"] != "":
		fallback = SSL
	}
	return r.oneOf("security.protocol", fallback, Plaintext, SSL, SASLPlaintext, SASLSSL)
}

// servers splits a list of host:port.
func (r *reader) servers(key string) []string {
	text := r.required(key)
	if text == "" {
		return nil
	}
	list := strings.Split(text, ",")
	for i, server := range list {
		list[i] = strings.TrimSpace(server)
		if host, port, err := net.SplitHostPort(list[i]); err != nil || host == "" || port == "" {
			r.fail(key, "holds %q, want host:port,host:port", server)
		}
	}
	return list
}

func (k Kafka) encrypted() bool { return strings.HasSuffix(k.Protocol, "SSL") }

// TLS is what a client checks the broker called host with, or nil if connections are not encrypted.
func (k Kafka) TLS(host string) *tls.Config {
	if !k.encrypted() {
		return nil
	}
	return k.CA.TLS(host)
}

// String hides the password, so that a binding can be logged.
func (k Kafka) String() string {
	return fmt.Sprintf("kafka+%s://%s:***@%s", strings.ToLower(k.Protocol), k.Username, strings.Join(k.BootstrapServers, ","))
}

// GoString hides the password from %#v too.
func (k Kafka) GoString() string { return k.String() }
