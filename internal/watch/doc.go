// Package watch shows on a terminal what a meter measures, as it does: watts in
// large digits, a chart of the last minutes with their peaks and gaps, the energy
// since a key was hit, marks, and how good the link is.
//
// [Seen] is a [powerspy2/measure.Sink] that remembers what there is to show, a
// bounded amount of it; [Model] draws it and takes keys, for
// charm.land/bubbletea/v2.
package watch
