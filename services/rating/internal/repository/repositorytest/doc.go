// Package repositorytest is the contract of rating repositories: every implementation passes the same tests.
package repositorytest
