// Package scrape reads pages of metrics that may be hostile: within bounds of size, time and concurrency.
package scrape
