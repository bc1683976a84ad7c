package bindings_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/cert"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/bindings"
)

const namespace = "movies"

var (
	wholeMySQL  = map[string]string{"type": "mysql", "host": "db", "port": "3306", "username": "u", "password": "p", "database": "rating"}
	wholeConsul = map[string]string{"type": "consul", "host": "consul", "port": "8500"}
	wholeKafka  = map[string]string{"type": "kafka", "bootstrap-servers": "kafka-0:9092,kafka-1:9092", "username": "u", "password": "p"}
	wholeRedis  = map[string]string{"type": "redis", "host": "redis"}
)

// newAuthority is a certificate in PEM.
func newAuthority(t *testing.T) string {
	t.Helper()
	pem, _, err := cert.GenerateSelfSignedCertKey("consul", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(pem))
}

// with is a copy of keys with changes; "-" removes a key.
func with(keys map[string]string, changes ...string) map[string]string {
	out := map[string]string{}
	for k, v := range keys {
		out[k] = v
	}
	for i := 0; i < len(changes); i += 2 {
		if out[changes[i]] = changes[i+1]; changes[i+1] == "-" {
			delete(out, changes[i])
		}
	}
	return out
}

func secret(name string, keys map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string][]byte{}}
	for k, v := range keys {
		s.Data[k] = []byte(v)
	}
	return s
}

func mysql(name string) *v1alpha1.Bindings {
	return &v1alpha1.Bindings{MySQL: &v1alpha1.MySQLBinding{SecretRef: v1alpha1.SecretReference{Name: name}}}
}

func consul(name string) *v1alpha1.Bindings {
	return &v1alpha1.Bindings{Consul: &v1alpha1.ConsulBinding{SecretRef: v1alpha1.SecretReference{Name: name}}}
}

func kafka(name string) *v1alpha1.Bindings {
	return &v1alpha1.Bindings{Kafka: &v1alpha1.KafkaBinding{SecretRef: v1alpha1.SecretReference{Name: name}}}
}

func certificate(name string) *v1alpha1.Bindings {
	return &v1alpha1.Bindings{TLS: &v1alpha1.TLSBinding{SecretRef: v1alpha1.SecretReference{Name: name}}}
}

func redis(name string) *v1alpha1.Bindings {
	return &v1alpha1.Bindings{Redis: &v1alpha1.RedisBinding{SecretRef: v1alpha1.SecretReference{Name: name}}}
}

// api is an API server's Secrets. It counts reads and fails on a list or watch, which the operator must never do.
type api struct {
	client.WithWatch
	gets int
	down error
}

func newAPI(t *testing.T, secrets ...client.Object) *api {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	a := &api{}
	a.WithWatch = interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithObjects(secrets...).Build(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			a.gets++
			if a.down != nil {
				return a.down
			}
			return c.Get(ctx, key, obj, opts...)
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			t.Error("Secrets were listed, want reads by name only")
			return errors.New("refused")
		},
	})
	return a
}

