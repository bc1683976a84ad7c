// Package broker makes clients of a Kafka cluster from its binding, and says in words why the cluster refused something.
package broker
