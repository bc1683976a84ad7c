// Package ledger keeps what was decided about revisions where it outlives the resource that they belonged to.
package ledger
