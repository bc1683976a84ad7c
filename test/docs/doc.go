// Package docs holds the documents to what the repository has: tests and narrations that they name exist.
package docs
