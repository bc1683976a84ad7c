// Package memory carries events within one process: for tests.
package memory
