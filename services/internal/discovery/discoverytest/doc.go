// Package discoverytest asks a registry for what callers are promised: real gRPC servers, a caller under load, and changes that may fail no call.
package discoverytest
