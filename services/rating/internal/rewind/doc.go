// Package rewind moves where consumers of rating events begin: a row for each partition, in the database.
package rewind
