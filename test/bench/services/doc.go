// Package services measures the services' programs beside bare gRPC doing the same hops, in one run on one machine.
package services
