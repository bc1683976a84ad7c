// Package repositorytest is the contract of user repositories: every implementation passes the same tests.
package repositorytest
