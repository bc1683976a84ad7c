// Package transaction marks what happens inside a database transaction, where nothing may wait for another server.
package transaction
