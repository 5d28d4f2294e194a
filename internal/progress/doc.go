// Package progress tells a person on standard error what is going on, and what was not
// measured.
package progress
