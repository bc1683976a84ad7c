// Package uploadtest serves movie's files to tests over a real connection, as the program does, and breaks it.
package uploadtest
