// Package rpc sets up a service's servers (gRPC, REST, admin) and its connections to other services, the same way for all.
package rpc
