// Package ratingingestor turns a RatingIngestor into one FleetService that reads Kafka, looks at topic and group through the
// binding, and chooses how many pods read.
package ratingingestor
