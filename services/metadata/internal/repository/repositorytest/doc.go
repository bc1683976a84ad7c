// Package repositorytest is the contract of metadata repositories: every implementation passes the same tests.
package repositorytest
