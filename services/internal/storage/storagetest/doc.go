// Package storagetest holds what tests of repositories share: a migrated database, and every statement parsed by the server.
package storagetest
