package binding_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/test/parts"
)

func TestReadKafka(t *testing.T) {
	ca := string(parts.NewAuthority(t).Certificate())
	for name, tc := range map[string]struct {
		keys map[string]string
		want binding.Kafka
	}{
		"with SASL": {
			map[string]string{"bootstrap-servers": "a:9092, b:9092\n", "security.protocol": "SASL_PLAINTEXT", "username": "rating", "password": "p\n"},
			binding.Kafka{
				BootstrapServers: []string{"a:9092", "b:9092"}, Protocol: binding.SASLPlaintext,
				Mechanism: binding.SCRAMSHA512, Username: "rating", Password: "p",
			},
		},
		"a user needs encryption unless it is said": {
			map[string]string{"bootstrap-servers": "a:9092", "sasl.mechanism": "PLAIN", "username": "u", "password": "p"},
			binding.Kafka{BootstrapServers: []string{"a:9092"}, Protocol: binding.SASLSSL, Mechanism: binding.Plain, Username: "u", Password: "p"},
		},
		"an authority alone": {
			map[string]string{"bootstrap-servers": "a:9092", "ca.crt": ca},
			binding.Kafka{BootstrapServers: []string{"a:9092"}, Protocol: binding.SSL, CA: binding.CA(ca)},
		},
		"nothing but servers": {
			map[string]string{"bootstrap-servers": "[::1]:9092"},
			binding.Kafka{BootstrapServers: []string{"[::1]:9092"}, Protocol: binding.Plaintext},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.keys["type"] = "kafka"
			got, err := binding.ReadKafka(write(t, "kafka", tc.keys))
			if err != nil {
				t.Fatalf("ReadKafka = error %v, want none", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("ReadKafka (-want +got):\n%s", diff)
			}
			if encrypted := strings.HasSuffix(got.Protocol, "SSL"); (got.TLS("a") != nil) != encrypted {
				t.Errorf("TLS() is nil: %v, want %v with %s", got.TLS("a") == nil, !encrypted, got.Protocol)
			}
		})
	}
}

func TestReadRedis(t *testing.T) {
	ca := string(parts.NewAuthority(t).Certificate())
	got, err := binding.ReadRedis(write(t, "redis", map[string]string{"type": "redis", "host": "r", "password": "p", "ca.crt": ca}))
	if err != nil {
		t.Fatalf("ReadRedis = error %v, want none", err)
	}
	if diff := cmp.Diff(binding.Redis{Host: "r", Port: 6379, Password: "p", CA: binding.CA(ca)}, got); diff != "" {
		t.Errorf("ReadRedis (-want +got):\n%s", diff)
	}
	if c := got.TLS(); c == nil || c.ServerName != "r" || c.RootCAs == nil {
		t.Errorf("TLS() = %v, want one for the host r with its authority", c)
	}
	if c := (binding.Redis{Host: "r"}).TLS(); c != nil {
		t.Errorf("TLS() without a ca.crt = %v, want nil", c)
	}
}

func TestReadTLS(t *testing.T) {
	ca := string(parts.NewAuthority(t).Certificate())
	got, err := binding.ReadTLS(write(t, "tls", map[string]string{"tls.crt": "c", "tls.key": "k\n", "ca.crt": ca}))
	if diff := cmp.Diff(binding.TLS{Certificate: "c", Key: "k", CA: binding.CA(ca)}, got); err != nil || diff != "" {
		t.Errorf("ReadTLS = error %v (-want +got):\n%s", err, diff)
	}
}

func TestMistakesOfEachKind(t *testing.T) {
	ca := string(parts.NewAuthority(t).Certificate())
	kafka := func(dir string) error { _, err := binding.ReadKafka(dir); return err }
	redis := func(dir string) error { _, err := binding.ReadRedis(dir); return err }
	tls := func(dir string) error { _, err := binding.ReadTLS(dir); return err }
	consul := func(dir string) error { _, err := binding.ReadConsul(dir); return err }
	for name, tc := range map[string]struct {
		kind string
		read func(string) error
		keys map[string]string
		want []string
	}{
		"no servers":            {"kafka", kafka, nil, []string{`key "bootstrap-servers" is missing`}},
		"a server with no port": {"kafka", kafka, map[string]string{"bootstrap-servers": "a:1,b"}, []string{`holds "b", want host:port`}},
		"unknown words": {"kafka", kafka,
			map[string]string{"bootstrap-servers": "a:1", "security.protocol": "TLS"},
			[]string{`"security.protocol" is "TLS", want one of PLAINTEXT, SSL`}},
		"unknown mechanism, no user": {"kafka", kafka,
			map[string]string{"bootstrap-servers": "a:1", "security.protocol": "SASL_SSL", "sasl.mechanism": "GSSAPI"},
			[]string{`"sasl.mechanism" is "GSSAPI"`, `"username" is missing`, `"password" is missing`}},
		"an authority for nothing": {"kafka", kafka,
			map[string]string{"bootstrap-servers": "a:1", "security.protocol": "PLAINTEXT", "ca.crt": ca},
			[]string{`"PLAINTEXT" beside a ca.crt`}},
		"user with no password": {"redis", redis, map[string]string{"host": "r", "username": "u"}, []string{`"password" is missing or empty`}},
		"an authority that is none": {"redis", redis, map[string]string{"host": "r", "ca.crt": "x"},
			[]string{`"ca.crt" holds no certificate`}},
		"a key is missing":         {"tls", tls, map[string]string{"tls.crt": "c", "ca.crt": ca}, []string{`"tls.key" is missing`}},
		"http beside an authority": {"consul", consul, map[string]string{"host": "c", "scheme": "http", "ca.crt": ca}, []string{`"http" beside a ca.crt`}},
	} {
		t.Run(name, func(t *testing.T) {
			keys := map[string]string{"type": tc.kind}
			for key, value := range tc.keys {
				keys[key] = value
			}
			err := tc.read(write(t, tc.kind, keys))
			if err == nil || strings.Count(err.Error(), "\n")+1 != len(tc.want) {
				t.Fatalf("reading = error %v, want %d mistakes", err, len(tc.want))
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("reading = error %q, want it to contain %q", err, want)
				}
			}
		})
	}
}
