// Package scale measures what the operator costs when many releases run at once.
package scale
