// Package event is the form in which ratings of other systems travel on Kafka, in all its versions.
package event
