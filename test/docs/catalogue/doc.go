// Package catalogue reads docs/metrics.md, so that tests can hold what programs show against it.
package catalogue
