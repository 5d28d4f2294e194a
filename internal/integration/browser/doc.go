// Package browser opens pages in a real browser, Debian's Chromium, for tests of
// what people see of them.
//
// A package with such tests runs them by [Main], which starts one browser for all
// of them. A [Page] remembers what the page asked for and what it said on the
// console, neither of which a page of this project does.
package browser
