package parts

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// KafkaUser is somebody who may do what was granted.
type KafkaUser struct {
	Name     string
	Password string

	broker *Kafka
}

// User makes a user who may do nothing yet.
func (k *Kafka) User(tb testing.TB) *KafkaUser {
	tb.Helper()
	u := &KafkaUser{Name: k.Name("user"), broker: k}
	u.ChangePassword(tb)
	return u
}

// ChangePassword gives the user a new password and waits until it holds; the one before no longer does for new connections.
func (u *KafkaUser) ChangePassword(tb testing.TB) {
	tb.Helper()
	u.Password = secret()
	_, err := u.broker.admin(tb).AlterUserSCRAMs(tb.Context(), nil, []kadm.UpsertSCRAM{{
		User: u.Name, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: u.Password,
	}})
	if err != nil {
		tb.Fatalf("giving %s a password: %v", u.Name, err)
	}
	login := scram.Auth{User: u.Name, Pass: u.Password}.AsSha512Mechanism()
	u.broker.until(tb, "to know the password of "+u.Name, func(ctx context.Context) (bool, error) {
		client, err := kgo.NewClient(kgo.SeedBrokers(u.broker.address()), kgo.SASL(login))
		if err != nil {
			return false, err
		}
		defer client.Close()
		return true, client.Ping(ctx)
	})
}

// MayRead grants what a subscriber or consumer of the topic needs.
func (u *KafkaUser) MayRead(tb testing.TB, topic string) *KafkaUser {
	tb.Helper()
	return u.grant(tb, topic, kadm.OpRead, kadm.OpDescribe)
}

// MayWrite grants what a publisher to the topic needs.
func (u *KafkaUser) MayWrite(tb testing.TB, topic string) *KafkaUser {
	tb.Helper()
	return u.grant(tb, topic, kadm.OpWrite, kadm.OpDescribe)
}

// MayDescribe grants what it takes to see that there is such a topic.
func (u *KafkaUser) MayDescribe(tb testing.TB, topic string) *KafkaUser {
	tb.Helper()
	return u.grant(tb, topic, kadm.OpDescribe)
}

// MayJoin grants what a member of the group needs.
func (u *KafkaUser) MayJoin(tb testing.TB, group string) *KafkaUser {
	tb.Helper()
	return u.grantAll(tb, group, u.permits(kadm.OpRead, kadm.OpDescribe).Groups(group))
}

func (u *KafkaUser) grant(tb testing.TB, topic string, operations ...kadm.ACLOperation) *KafkaUser {
	tb.Helper()
	return u.grantAll(tb, topic, u.acls(topic, operations...))
}

func (u *KafkaUser) grantAll(tb testing.TB, on string, acls *kadm.ACLBuilder) *KafkaUser {
	tb.Helper()
	admin := u.broker.admin(tb)
	results, err := admin.CreateACLs(tb.Context(), acls)
	if err != nil {
		tb.Fatalf("granting rights on %s to %s: %v", on, u.Name, err)
	}
	for _, r := range results {
		if r.Err != nil {
			tb.Fatalf("granting %v on %s to %s: %v", r.Operation, on, u.Name, r.Err)
		}
	}
	u.broker.until(tb, "to know the rights of "+u.Name+" on "+on, func(ctx context.Context) (bool, error) {
		known, err := admin.DescribeACLs(ctx, acls)
		for _, r := range known {
			if r.Err != nil || len(r.Described) == 0 {
				return false, r.Err
			}
		}
		return len(known) > 0, err
	})
	return u
}

// Revoke takes back all that was granted on the topic.
func (u *KafkaUser) Revoke(tb testing.TB, topic string) {
	tb.Helper()
	if _, err := u.broker.admin(tb).DeleteACLs(tb.Context(), u.acls(topic, kadm.OpAny)); err != nil {
		tb.Fatalf("revoking what %s may do on %s: %v", u.Name, topic, err)
	}
}

func (u *KafkaUser) acls(topic string, operations ...kadm.ACLOperation) *kadm.ACLBuilder {
	return u.permits(operations...).Topics(topic)
}

func (u *KafkaUser) permits(operations ...kadm.ACLOperation) *kadm.ACLBuilder {
	return kadm.NewACLs().ResourcePatternType(kadm.ACLPatternLiteral).Operations(operations...).Allow("User:" + u.Name).AllowHosts("*")
}

// Binding is the directory of a binding with which the user logs in.
func (u *KafkaUser) Binding(tb testing.TB) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "kafka")
	u.WriteBinding(tb, dir)
	return dir
}

// WriteBinding writes the binding, or writes it anew after the password has changed.
func (u *KafkaUser) WriteBinding(tb testing.TB, dir string) {
	tb.Helper()
	WriteBinding(tb, dir, map[string]string{
		"type": "kafka", "bootstrap-servers": u.broker.address(), "security.protocol": "SASL_PLAINTEXT",
		"sasl.mechanism": "SCRAM-SHA-512", "username": u.Name, "password": u.Password,
	})
}
