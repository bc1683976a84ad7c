// Package progress tells whether a consumer reads on: a partition that has records and whose next offset stays is stuck.
package progress
