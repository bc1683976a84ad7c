// Package cache keeps what was read in the process for a while: bounded, one read for all who ask at once, no failures.
package cache
