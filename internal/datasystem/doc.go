// Package datasystem moves data from the data source to the evaluator: the sink that the data source delivers to, the graph that
// tells which flags an update concerns, changes that others make in the store, the status of the data source, the stores that a
// client reads when it has no database or must not write to it, and, for the second protocol, which of several sources is active.
package datasystem
