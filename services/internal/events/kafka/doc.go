// Package kafka carries events on a topic of a Kafka cluster.
package kafka
