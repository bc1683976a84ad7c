// Package balance spreads a gRPC connection's calls over the instances of the revision that the registry names.
package balance
