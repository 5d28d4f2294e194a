// Package owner keeps a second command from disturbing a meter that another
// process of the same user is using, and says which process that is.
//
// A meter is a file in the user's runtime directory. Who holds the lock on it
// (flock(2)) holds the meter; the text in it says who that is. The kernel
// drops the lock when the process ends, however it ends, so a file that was
// left behind means nothing.
package owner
