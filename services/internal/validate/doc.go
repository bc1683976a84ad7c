// Package validate checks the fields of a request and collects every mistake, each with a sentence that says what is right.
package validate
