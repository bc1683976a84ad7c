// Package calls holds what a call to another service goes through, from the outside in: a time limit, a breaker and
// retries. Each is a decorator of a gRPC connection.
package calls
