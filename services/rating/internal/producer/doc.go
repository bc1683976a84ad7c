// Package producer sends files of rating events to Kafka: checked first, acknowledged one by one.
package producer
