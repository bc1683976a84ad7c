// Package handler is the transport of movie.v1: messages to and from the domain, failures to codes.
package handler
