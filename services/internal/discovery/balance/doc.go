// Package balance spreads a gRPC connection's calls over the revisions that the registry names, by their weights, and over the instances of each.
package balance
