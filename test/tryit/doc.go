// Package tryit follows the documents that tell a newcomer what to do.
package tryit
