// Package handler is the transport of rating.v1: messages to and from the domain, failures to codes.
package handler
