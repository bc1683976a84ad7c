// Package evidence turns readings of counters into looks, and keeps what they prove about one release. It asks nobody: the
// readings and the time are arguments.
package evidence
