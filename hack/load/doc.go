// Command load calls the movie service at a fixed rate for a bounded time and reports what each revision answered.
package main
