// Package handler is the transport of auth.v1 and of the published keys: messages to and from the domain, failures to codes.
package handler
