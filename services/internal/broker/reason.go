package broker

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Why a Kafka cluster does not do what it is asked for, as metrics and logs name it.
const (
	ReasonUnknownTopic = "unknown_topic"
	ReasonDenied       = "denied"
	ReasonLoginFailed  = "login_failed"
	ReasonTooLarge     = "too_large"
	ReasonUnreachable  = "unreachable" // or anything else that time may heal
)

// Reasons are all of them.
func Reasons() []string {
	return []string{ReasonUnknownTopic, ReasonDenied, ReasonLoginFailed, ReasonTooLarge, ReasonUnreachable}
}

// Reason sorts a client's error.
func Reason(err error) string {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		return ReasonUnknownTopic
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed),
		errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return ReasonDenied
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism),
		errors.Is(err, kerr.IllegalSaslState):
		return ReasonLoginFailed
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return ReasonTooLarge
	default:
		return ReasonUnreachable
	}
}

// Advice is what a person can do about the reason.
func Advice(reason string) string {
	switch reason {
	case ReasonUnknownTopic:
		return "create the topic: services make none; a user without the right to describe it does not see it either"
	case ReasonDenied:
		return "grant the binding's user the right to this topic (kafka-acls --add)"
	case ReasonLoginFailed:
		return "put the username and password of the binding kafka right; they are read again for each connection"
	case ReasonTooLarge:
		return "raise max.message.bytes of the topic"
	default:
		return "the brokers of the binding kafka must be reachable from here"
	}
}
