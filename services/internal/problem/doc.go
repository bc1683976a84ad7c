// Package problem holds the failures that services tell their callers about, in the domain's words, and the one table
// that turns them into gRPC codes.
package problem
