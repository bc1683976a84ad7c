// Package discovery tells callers which instances of a service there are and which revision they belong to, and announces this one.
package discovery
