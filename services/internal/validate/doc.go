// Package validate holds requests to the rules in their proto files (buf.validate), and collects what those rules cannot
// say: every mistake is a sentence that tells what is wrong and what is right.
package validate
