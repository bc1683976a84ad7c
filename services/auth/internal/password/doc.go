// Package password hashes passwords with argon2id and compares them.
package password
