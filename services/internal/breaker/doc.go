// Package breaker stops calls to a dependency that answers nothing but failures, and lets one through at a time to see
// whether it is back.
package breaker