func TestCheckComplete(t *testing.T) {
	authority := newAuthority(t)
	a := newAPI(t,
		secret("db", with(wholeMySQL, "host", "db\n", "port", "3307\r\n")),
		secret("maria", with(wholeMySQL, "type", "mariadb", "host", "fd00::1")),
		secret("consul", wholeConsul), secret("kafka", wholeKafka), secret("kafka-plain", with(wholeKafka, "security.protocol", "PLAINTEXT")), secret("redis", wholeRedis),
		secret("leaf", map[string]string{"tls.crt": "c", "tls.key": "k", "ca.crt": "a"}),
		secret("tls", with(wholeConsul, "scheme", "https", "token", "t0ken\n")),
		secret("own", with(wholeConsul, "ca.crt", authority+"\n")))
	r := bindings.NewReader(a, clocktesting.NewFakePassiveClock(time.Unix(0, 0)))
	both := mysql("db")
	both.Consul = consul("tls").Consul
	administered := consul("consul")
	administered.ConsulAdmin = consul("tls").Consul
	same := consul("tls")
	same.ConsulAdmin = consul("tls").Consul
	for name, tc := range map[string]struct {
		in   *v1alpha1.Bindings
		want bindings.Report
	}{
		"consulAdmin is the operator's":  {administered, bindings.Report{Ready: true, Consul: &bindings.Consul{Scheme: "https", Host: "consul", Port: 8500, Token: "t0ken"}, RetryAfter: time.Minute}},
		"consulAdmin, the same Secret":   {same, bindings.Report{Ready: true, Consul: &bindings.Consul{Scheme: "https", Host: "consul", Port: 8500, Token: "t0ken"}, RetryAfter: time.Minute}},
		"consul, authority of its own":   {consul("own"), bindings.Report{Ready: true, Consul: &bindings.Consul{Scheme: "https", Host: "consul", Port: 8500, CA: authority}, RetryAfter: time.Minute}},
		"no bindings at all":             {nil, bindings.Report{Ready: true}},
		"kafka":                          {kafka("kafka"), bindings.Report{Ready: true, Kafka: &bindings.Kafka{Servers: []string{"kafka-0:9092", "kafka-1:9092"}, Encrypted: true, Mechanism: "SCRAM-SHA-512", Username: "u", Password: "p"}, RetryAfter: time.Minute}},
		"kafka, a user beside PLAINTEXT": {kafka("kafka-plain"), bindings.Report{Ready: true, Kafka: &bindings.Kafka{Servers: []string{"kafka-0:9092", "kafka-1:9092"}}, RetryAfter: time.Minute}},
		"a certificate":                  {certificate("leaf"), bindings.Report{Ready: true, RetryAfter: time.Minute}},
		"redis, port defaults":           {redis("redis"), bindings.Report{Ready: true, RetryAfter: time.Minute}},
		"empty bindings":                 {&v1alpha1.Bindings{}, bindings.Report{Ready: true}},
		"mysql, newline of an editor":    {mysql("db"), bindings.Report{Ready: true, MySQL: &bindings.MySQL{Host: "db", Port: 3307, Database: "rating"}, RetryAfter: time.Minute}},
		"mariadb is the same protocol":   {mysql("maria"), bindings.Report{Ready: true, MySQL: &bindings.MySQL{Host: "fd00::1", Port: 3306, Database: "rating"}, RetryAfter: time.Minute}},
		"consul, scheme defaults":        {consul("consul"), bindings.Report{Ready: true, Consul: &bindings.Consul{Scheme: "http", Host: "consul", Port: 8500}, RetryAfter: time.Minute}},
		"both, with token and its line":  {both, bindings.Report{Ready: true, MySQL: &bindings.MySQL{Host: "db", Port: 3307, Database: "rating"}, Consul: &bindings.Consul{Scheme: "https", Host: "consul", Port: 8500, Token: "t0ken"}, RetryAfter: time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.Check(t.Context(), namespace, tc.in)
			if err != nil {
				t.Fatalf("Check = error %v, want none", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Check (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckMistakes(t *testing.T) {
	authority := newAuthority(t)
	type problem struct{ key, message string }
	for name, tc := range map[string]struct {
		kind string
		keys map[string]string
		want []problem
	}{
		"mysql: key missing":         {"mysql", with(wholeMySQL, "password", "-"), []problem{{"password", `key "password" of Secret "s" is missing: add it`}}},
		"mysql: value empty":         {"mysql", with(wholeMySQL, "database", "\n"), []problem{{"database", `key "database" of Secret "s" is empty: give it a value`}}},
		"mysql: port a word":         {"mysql", with(wholeMySQL, "port", "mysql"), []problem{{"port", `key "port" of Secret "s" is "mysql": write a number from 1 to 65535`}}},
		"mysql: port too great":      {"mysql", with(wholeMySQL, "port", "70000"), []problem{{"port", `key "port" of Secret "s" is "70000": write a number from 1 to 65535`}}},
		"mysql: of another type":     {"mysql", with(wholeMySQL, "type", "consul"), []problem{{"type", `key "type" of Secret "s" is "consul", but the binding needs "mysql": name another Secret, or correct the key`}}},
		"mysql: host with port":      {"mysql", with(wholeMySQL, "host", "db:3306"), []problem{{"host", `key "host" of Secret "s" is "db:3306": write the host name or address alone, without scheme, port or path`}}},
		"mysql: all in one go":       {"mysql", with(wholeMySQL, "type", "-", "username", ""), []problem{{"type", `key "type" of Secret "s" is missing: add it`}, {"username", `key "username" of Secret "s" is empty: give it a value`}}},
		"consul: scheme unknown":     {"consul", with(wholeConsul, "scheme", "tcp"), []problem{{"scheme", `key "scheme" of Secret "s" is "tcp": write http or https, or leave it out for http`}}},
		"consul: no certificate":     {"consul", with(wholeConsul, "ca.crt", "x"), []problem{{"ca.crt", `key "ca.crt" of Secret "s" holds no certificate: it wants PEM, -----BEGIN CERTIFICATE-----`}}},
		"consul: http with a ca.crt": {"consul", with(wholeConsul, "scheme", "http", "ca.crt", authority), []problem{{"scheme", `key "scheme" of Secret "s" is "http" beside a ca.crt: make it https, or remove ca.crt`}}},
		"consul: host is a URL":      {"consul", with(wholeConsul, "host", "http://consul"), []problem{{"host", `key "host" of Secret "s" is "http://consul": write the host name or address alone, without scheme, port or path`}}},
		"consul: a mysql Secret":     {"consul", wholeMySQL, []problem{{"type", `key "type" of Secret "s" is "mysql", but the binding needs "consul": name another Secret, or correct the key`}}},
		"consul: no Secret":          {"consul", nil, []problem{{"", `Secret "s" does not exist in namespace movies: create it with the keys type, host and port`}}},
		"kafka: no port":             {"kafka", with(wholeKafka, "bootstrap-servers", "kafka-0:9092,kafka-1"), []problem{{"bootstrap-servers", `key "bootstrap-servers" of Secret "s" holds "kafka-1": write host:port, several separated by commas`}}},
		"kafka: no password":         {"kafka", with(wholeKafka, "password", "-"), []problem{{"password", `key "password" of Secret "s" is missing: add it`}}},
		"kafka: unknown mechanism":   {"kafka", with(wholeKafka, "sasl.mechanism", "GSSAPI"), []problem{{"sasl.mechanism", `key "sasl.mechanism" of Secret "s" is "GSSAPI": write one of SCRAM-SHA-512, SCRAM-SHA-256, PLAIN`}}},
		"kafka: no Secret":           {"kafka", nil, []problem{{"", `Secret "s" does not exist in namespace movies: create it with the keys type and bootstrap-servers`}}},
		"redis: port a word":         {"redis", with(wholeRedis, "port", "x"), []problem{{"port", `key "port" of Secret "s" is "x": write a number from 1 to 65535`}}},
		"redis: host is a URL":       {"redis", with(wholeRedis, "host", "redis://redis"), []problem{{"host", `key "host" of Secret "s" is "redis://redis": write the host name or address alone, without scheme, port or path`}}},
		"tls: no key":                {"tls", map[string]string{"tls.crt": "c", "ca.crt": "a"}, []problem{{"tls.key", `key "tls.key" of Secret "s" is missing: add it`}}},
		"tls: no authority":          {"tls", map[string]string{"tls.crt": "c", "tls.key": "k", "ca.crt": ""}, []problem{{"ca.crt", `key "ca.crt" of Secret "s" is empty: give it a value`}}},
		"tls: no Secret":             {"tls", nil, []problem{{"", `Secret "s" does not exist in namespace movies: create it with the keys tls.crt, tls.key and ca.crt`}}},
		"mysql: no Secret":           {"mysql", nil, []problem{{"", `Secret "s" does not exist in namespace movies: create it with the keys type, host, port, username, password and database`}}},
		"mysql: Secret has no key": {"mysql", map[string]string{"x": "y"}, []problem{
			{"type", `key "type" of Secret "s" is missing: add it`}, {"host", `key "host" of Secret "s" is missing: add it`},
			{"port", `key "port" of Secret "s" is missing: add it`}, {"username", `key "username" of Secret "s" is missing: add it`},
			{"password", `key "password" of Secret "s" is missing: add it`}, {"database", `key "database" of Secret "s" is missing: add it`}}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			if tc.keys != nil {
				a = newAPI(t, secret("s", tc.keys))
			}
			in := map[string]*v1alpha1.Bindings{"mysql": mysql("s"), "consul": consul("s"), "kafka": kafka("s"), "redis": redis("s"), "tls": certificate("s")}[tc.kind]
			got, err := bindings.NewReader(a, clocktesting.NewFakePassiveClock(time.Unix(0, 0))).Check(t.Context(), namespace, in)
			if err != nil {
				t.Fatalf("Check = error %v, want none", err)
			}
			want := bindings.Report{RetryAfter: 5 * time.Second}
			for _, p := range tc.want {
				want.Problems = append(want.Problems, bindings.Problem{Secret: "s", Key: p.key, Message: p.message})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Check (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadsAgain follows one Secret through time: it is read no more often than promised, and heals by itself.
func TestReadsAgain(t *testing.T) {
	a := newAPI(t)
	clk := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	r := bindings.NewReader(a, clk)
	steps := []struct {
		at    time.Duration
		do    func() error
		ready bool
		gets  int
		retry time.Duration
	}{
		{at: 0, ready: false, gets: 1, retry: 5 * time.Second},
		{at: 4 * time.Second, do: func() error { return a.Create(t.Context(), secret("s", wholeMySQL)) }, ready: false, gets: 1, retry: time.Second},
		{at: 5 * time.Second, ready: true, gets: 2, retry: time.Minute},
		{at: 64 * time.Second, do: func() error { return a.Delete(t.Context(), secret("s", nil)) }, ready: true, gets: 2, retry: time.Second},
		{at: 65 * time.Second, ready: false, gets: 3, retry: 5 * time.Second},
	}
	for _, s := range steps {
		clk.SetTime(time.Unix(0, 0).Add(s.at))
		if s.do != nil {
			if err := s.do(); err != nil {
				t.Fatal(err)
			}
		}
		got, err := r.Check(t.Context(), namespace, mysql("s"))
		if err != nil || got.Ready != s.ready || a.gets != s.gets || got.RetryAfter != s.retry {
			t.Errorf("after %v: Check = ready %v, retry %v, error %v with %d reads; want ready %v, retry %v, no error, %d reads",
				s.at, got.Ready, got.RetryAfter, err, a.gets, s.ready, s.retry, s.gets)
		}
	}
}

// TestUnobservable keeps "could not look" apart from "is missing", and does not remember it.
func TestUnobservable(t *testing.T) {
	a := newAPI(t, secret("s", wholeMySQL))
	a.down = errors.New("connection refused")
	r := bindings.NewReader(a, clocktesting.NewFakePassiveClock(time.Unix(0, 0)))
	if got, err := r.Check(t.Context(), namespace, mysql("s")); err == nil || !errors.Is(err, a.down) || !strings.Contains(err.Error(), "get Secret movies/s") {
		t.Errorf("Check with the API server away = %+v, %v; want an error that names the Secret and the cause", got, err)
	}
	a.down = nil
	if got, err := r.Check(t.Context(), namespace, mysql("s")); err != nil || !got.Ready {
		t.Errorf("Check afterwards = %+v, %v; want ready", got, err)
	}
}

func TestMessage(t *testing.T) {
	r := bindings.Report{Problems: []bindings.Problem{{Message: "a"}, {Message: "b"}}}
	if got := r.Message(); got != "a; b" {
		t.Errorf("Message() = %q, want %q", got, "a; b")
	}
}

func TestTokenIsNotPrinted(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, bindings.Consul{Scheme: "http", Host: "c", Port: 1, Token: "t0ken"}); strings.Contains(got, "t0ken") {
			t.Errorf("Sprintf(%q) = %q, which shows the token", verb, got)
		}
	}
}
