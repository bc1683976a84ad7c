// Package attempts bounds how often somebody may fail: five times a minute for a user, and for an address.
package attempts
