// Package report makes a page of what was measured: one file of HTML that stands
// alone, with pictures that can be zoomed, tables beside them, how it was measured
// in words, and the data. [Report.Picture] draws the same without a browser.
//
// A [Recording] is read once, in little memory whatever its size: what is drawn of
// it is the lowest, the highest and the mean power of each of some 200,000 pieces of
// its time, while energies are those of all windows. The result of a bench comes as
// a [bench.Result], that of `powerspy run` by [ReadJob].
//
// Names come from outside: package harmless shows what is invisible in them, and
// they are escaped wherever they stand.
package report
