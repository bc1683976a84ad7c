package bindings

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

const (
	// refreshGood is how old a complete Secret may be before it is read again.
	refreshGood = 60 * time.Second
	// refreshBad is the same for one with a problem: its mending shows this soon.
	refreshBad = 5 * time.Second
	// forgetAfter is when a Secret that nobody asked for is dropped from memory.
	forgetAfter = 10 * time.Minute
)

// Report is what was found out about the bindings of one service.
type Report struct {
	// Ready is true when every bound Secret exists and is complete.
	Ready bool
	// Problems are all mistakes, in a fixed order; empty when Ready.
	Problems []Problem
	// Consul is set when the consul binding is complete: as the operator is to use it, by consulAdmin if that is bound.
	Consul *Consul
	// MySQL is set when the mysql binding is complete.
	MySQL *MySQL
	// Kafka is set when the kafka binding is complete.
	Kafka *Kafka
	// RetryAfter is when a Secret is due to be read again; 0 when there is no binding.
	RetryAfter time.Duration
}

// Message is every problem in one line, for a condition.
func (r Report) Message() string {
	parts := make([]string, len(r.Problems))
	for i, p := range r.Problems {
		parts[i] = p.Message
	}
	return strings.Join(parts, "; ")
}

// Reader reads bound Secrets by name; it never lists or watches them. What it read is kept for a minute, or for
// five seconds while something is wrong with it. It is safe for concurrent use.
type Reader struct {
	secrets client.Reader
	clock   clock.PassiveClock

	mu   sync.Mutex
	kept map[id]finding
}

// id names a Secret and what it is read as: one Secret may be bound, by mistake, as two kinds.
type id struct {
	kind   string
	secret types.NamespacedName
}

// finding is what one read of a Secret told.
type finding struct {
	at       time.Time
	problems []Problem
	consul   *Consul
	mysql    *MySQL
	kafka    *Kafka
}

func (f finding) due() time.Time {
	if len(f.problems) > 0 {
		return f.at.Add(refreshBad)
	}
	return f.at.Add(refreshGood)
}

// NewReader returns a Reader. Secrets must not be a cache: a cache would list and watch every Secret.
func NewReader(secrets client.Reader, clk clock.PassiveClock) *Reader {
	return &Reader{secrets: secrets, clock: clk, kept: map[id]finding{}}
}

// Check reports on the bindings of a service; nil means it has none, which is Ready. An error means that a Secret could
// not be observed (the API server did not answer, or refused): nothing is known then, neither good nor bad.
func (r *Reader) Check(ctx context.Context, namespace string, b *v1alpha1.Bindings) (Report, error) {
	report := Report{}
	if b == nil {
		return Report{Ready: true}, nil
	}
	for _, bound := range secretsOf(b) {
		f, err := r.find(ctx, id{bound.kind, types.NamespacedName{Namespace: namespace, Name: bound.name}})
		if err != nil {
			return Report{}, err
		}
		report.MySQL, report.Kafka = cmp.Or(report.MySQL, f.mysql), cmp.Or(report.Kafka, f.kafka)
		if !bound.podsOnly {
			report.Consul = cmp.Or(report.Consul, f.consul)
		}
		r.add(&report, f)
	}
	report.Ready = len(report.Problems) == 0
	return report, nil
}

// boundSecret is a Secret and what it is bound as. The operator uses nothing of one that is podsOnly.
type boundSecret struct {
	kind, name string
	podsOnly   bool
}

// secretsOf lists what is bound, in a fixed order.
func secretsOf(b *v1alpha1.Bindings) []boundSecret {
	var list []boundSecret
	if b.MySQL != nil {
		list = append(list, boundSecret{kind: "mysql", name: b.MySQL.SecretRef.Name})
	}
	list = append(list, consulSecrets(b)...)
	if b.Kafka != nil {
		list = append(list, boundSecret{kind: "kafka", name: b.Kafka.SecretRef.Name})
	}
	if b.Redis != nil {
		list = append(list, boundSecret{kind: "redis", name: b.Redis.SecretRef.Name})
	}
	if b.AuthKeys != nil {
		list = append(list, boundSecret{kind: "auth-keys", name: b.AuthKeys.SecretRef.Name})
	}
	if b.TLS != nil {
		list = append(list, boundSecret{kind: "tls", name: b.TLS.SecretRef.Name})
	}
	return list
}

// consulSecrets are the operator's own and the one that the pods have; without one of its own, the operator uses theirs.
func consulSecrets(b *v1alpha1.Bindings) []boundSecret {
	if b.Consul == nil {
		return nil
	}
	own := boundSecret{kind: "consul", name: b.Consul.SecretRef.Name}
	if b.ConsulAdmin == nil || b.ConsulAdmin.SecretRef == b.Consul.SecretRef {
		return []boundSecret{own}
	}
	own.podsOnly = true
	return []boundSecret{{kind: "consul", name: b.ConsulAdmin.SecretRef.Name}, own}
}

func (r *Reader) add(report *Report, f finding) {
	report.Problems = append(report.Problems, f.problems...)
	wait := max(f.due().Sub(r.clock.Now()), time.Second)
	if report.RetryAfter == 0 || wait < report.RetryAfter {
		report.RetryAfter = wait
	}
}

// find returns what is kept of a Secret, or reads it when that is due.
func (r *Reader) find(ctx context.Context, which id) (finding, error) {
	if f, ok := r.recall(which); ok {
		return f, nil
	}
	f := finding{at: r.clock.Now()}
	var secret corev1.Secret
	err := r.secrets.Get(ctx, which.secret, &secret)
	switch {
	case apierrors.IsNotFound(err):
		f.problems = []Problem{missing(which)}
	case err != nil:
		return finding{}, fmt.Errorf("get Secret %s: %w", which.secret, err)
	case which.kind == "mysql":
		f.mysql, f.problems = checkMySQL(which.secret.Name, secret.Data)
	case which.kind == "kafka":
		f.kafka, f.problems = checkKafka(which.secret.Name, secret.Data)
	case which.kind == "redis":
		f.problems = checkRedis(which.secret.Name, secret.Data)
	case which.kind == "auth-keys":
		f.problems = checkAuthKeys(which.secret.Name, secret.Data)
	case which.kind == "tls":
		f.problems = checkTLS(which.secret.Name, secret.Data)
	default:
		f.consul, f.problems = checkConsul(which.secret.Name, secret.Data)
	}
	r.keep(which, f)
	return f, nil
}

func missing(which id) Problem {
	keys := map[string]string{
		"mysql":  "type, host, port, username, password and database",
		"consul": "type, host and port",
		"kafka":  "type and bootstrap-servers",
		"redis":  "type and host",

		"tls":       "tls.crt, tls.key and ca.crt",
		"auth-keys": "type, signing and <id>.pem for each key",
	}
	return Problem{
		Secret: which.secret.Name,
		Message: fmt.Sprintf("Secret %q does not exist in namespace %s: create it with the keys %s",
			which.secret.Name, which.secret.Namespace, keys[which.kind]),
	}
}

func (r *Reader) recall(which id) (finding, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.kept[which]
	return f, ok && r.clock.Now().Before(f.due())
}

func (r *Reader) keep(which id, f finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept[which] = f
	for other, old := range r.kept {
		if f.at.Sub(old.at) > forgetAfter {
			delete(r.kept, other)
		}
	}
}
