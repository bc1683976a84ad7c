package config

import (
	"strings"
	"time"
)

// Kafka is a value of Events.Kind.
const Kafka = "kafka"

// Topic is the fleet's topic of changes.
const Topic = "fleet.changes"

// Events says how services tell each other of changes.
type Events struct {
	Kind  string `config:"kind" enum:"none,kafka" help:"how changes are told to other services; kafka needs the binding kafka"`
	Topic string `config:"topic" help:"topic of changes; it must be there"`
}

// Outbox says what becomes of changes that were told.
type Outbox struct {
	Retention time.Duration `config:"retention" help:"how long changes that were published stay in the table outbox"`
}

// DefaultEvents tell nobody.
func DefaultEvents() Events { return Events{Kind: None, Topic: Topic} }

// DefaultOutbox keeps a day of what was told.
func DefaultOutbox() Outbox { return Outbox{Retention: 24 * time.Hour} }

// Check refuses a topic that cannot be one.
func (e Events) Check(report Report) {
	if problem := TopicProblem(e.Topic); problem != "" {
		report("topic", e.Topic, problem)
	}
}

// TopicProblem says why this is no name of a topic, or "": Kafka wants 1 to 249 of these characters.
func TopicProblem(name string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	if name == "" || len(name) > 249 || strings.Trim(name, letters+strings.ToUpper(letters)+"0123456789._-") != "" {
		return "is no name of a topic: use letters, digits, dots, hyphens and underscores, at most 249"
	}
	return ""
}

// Check refuses a time that cannot be.
func (o Outbox) Check(report Report) {
	if o.Retention < 0 {
		report("retention", o.Retention, "is below 0")
	}
}

// CheckTold refuses events of records that are kept in memory: the outbox is a table beside them.
func CheckTold(e Events, s Storage, report Report) {
	if e.Kind != None && s.Kind != MySQL {
		report("events.kind", e.Kind, "needs storage.kind mysql, where the outbox is; or make it none")
	}
}
