// Package evidence turns readings of counters into looks, and keeps what they prove about one release.
package evidence
