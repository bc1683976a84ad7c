// Package verdict decides from counts of good and bad requests whether a canary is provably worse than stable, provably
// harmless at a larger weight, or neither yet: sequential tests whose error bounds hold however often one looks.
package verdict
