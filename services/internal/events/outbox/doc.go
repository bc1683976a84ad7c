// Package outbox keeps events in the database, in the transaction that changes the record, until a relay has published them.
package outbox
